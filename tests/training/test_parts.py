from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.core.errors import InputError
from mien.generator.names.spec import Value
from mien.generator.parts.store import DrawnMaps, load_parts
from mien.morphable.model import load_head_model
from mien.training import parts as training_parts
from mien.training.parts import PartsPlan, drawn_part, filled_hair, kept_part, train_parts
from mien.training.procedural.lighting import portrait_light
from mien.training.procedural.maps import chart_maps, cut_up, hair_colours
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.scene import make_sitter
from mien.training.procedural.response import CLEAN

SMALL = PartsPlan(heads=2, size=64, seed=3)


def test_heads_depend_on_their_number_only() -> None:
    one, labels = drawn_part(SMALL, 1)
    again, _ = drawn_part(PartsPlan(heads=9, size=64, seed=3), 1)
    other, other_labels = drawn_part(SMALL, 0)
    for name in ("body", "clothed", "hair", "height", "share"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    assert labels != other_labels
    assert (one.body != other.body).any()
    assert one.height.shape == (32, 32)
    assert set(np.unique(one.clothed)) == {0.0, 1.0}
    scalp = one.body[-8:].astype(float)
    assert np.abs(scalp - scalp.mean((0, 1))).max() < 60  # bare skin, whatever the hair


def test_a_set_is_written_as_it_was_drawn(tmp_path: Path) -> None:
    done = train_parts(tmp_path, SMALL)
    parts = load_parts(done.path)
    assert (done.heads, done.bytes) == (2, done.path.stat().st_size)
    assert len(parts) == 2
    for k in range(2):
        maps, labels = drawn_part(SMALL, k)
        found = parts.part(k)
        assert parts.labels[k]["sex"] == labels["sex"]
        assert parts.labels[k]["age"] == pytest.approx(labels["age"], abs=1e-3)
        body = torch.sigmoid(found.body).permute(1, 2, 0).numpy() * 255
        assert np.abs(body - maps.body).mean() < 6
        np.testing.assert_array_equal(found.clothed.numpy(), maps.clothed)


def test_a_killed_run_goes_on_to_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train_parts(tmp_path / "whole", SMALL).path.read_bytes()
    kept_part(tmp_path / "cut" / "heads", SMALL, 0)
    drawn: list[int] = []

    def counted(plan: PartsPlan, index: int) -> tuple[DrawnMaps, dict[str, Value]]:
        drawn.append(index)
        return drawn_part(plan, index)

    monkeypatch.setattr(training_parts, "drawn_part", counted)
    assert train_parts(tmp_path / "cut", SMALL).path.read_bytes() == whole
    assert drawn == [1]
    with pytest.raises(InputError, match="expected seed 4 and 64 texels"):
        train_parts(tmp_path / "cut", replace(SMALL, seed=4))


def test_hair_is_carried_on_in_its_own_colours() -> None:
    rgb = np.zeros((64, 64, 3), np.float32)
    opacity = np.zeros((64, 64), np.float32)
    rgb[40:], opacity[40:] = (0.5, 0.3, 0.2), 1.0
    found = filled_hair(rgb, opacity)
    np.testing.assert_allclose(found[40:], rgb[40:])
    np.testing.assert_allclose(found[:40], np.broadcast_to(rgb[-1, 0], (40, 64, 3)), atol=0.02)
    assert (filled_hair(rgb, np.zeros_like(opacity)) == 0).all()


def test_hair_alone_is_the_hair_of_all_maps() -> None:
    model = load_head_model()
    sitter = make_sitter(model, draw_person(model, np.random.default_rng([3, 2])))
    light = portrait_light()
    whole = chart_maps(sitter, 64, light=light, response=CLEAN, fine=2)
    hair = hair_colours(sitter, 64, light=light, fine=2)
    assert hair.opacity.max() > 0.5
    np.testing.assert_array_equal(hair.rgb, whole.hair)
    np.testing.assert_array_equal(hair.height, whole.height)
    np.testing.assert_array_equal(hair.opacity, whole.opacity)
    strands = sitter.strands.of(np.arange(0, len(sitter.strands), 50))
    coarse, fine = (cut_up(strands, piece) for piece in (0.01, 0.005))
    assert len(fine.index) > 1.5 * len(coarse.index)
    assert fine.area.sum() == pytest.approx(coarse.area.sum(), rel=0.05)


def test_the_portrait_light_is_even_and_colourless() -> None:
    light = portrait_light()
    n = np.array([[0, 0, 1], [0.6, 0, 0.8], [-0.6, 0, 0.8], [0, 0.6, 0.8]], np.float32)
    shone = light.irradiance(n) + light.direct(n)
    assert shone.mean() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(shone[:, 0], shone[:, 2], rtol=1e-5)
    assert shone[1, 0] == pytest.approx(shone[2, 0], rel=0.02)
    assert shone.min() > 0.7 * shone.max()
