from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera
from mien.morphable import chart
from mien.morphable.model import MorphableModel
from mien.morphable.raster import cast_rays, interpolate_corners
from mien.training.procedural.glasses import glasses_mesh, glasses_of
from mien.training.procedural.lighting import draw_light
from mien.training.procedural.render.scene import Scene, Sitter, pose
from mien.training.procedural.render.view import render_view
from mien.training.procedural.response import Response, draw_response, filmic, photograph, to_srgb
from mien.training.procedural.semantics import Semantic
from mien.training.procedural.strands.base import no_strands

FRONT = Camera.orbit(0.0, 0.0)


def test_geometry_is_what_rays_find(scene: Scene, model: MorphableModel) -> None:
    """The rasteriser against Embree, away from teeth and tongue, whose depth is pushed back."""
    camera, size = Camera.orbit(0.5, 0.1), 64
    view = render_view(scene, camera, size)
    rays = camera.rays(size, size)
    d = rays.directions.reshape(-1, 3).numpy()
    hits = cast_rays(scene.body.vertices, scene.body.faces, rays.origins.reshape(-1, 3).numpy(), d)
    hit = (view.body_depth > 0).ravel()
    assert (hit != hits.hit).mean() < 2e-3
    both = hit & hits.hit & (view.body_planes[..., 1].ravel() > chart.V_BODY[0])
    error = np.abs(view.body_depth.ravel() - hits.depth)[both]
    assert np.quantile(error, 0.995) < 1e-4
    planes = interpolate_corners(model.canonical_corners.numpy(), hits)
    assert np.quantile(np.abs(planes - view.body_planes.reshape(-1, 3))[both], 0.99) < 1e-3


def test_a_view_is_consistent(scene: Scene) -> None:
    view = render_view(scene, Camera.orbit(-0.4, 0.0), 64)
    seen = view.semantic != Semantic.BACKGROUND
    assert np.array_equal(seen, view.depth > 0)
    assert (view.alpha[seen] > 0).mean() > 0.99
    assert (view.rgb[view.alpha == 0] == 0).all()
    assert (view.rgb <= view.alpha[..., None] + 1e-5).all()
    assert (view.depth <= view.body_depth + 1e-4)[view.body_depth > 0].all()
    np.testing.assert_allclose(np.linalg.norm(view.normals[seen], axis=-1), 1, atol=1e-4)
    off = (
        Semantic.CLOTHES,
        Semantic.HAIR,
        Semantic.BEARD,
        Semantic.BROW,
        Semantic.LASH,
        Semantic.GLASSES,
        Semantic.LENS,
    )
    assert np.isin(view.semantic[view.off_body], off).all()
    assert view.off_body[view.semantic == Semantic.CLOTHES].any()
    assert np.abs(view.off_planes[view.off_body]).max() < 1.2
    assert (view.off_planes[~view.off_body] == 0).all()


def test_the_same_view_twice_is_the_same(scene: Scene) -> None:
    a, b = (render_view(scene, FRONT, 48) for _ in range(2))
    assert np.array_equal(a.linear, b.linear)
    assert np.array_equal(a.semantic, b.semantic)


def test_what_is_seen_is_the_same_without_light_on_what_strands_hide(scene: Scene) -> None:
    for camera in (FRONT, Camera.orbit(1.0, 0.3)):
        whole, seen = (render_view(scene, camera, 64, light_hidden=hidden) for hidden in (True, False))
        darker = seen.irradiance < whole.irradiance
        assert (darker.any(-1) & (whole.semantic == Semantic.HAIR)).sum() > 50
        assert (seen.irradiance[~darker] == whole.irradiance[~darker]).all()
        for field in fields(whole):
            if isinstance(found := getattr(whole, field.name), np.ndarray) and field.name != "irradiance":
                assert found.tobytes() == getattr(seen, field.name).tobytes()


def test_light_is_linear(scene: Scene) -> None:
    light = draw_light(np.random.default_rng(4))
    eyes = (Semantic.IRIS, Semantic.PUPIL, Semantic.SCLERA)  # a highlight there is capped
    one, two = (render_view(scene, FRONT, 48, light=light.scaled(k)) for k in (1.0, 2.0))
    eyeball = cv2.dilate(np.isin(one.semantic, eyes).astype(np.uint8), np.ones((5, 5)))
    skin = (eyeball == 0) & (one.alpha == 1)
    np.testing.assert_allclose(two.linear[skin], 2 * one.linear[skin], rtol=2e-3, atol=1e-4)
    dark = replace(light, sh=light.sh * 0, key=replace(light.key, colour=light.key.colour * 0))
    black = render_view(scene, FRONT, 48, light=dark)
    assert np.abs(black.linear[skin]).max() < 1e-6


