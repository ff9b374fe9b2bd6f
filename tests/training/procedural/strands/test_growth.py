"""Hair, brows, lashes and beards on a head."""

import numpy as np
import pytest
import torch

from mien.core.arkit import ARKIT_INDEX
from mien.morphable.model import MorphableModel
from mien.training.procedural.atlas import ATLAS
from mien.training.procedural.strands.base import StrandKind, Strands, join
from mien.training.procedural.strands.beard import FAMILIES as BEARDS
from mien.training.procedural.strands.beard import beard_of, draw_beard, grow_beard
from mien.training.procedural.strands.brows import draw_brows, grow_brows
from mien.training.procedural.strands.hair import grow
from mien.training.procedural.strands.lashes import draw_lashes, grow_lashes
from mien.training.procedural.strands.looks import FAMILIES, Family, HairLook, draw_hair, look_of
from mien.training.procedural.strands.melanin import hair_albedo
from mien.training.procedural.strands.scalp import scalp_shade
from mien.training.procedural.strands.skull import distance_field
from mien.training.procedural.strands.styles import STYLES


def grown(
    model: MorphableModel, vertices: np.ndarray, family: Family, seed: int = 1
) -> tuple[HairLook, Strands]:
    rng = np.random.default_rng(seed)
    look = look_of(family, rng)
    return look, grow(model, vertices, look, rng)


def distance(model: MorphableModel, xyz: np.ndarray) -> np.ndarray:
    """The distance field at points [N, 3] of the template head, between nodes as the kernels take it."""
    from scipy.ndimage import map_coordinates

    field = distance_field(model)
    at = (xyz - field.low) * field.inverse_spacing
    return np.asarray(map_coordinates(field.values, at.T, order=1, mode="nearest"))


def test_every_family_has_a_style() -> None:
    assert set(STYLES) | {"bald"} == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_strands_start_on_the_skin_and_stay_out_of_the_head(model: MorphableModel, family: Family) -> None:
    template = model.mean.numpy()
    _, strands = grown(model, template, family)
    if family == "bald":
        assert len(strands) == 0
        return
    assert np.isfinite(strands.points).all()
    assert 4000 < len(strands) < 36_000
    on_scalp = np.linalg.norm(
        strands.points[:, 0] - strands.roots.interpolate(template, model.faces_np), axis=1
    )
    tied = family in ("bun", "ponytail")
    assert np.quantile(on_scalp, 0.5 if tied else 1.0) < 1e-5
    xyz = strands.points[:, 1:].reshape(-1, 3)
    beside_ears = (np.abs(xyz[:, 0]) > 0.09) & (np.abs(xyz[:, 1]) < 0.11) & (np.abs(xyz[:, 2] + 0.075) < 0.1)
    inside = (distance(model, xyz) < -0.001) & ~beside_ears  # the field has mounds for the ears
    assert inside.mean() < 0.005
    assert (strands.albedo > 0).all()
    assert (strands.albedo < 1).all()


def test_the_same_seed_gives_the_same_hair(model: MorphableModel, neutral: np.ndarray) -> None:
    _, first = grown(model, neutral, "curly", 5)
    _, again = grown(model, neutral, "curly", 5)
    _, other = grown(model, neutral, "curly", 6)
    np.testing.assert_array_equal(first.points, again.points)
    assert first.points.shape != other.points.shape or (first.points != other.points).any()


def test_roots_lie_on_the_person(model: MorphableModel, neutral: np.ndarray, long_hair: Strands) -> None:
    expected = long_hair.roots.interpolate(neutral, model.faces_np)
    np.testing.assert_allclose(long_hair.points[:, 0], expected, atol=2e-5)


def test_hair_hangs_down_and_leaves_the_face_free(model: MorphableModel) -> None:
    rng = np.random.default_rng(2)
    look = look_of("long_straight", rng)
    strands = grow(model, model.mean.numpy(), HairLook(**{**vars(look), "fringe": "none"}), rng)
    tips = strands.points[:, -1, 1]
    assert np.median(tips) < -0.2
    before_face = (np.abs(strands.points[..., 0]) < 0.05) & (strands.points[..., 2] > 0.08)
    assert (before_face & (strands.points[..., 1] < 0.05)).mean() < 2e-3


def test_receding_hair_leaves_temples_bare(model: MorphableModel) -> None:
    rng = np.random.default_rng(3)
    full = look_of("short", rng, receding=0.0)
    bare = HairLook(**{**vars(full), "receding": 1.0, "thinning": 1.0})
    shades = [scalp_shade(model, look, np.random.default_rng(0)) for look in (full, bare)]
    assert shades[0].shape == (ATLAS, ATLAS)
    assert shades[1].sum() < 0.93 * shades[0].sum()
    counts = [len(grow(model, model.mean.numpy(), look, np.random.default_rng(0))) for look in (full, bare)]
    assert counts[1] < counts[0]
    assert scalp_shade(model, look_of("bald", rng), rng).max() == 0


