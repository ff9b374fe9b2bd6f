import numpy as np
import pytest

from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera
from mien.morphable import chart
from mien.morphable.model import MorphableModel
from mien.training.hair import NO_HAIR, STYLES, random_hair
from mien.training.heads import (
    Head,
    random_camera,
    random_expression,
    random_head,
    random_light,
    render_head,
    render_rgba,
    sample_atlas,
    shade,
)
from mien.training.paint import ATLAS, SKIN_TONES, random_look, smooth_noise, smoothstep

NEUTRAL = np.zeros(52, np.float32)


@pytest.fixture(scope="module")
def heads(model: MorphableModel) -> list[Head]:
    return [random_head(model, np.random.default_rng([2, k])) for k in range(3)]


def test_a_head_depends_on_its_seed_only(heads: list[Head], model: MorphableModel) -> None:
    again = random_head(model, np.random.default_rng([2, 1]))
    assert np.array_equal(again.identity, heads[1].identity)
    assert np.array_equal(again.atlas, heads[1].atlas)
    assert np.array_equal(again.shell_vertices, heads[1].shell_vertices)
    assert not np.array_equal(heads[0].atlas, heads[1].atlas)


def test_a_view_is_consistent(heads: list[Head], model: MorphableModel) -> None:
    camera = Camera.orbit(0.4, 0.1)
    for head in heads:
        out = render_head(model, head, NEUTRAL, camera, 64)
        assert out.rgb.shape == (64 * 64, 3)
        assert 0.1 < out.alpha.mean() < 0.9
        assert (out.rgb[~out.alpha] == 0).all()
        assert np.array_equal(out.alpha, out.is_hair | (out.body_depth > 0))
        assert ((out.depth > 0) == out.alpha).all()
        behind = out.is_hair & (out.body_depth > 0)
        assert (out.depth[behind] < out.body_depth[behind]).all()
        assert (np.abs(out.body_planes[out.body_depth > 0][:, 1]) <= 1).all()
        heights = out.hair_planes[out.is_hair][:, 2]
        assert (np.abs(heights) <= 1).all()


def test_without_hair_the_body_is_the_same(heads: list[Head], model: MorphableModel) -> None:
    camera = Camera.orbit(-0.3, 0.0)
    full, bare = (render_head(model, heads[0], NEUTRAL, camera, 48, with_hair=h) for h in (True, False))
    assert np.array_equal(full.body_planes, bare.body_planes)
    assert not bare.is_hair.any()
    skin = ~full.is_hair
    assert np.array_equal(full.rgb[skin], bare.rgb[skin])


def test_supersampling_keeps_the_picture(heads: list[Head], model: MorphableModel) -> None:
    camera = Camera.orbit(0.0, 0.0)
    smooth = render_rgba(model, heads[0], NEUTRAL, camera, 48)
    hard = render_rgba(model, heads[0], NEUTRAL, camera, 48, supersampling=1)
    assert set(np.unique(hard[..., 3])) <= {0.0, 1.0}
    assert 0 < ((smooth[..., 3] > 0) & (smooth[..., 3] < 1)).mean() < 0.2
    assert (smooth[..., :3] <= smooth[..., 3:] + 1e-6).all()
    assert np.abs(smooth - hard).mean() < 0.02


def test_an_open_jaw_is_seen(heads: list[Head], model: MorphableModel) -> None:
    jaw = NEUTRAL.copy()
    jaw[ARKIT_INDEX["jawOpen"]] = 0.8
    camera = Camera.orbit(0.0, 0.0)
    closed, opened = (render_head(model, heads[0], e, camera, 64) for e in (NEUTRAL, jaw))
    island = opened.body_planes[opened.body_depth > 0][:, 1] < chart.V_BODY[0]
    shut = closed.body_planes[closed.body_depth > 0][:, 1] < chart.V_BODY[0]
    assert island.sum() > shut.sum() + 10