def test_light_from_one_side_lights_that_side(scene: Scene) -> None:
    light = draw_light(np.random.default_rng(4))
    side = np.array([1, 0, 0.2], np.float32) / np.float32(np.hypot(1, 0.2))
    key = replace(light.key, direction=side, colour=np.ones(3, np.float32))
    view = render_view(scene, FRONT, 64, light=replace(light, sh=light.sh * 0.1, key=key))
    skin = view.semantic == Semantic.SKIN
    left, right = skin.copy(), skin.copy()
    left[:, 32:], right[:, :32] = False, False
    assert view.irradiance[right].mean() > 3 * view.irradiance[left].mean()


def test_an_open_jaw_shows_teeth_tongue_and_a_dark_mouth(sitter: Sitter) -> None:
    open_jaw = np.zeros(52, np.float32)
    open_jaw[ARKIT_INDEX["jawOpen"]] = 0.8
    mouth = (Semantic.TEETH, Semantic.GUMS, Semantic.TONGUE, Semantic.MOUTH)
    camera = Camera.orbit(0.0, 0.0, pivot=tuple(sitter.neutral[0] * 0 + [0, -0.08, 0.0]), focal=12.0)
    shut = render_view(pose(sitter, np.zeros(52, np.float32)), camera, 96)
    wide = render_view(pose(sitter, open_jaw), camera, 96)
    count = lambda view, kind: int((view.semantic == kind).sum())  # noqa: E731
    assert sum(count(wide, k) for k in mouth) > sum(count(shut, k) for k in mouth) + 300
    assert count(wide, Semantic.TEETH) > 40
    assert count(wide, Semantic.TONGUE) > 40
    lips = wide.linear[wide.semantic == Semantic.LIPS].mean()
    inside = np.isin(wide.semantic, (Semantic.MOUTH, Semantic.TONGUE))
    assert wide.linear[inside].mean() < 0.85 * lips


def test_lids_close_over_the_eyes(sitter: Sitter) -> None:
    blink = np.zeros(52, np.float32)
    blink[[ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]] = 1
    eyes = (Semantic.SCLERA, Semantic.IRIS, Semantic.PUPIL)
    camera = Camera.orbit(0.0, 0.0, pivot=(0.0, 0.03, 0.0), focal=12.0)
    shares = [
        np.isin(render_view(pose(sitter, e), camera, 96).semantic, eyes).mean()
        for e in (np.zeros(52, np.float32), blink)
    ]
    assert shares[0] > 0.01
    assert shares[1] < 0.25 * shares[0]


def test_clear_lenses_show_the_eyes_and_dark_ones_hide_them(sitter: Sitter) -> None:
    look = glasses_of("rectangular", np.random.default_rng(0))
    still, bare = np.zeros(52, np.float32), replace(sitter, strands=no_strands(), glasses=None)
    eyes = (Semantic.SCLERA, Semantic.IRIS, Semantic.PUPIL)
    without = render_view(pose(bare, still), FRONT, 96)
    eye = np.isin(without.semantic, eyes)
    clear, dark = (
        glasses_mesh(sitter.model, sitter.neutral, replace(look, lens_alpha=a, tint=(t, t, t)))
        for a, t in ((0.03, 0.98), (0.92, 0.25))
    )
    shown, hidden = (render_view(pose(replace(bare, glasses=g), still), FRONT, 96) for g in (clear, dark))
    assert (shown.semantic == Semantic.GLASSES).any()
    assert np.isin(shown.semantic[eye], eyes).mean() > 0.9
    assert (hidden.semantic[eye] == Semantic.LENS).mean() > 0.9
    assert hidden.off_body[eye].mean() > 0.9
    change = [np.abs(v.linear - without.linear)[eye].mean() for v in (shown, hidden)]
    assert change[0] < 0.6 * without.linear[eye].mean()
    assert change[1] > change[0]


@pytest.mark.parametrize("name", ["srgb", "filmic"])
def test_curves_rise_and_end_in_range(name: str) -> None:
    x = np.linspace(0, 4, 200)
    y = to_srgb(x) if name == "srgb" else filmic(x)
    assert (np.diff(y) >= -1e-7).all()
    assert y[0] < 0.01
    assert y.max() <= 1
    if name == "filmic":
        np.testing.assert_allclose(y[x < 0.5], to_srgb(x[x < 0.5]), atol=1e-6)
        assert y[-1] > y[100]


def test_responses() -> None:
    rng = np.random.default_rng(0)
    grey = np.full((32, 32, 3), 0.18, np.float32)
    assert photograph(grey, Response(exposure=2.0)).mean() > photograph(grey).mean()
    warm = photograph(grey, Response(temperature=0.5))
    assert warm[0, 0, 0] > warm[0, 0, 2]
    noisy = photograph(grey, Response(noise=0.03), rng)
    assert 0.005 < noisy.std() < 0.08
    with pytest.raises(ValueError, match="random generator"):
        photograph(grey, Response(noise=0.03))
    assert {draw_response(rng).curve for _ in range(20)} == {"srgb", "filmic"}