def test_more_melanin_is_darker_and_pheomelanin_redder() -> None:
    steps = np.array([0.02, 0.1, 0.5, 2.0, 8.0])
    eumelanin = hair_albedo(steps, np.zeros(5))
    assert (np.diff(eumelanin, axis=0) < 0).all()
    red = hair_albedo(np.array([0.05]), np.array([0.6]))[0]
    brown = hair_albedo(np.array([0.35]), np.array([0.0]))[0]
    assert red[0] / red[2] > 1.3 * brown[0] / brown[2]


def test_people_of_all_kinds_get_hair(model: MorphableModel) -> None:
    rng = np.random.default_rng(0)
    looks = [
        draw_hair(model, sex=sex, age=age, melanin=m, rng=rng)
        for sex in ("female", "male") for age in (12.0, 30.0, 75.0) for m in (0.0, 0.5, 1.0)
        for _ in range(20)
    ]  # fmt: skip
    assert {look.family for look in looks} >= set(FAMILIES) - {"ring", "bald"}
    grey = [look.greyness for look in looks]
    assert min(grey) == 0
    assert max(grey) > 0.6
    assert all(isinstance(v, float | str) for v in looks[0].labels().values())


def test_brows_lie_on_the_brow_ridge(model: MorphableModel, neutral: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    look = draw_brows(sex="male", age=30.0, eumelanin=1.0, pheomelanin=0.0, greyness=0.0, rng=rng)
    brows = grow_brows(model, neutral, look, rng)
    marks = model.landmarks(torch.from_numpy(neutral)).numpy()
    assert 150 < len(brows) < 1400
    y = brows.points[:, 0, 1]
    assert marks[[33, 263], 1].max() < y.min()
    assert y.max() < marks[10, 1]
    left = (brows.points[:, 0, 0] > 0).mean()
    assert 0.4 < left < 0.6
    assert (brows.kind == StrandKind.BROW).all()


def test_lashes_point_out_of_the_eye_and_follow_a_blink(model: MorphableModel) -> None:
    rng = np.random.default_rng(1)
    neutral = model.mean.numpy()
    lashes = grow_lashes(model, neutral, draw_lashes(sex="female", age=25.0, eumelanin=1.0, rng=rng), rng)
    assert (lashes.points[:, -1, 2] > lashes.points[:, 0, 2]).mean() > 0.95
    blink = np.zeros(52, np.float32)
    blink[[ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]] = 1
    shut = model.vertices(torch.zeros(model.component_count), torch.from_numpy(blink)).numpy()
    moved = lashes.moved(neutral, shut, model.faces_np)
    fall = moved.points[:, 0, 1] - lashes.points[:, 0, 1]
    middle = lashes.points[:, 0, 1] > np.quantile(lashes.points[:, 0, 1], 0.7)
    assert np.median(fall[middle]) < -0.008
    length = [np.linalg.norm(s.points[:, -1] - s.points[:, 0], axis=1) for s in (lashes, moved)]
    np.testing.assert_allclose(length[0], length[1], rtol=1e-3)


@pytest.mark.parametrize("family", BEARDS)
def test_beards_grow_around_the_mouth_but_not_on_lips(model: MorphableModel, family: str) -> None:
    rng = np.random.default_rng(2)
    beard = grow_beard(model, model.mean.numpy(), beard_of(family, rng, hair=look_of("short", rng)), rng)  # type: ignore[arg-type]
    assert (len(beard) == 0) == (family == "none")
    if len(beard):
        root = beard.points[:, 0]
        assert np.isfinite(beard.points).all()
        assert root[:, 1].max() < 0.0
        on_mouth = (np.abs(root[:, 0]) < 0.03) & (np.abs(root[:, 1] + 0.112) < 0.008) & (root[:, 2] > 0.1)
        assert not on_mouth.any()
        if family == "moustache":
            assert root[:, 1].min() > -0.13


def test_women_and_children_have_no_beard() -> None:
    rng = np.random.default_rng(0)
    hair = look_of("short", rng)
    for sex, age in (("female", 40.0), ("male", 12.0)):
        assert all(draw_beard(sex=sex, age=age, hair=hair, rng=rng).family == "none" for _ in range(30))  # type: ignore[arg-type]


def test_joined_strands_keep_their_curves(
    model: MorphableModel, neutral: np.ndarray, long_hair: Strands
) -> None:
    rng = np.random.default_rng(1)
    lashes = grow_lashes(model, neutral, draw_lashes(sex="male", age=25.0, eumelanin=1.0, rng=rng), rng)
    both = join([long_hair, lashes])
    assert len(both) == len(long_hair) + len(lashes)
    np.testing.assert_array_equal(both.points[: len(long_hair)], long_hair.points)
    np.testing.assert_allclose(both.points[len(long_hair) :, [0, -1]], lashes.points[:, [0, -1]], atol=1e-6)
    still = both.moved(neutral, neutral, model.faces_np)
    np.testing.assert_allclose(still.points, both.points, atol=1e-6)
    with pytest.raises(ValueError, match="no strands"):
        join([])


def test_hair_stays_when_the_face_moves(
    model: MorphableModel, neutral: np.ndarray, long_hair: Strands
) -> None:
    moved = long_hair.moved(neutral, neutral + 0.01, model.faces_np)
    np.testing.assert_array_equal(moved.points, long_hair.points)