def test_random_draws_stay_in_range() -> None:
    rng = np.random.default_rng(0)
    tones = []
    for _ in range(200):
        e = random_expression(rng)
        assert e.dtype == np.float32
        assert ((e >= 0) & (e <= 1)).all()
        assert e[ARKIT_INDEX["tongueOut"]] == 0
        position = random_camera(rng).position
        assert abs(float(position.norm()) - 2.7) < 1e-4
        look = random_look(rng)
        assert ((look.skin >= 0) & (look.skin <= 1)).all()
        tones.append(look.skin.mean())
        light = random_light(rng)
        np.testing.assert_allclose(np.linalg.norm(light.directions, axis=1), 1)
    low, high = SKIN_TONES[-1].mean(), SKIN_TONES[0].mean()
    counts = np.histogram(tones, 4, (low, high))[0]
    assert counts.min() > 10  # the whole human range of skin


def test_styles_of_hair_differ(model: MorphableModel) -> None:
    rng = np.random.default_rng(1)
    hair = [random_hair(model, np.array([0.3, 0.2, 0.1]), rng, 32) for _ in range(24)]
    styles = {h.style for h in hair}
    assert len(styles) >= 5
    assert styles <= set(STYLES)
    for h in hair:
        assert h.height.shape == (32, 32)
        assert h.height.min() >= NO_HAIR - 1e-4
        assert h.height.max() < chart.HEIGHT_RANGE[1]
        assert (h.height.max() > 0) == (h.style != "bald")
        assert ((h.texture >= 0) & (h.texture <= 1)).all()
    assert max(h.height.max() for h in hair) > 0.08  # hair that stands well off the scalp


def test_shade_is_linear_in_albedo_and_brightest_towards_the_light() -> None:
    light = random_light(np.random.default_rng(3))
    normal = np.concatenate([light.directions[:1], -light.directions[:1]])
    albedo = np.full((2, 3), 0.4)
    lit = shade(albedo, normal, light)
    np.testing.assert_allclose(shade(2 * albedo, normal, light), 2 * lit)
    assert (lit[0] > lit[1]).all()


def test_atlas_lookup_wraps_in_u() -> None:
    atlas = np.random.default_rng(0).uniform(size=(ATLAS, ATLAS, 3)).astype(np.float32)
    planes = np.random.default_rng(1).uniform(-0.95, 0.95, (300, 2)).astype(np.float32)
    turned = planes + np.array([2.0, 0.0], np.float32)
    np.testing.assert_allclose(sample_atlas(atlas, planes), sample_atlas(atlas, turned), atol=1e-3)
    centre = (np.array([[10, 20]], np.float32) + 0.5) / ATLAS * 2 - 1
    np.testing.assert_allclose(sample_atlas(atlas, centre), atlas[20, 10][None], atol=1e-5)


def test_small_functions() -> None:
    x = np.linspace(-1, 2, 50)
    y = smoothstep(x, 0.0, 1.0)
    assert (np.diff(y) >= 0).all()
    assert (y[x <= 0] == 0).all()
    assert (y[x >= 1] == 1).all()
    noise = smooth_noise(np.random.default_rng(0), 12)
    assert noise.shape == (ATLAS, ATLAS)
    assert abs(noise.mean()) < 0.3
    assert np.abs(np.diff(noise)).max() < 0.3  # smooth
    assert np.abs(noise[:, 0] - noise[:, -1]).max() < 0.3  # and no seam at the back of the head


def test_hair_meets_itself_at_the_back_of_the_head(model: MorphableModel) -> None:
    for seed in range(6):
        height = random_hair(model, np.array([0.2, 0.1, 0.1]), np.random.default_rng(seed)).height
        across = np.abs(height[:, 0] - height[:, -1])
        beside = np.maximum(np.abs(height[:, 1] - height[:, 0]), np.abs(height[:, -1] - height[:, -2]))
        assert across.max() < 2 * beside.max() + 0.01
