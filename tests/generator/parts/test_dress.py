import math

import pytest
import torch
from torch import Tensor

from mien.core.camera import Camera
from mien.generator.decoder import BODY_RGB, HAIR_HEIGHT, OUTPUTS
from mien.generator.model import Generator
from mien.generator.names.spec import Value
from mien.generator.parts import dress
from mien.generator.parts.dress import (
    DIM,
    EXPOSED,
    MOST_HUE,
    UNEVEN,
    face_texels,
    light_of,
    near,
    own_of,
    put_together,
    toned,
    with_clothes,
    with_eyes,
)
from mien.generator.parts.store import Parts
from mien.generator.planes import Planes
from mien.generator.samples import StillHead, enlarge, rgba_of, still_head
from mien.generator.texels import SIZE, island_rows
from mien.morphable.model import MorphableModel

from .conftest import BACKBONE, LABELS

ROWS = island_rows(SIZE)
FACE = face_texels(SIZE)


def person(seed: int = 0) -> Tensor:
    return torch.randn(BACKBONE.latent, generator=torch.Generator().manual_seed(seed))


def dressed(
    named: Generator, parts: Parts, *, seed: int = 0, labels: dict[str, Value] | None = None
) -> Planes:
    w = person()
    planes = named.planes(w[None], torch.zeros(1, 52))
    return put_together(named, planes, w, labels or LABELS[1], parts, seed=seed)


def test_people_depend_on_seed_and_labels_only(named: Generator, parts: Parts) -> None:
    one, same, other = (dressed(named, parts, seed=s).residual for s in (3, 3, 4))
    assert one is not None
    assert other is not None
    assert one.shape == (1, OUTPUTS, SIZE, SIZE)
    assert torch.equal(one, same)  # type: ignore[arg-type]
    assert (one - other)[0, BODY_RGB].abs().mean() > 1e-2
    assert (one[0, HAIR_HEIGHT:] == 0).all()
    planes = named.planes(person()[None], torch.rand(1, 52))
    blinking = put_together(named, planes, person(), LABELS[1], parts, seed=3).residual
    assert torch.equal(one, blinking)  # type: ignore[arg-type]


def test_hair_stands_where_the_drawn_head_has_it(named: Generator, parts: Parts) -> None:
    bob, bald = (dressed(named, parts, labels=LABELS[k]) for k in (1, 0))
    assert bob.hair_height is not None
    assert bald.hair_height is not None
    torch.testing.assert_close(bob.hair_height[0, 0, -20], torch.full((SIZE // 2,), 0.02), atol=2e-3, rtol=0)
    assert bald.hair_height.max() < 0


def test_skin_takes_the_tone_of_the_person(named: Generator, parts: Parts) -> None:
    own, face = own_of(named, person()), parts.part(0)
    body = toned(face, own)
    before = (own.white[BODY_RGB] - face.body)[:, FACE].median(1).values
    after = (own.white[BODY_RGB] - body)[:, FACE].median(1).values
    assert after.mean().abs() < 0.2 * before.mean().abs()
    assert (after - after.mean()).abs().max() < (before - before.mean()).abs().max()
    assert torch.equal(body[:, :ROWS].isfinite(), torch.ones(3, ROWS, SIZE, dtype=torch.bool))
    under = body[:, SIZE // 8 + 20 : SIZE // 4 - 20]
    assert under.std() < 0.5 * body[:, FACE].std()  # cloth is taken away, smooth skin lies there


def test_eyes_and_clothes_are_other_heads(named: Generator, parts: Parts) -> None:
    body, eyes, worn = torch.zeros(3, SIZE, SIZE), parts.part(1), parts.part(2)
    looking = with_eyes(body, eyes)
    assert torch.equal(looking[:, : ROWS - 1, :90], eyes.body[:, : ROWS - 1, :90])
    assert (looking[:, ROWS:] == 0).all()
    red = with_clothes(body, worn, "#c02020")[:, ROWS + 10 : SIZE // 4 - 5]
    rgb = torch.sigmoid(red.mean((1, 2)))
    torch.testing.assert_close(rgb, torch.tensor([0xC0, 0x20, 0x20]) / 255, atol=0.03, rtol=0)
    assert (with_clothes(body, worn, None)[:, SIZE // 4 + 5 :] == 0).all()


def test_light_is_narrow(named: Generator) -> None:
    w = person() * 3
    light = light_of(own_of(named, w))
    own = own_of(named, w)
    plain = (own.base - own.white)[:HAIR_HEIGHT]
    mean = plain[BODY_RGB, FACE].mean(1)
    assert (plain[BODY_RGB] - mean[:, None, None]).abs().max() > 2 * UNEVEN
    shift = DIM * mean.mean() + near(mean - mean.mean(), MOST_HUE) + EXPOSED
    assert (light[BODY_RGB] - shift[:, None, None]).abs().max() < UNEVEN + 1e-4
    torch.testing.assert_close(light[BODY_RGB, :ROWS], shift[:, None, None].expand(3, ROWS, SIZE))


def test_numbers_stay_near() -> None:
    x = torch.linspace(-5, 5, 101)
    assert near(x, 0.5).abs().max() <= 0.5
    torch.testing.assert_close(near(0.01 * x, 0.5), 0.01 * x, atol=1e-3, rtol=0)
    assert (near(x, 0.5).diff() >= 0).all()


def test_sharp_people_are_rendered_as_large_as_they_are_shown(
    named: Generator, parts: Parts, model: MorphableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.generator.samples.load_parts", lambda: parts)
    identity, camera = torch.zeros(model.component_count), Camera.orbit(math.radians(20), 0.0)
    sharp = still_head(named, model, identity, person(), detail=0, labels=LABELS[1], size_px=64)
    plain = still_head(named, model, identity, person(), size_px=64)
    assert plain.planes.residual is None
    assert torch.equal(plain.picture(camera, 32), enlarge(named, plain.view(camera, 32)))
    shown = sharp.picture(camera, 32)
    assert torch.equal(shown, rgba_of(sharp.view(camera, 64, fine=True)))
    assert sharp.look(0.3).rgb.shape == plain.look(0.3).rgb.shape
    assert _roughness(shown) > 3 * _roughness(plain.picture(camera, 32))


def test_labels_are_read_where_none_are_given(
    named: Generator, parts: Parts, model: MorphableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Value]] = []
    monkeypatch.setattr("mien.generator.samples.load_parts", lambda: parts)

    def noted(*given: object, **more: object) -> Planes:
        seen.append(given[3])  # type: ignore[arg-type]
        return dress.put_together(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("mien.generator.samples.put_together", noted)
    identity = torch.zeros(model.component_count)
    still: StillHead = still_head(named, model, identity, person(), detail=0, labels={"age": 33.0})
    assert still.sharp
    assert seen[0]["age"] == 33.0
    assert set(seen[0]) == {name.name for name in named.names.vocabulary.names}  # type: ignore[union-attr]


def _roughness(rgba: Tensor) -> float:
    inside = rgba[:3, 20:44, 20:44]
    return float((inside - torch.nn.functional.avg_pool2d(inside, 3, 1, 1))[:, 1:-1, 1:-1].square().mean())
