"""Glasses found in photos: their shape where it is known, their colours, and none where none are worn."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from tests.inversion.conftest import PHOTO_PX, Portrait, look, make_portrait, rgba_of

from mien.core.camera import Camera
from mien.inversion.evidence import gather_evidence
from mien.inversion.glasses.colours import coloured
from mien.inversion.glasses.find import find_glasses, fitted_glasses, look_for_glasses
from mien.inversion.glasses.profile import profiles_of, rim_colours, rim_thickness
from mien.inversion.glasses.shape import Strip, _Energy, fit_frame
from mien.morphable.eyecrop import eye_crop, seen_points
from mien.morphable.glasses import MM, PARTS, Frame, eye_middles, front_z, glasses_geometry, superellipse
from mien.morphable.glassesnet import load_glasses_net
from mien.morphable.landmarks import landmark_model
from mien.morphable.model import MorphableModel
from mien.training.glasses.looks import draw_worn
from mien.training.procedural.glasses import glasses_mesh, glasses_of
from mien.training.procedural.render.scene import pose

SIZE = (400, 400)


@pytest.fixture(scope="module")
def bare(model: MorphableModel) -> Portrait:
    return make_portrait(model)


@pytest.fixture(scope="module")
def worn(model: MorphableModel, bare: Portrait) -> Portrait:
    """The same man with black plastic glasses."""
    sitter = bare.scene.sitter
    style = replace(
        glasses_of("rectangular", np.random.default_rng(0)), colour=(0.01, 0.01, 0.012), thickness=4 * MM,
        metal=False, lens_alpha=0.03, tint=(0.97, 0.98, 0.98),
    )  # fmt: skip
    mesh = glasses_mesh(model, sitter.neutral, style)
    scene = pose(replace(sitter, glasses=mesh), bare.scene.expression)
    rgba = rgba_of(look(scene, bare.fit.photo_camera(PHOTO_PX, PHOTO_PX), PHOTO_PX))
    rgb = rgba[..., :3] + 0.5 * (1 - rgba[..., 3:])
    return replace(
        bare, scene=scene, rgb=(rgb.clip(0, 1) * 255 + 0.5).astype(np.uint8),
        alpha=rgba[..., 3].astype(np.float32),
    )  # fmt: skip


@pytest.mark.parametrize(("seed", "yaw"), [(1, 0.25), (3, 0.0), (4, 0.3)])
def test_the_shape_of_glasses_is_found_from_what_is_seen_of_them(
    model: MorphableModel, seed: int, yaw: float
) -> None:
    random = torch.Generator().manual_seed(seed)
    vertices = model.vertices(0.8 * torch.randn(80, generator=random), torch.zeros(52))
    marks, camera = model.landmarks(vertices), Camera.orbit(yaw, 0.05)
    strip = Strip(camera, SIZE, eye_crop(seen_points(camera, marks, SIZE), landmark_model(model)))
    true = draw_worn(np.random.default_rng(seed), marks.double().numpy()).frame
    front, rim = _Energy(np.zeros(0), np.zeros(0), marks.double().numpy(), strip).drawn(true)
    found = fit_frame(front, rim, marks, strip)
    assert found is not None
    assert found.front > 0.97
    assert found.rim > 0.9
    for index in range(2):
        apart = np.linalg.norm(found.frame.rim(index)[:, None] - true.rim(index)[None], axis=2).min(1)
        assert apart.mean() < 3 * MM
        seen = [strip.pixels(f.rim(index)) for f in (found.frame, true)]
        assert np.linalg.norm(seen[0][:, None] - seen[1][None], axis=2).min(1).mean() < 1.5


def test_nothing_seen_is_no_frame(model: MorphableModel) -> None:
    marks, camera = model.landmarks(model.mean), Camera.orbit(0.0, 0.0)
    strip = Strip(camera, SIZE, eye_crop(seen_points(camera, marks, SIZE), landmark_model(model)))
    nothing = np.zeros((96, 160), np.float32)
    assert fit_frame(nothing, nothing, marks, strip) is None


def test_colours_come_from_the_photo_and_from_the_other_side_where_it_shows_none(
    model: MorphableModel,
) -> None:
    marks = model.landmarks(model.mean).double().numpy()
    middles = eye_middles(marks)
    middles[:, 2] = front_z(marks, 3 * MM)
    frame = Frame(superellipse(24 * MM, 18 * MM, 3.0), middles, 3 * MM)
    geometry = glasses_geometry(model, model.mean.double().numpy(), marks, frame)
    red = np.zeros((400, 400, 3), np.uint8)
    red[..., 0], red[:200, :, 1] = 200, 100  # the upper half of the photo is orange
    share = np.zeros((400, 400), np.float32)
    share[:, :200] = 1  # the photo shows frame on its left half only
    vertices, faces, rgba = coloured(red, geometry, share, Camera.orbit(0.0, 0.0), dark=False)
    assert int(faces.max()) < len(vertices)
    front = (vertices[:, 2] > middles[0, 2] - 0.01) & (vertices[:, 0].abs() > 0.02)
    uv = Camera.orbit(0.0, 0.0).project(vertices).uv
    right = front & (uv[:, 0] > 0.52)
    assert int(right.sum()) > 50
    for half, green in ((uv[:, 1] < 0.47, 100), (uv[:, 1] > 0.53, 0)):
        ratio = rgba[right & half, 1] / rgba[right & half, 0]
        torch.testing.assert_close(ratio, torch.full_like(ratio, green / 200), atol=0.03, rtol=0)
    assert bool((rgba[:, 3] == 1).all())
    lens = geometry.part == PARTS.index("lens")
    assert len(faces) == int((~lens).sum())


def test_no_glasses_are_seen_on_a_bare_face(model: MorphableModel, bare: Portrait) -> None:
    assert find_glasses(bare.rgb, bare.fit, model) is None


def test_glasses_are_seen_where_they_are_worn_and_lie_on_the_true_ones(
    model: MorphableModel, worn: Portrait
) -> None:
    network = load_glasses_net()
    assert network is not None
    seen = look_for_glasses(worn.rgb, worn.fit, model, network)
    fitted = fitted_glasses(seen, worn.fit, model)
    assert fitted is not None
    assert not seen.dark
    true = worn.scene.sitter.glasses
    assert true is not None
    front = true.vertices[true.vertices[:, 2] > true.vertices[:, 2].max() - 0.04]
    for index in range(2):
        apart = np.linalg.norm(fitted.frame.rim(index)[:, None] - front[None], axis=2).min(1)
        assert apart.mean() < 6 * MM


def test_what_glasses_hide_says_nothing_of_the_face(model: MorphableModel, worn: Portrait) -> None:
    glasses = find_glasses(worn.rgb, worn.fit, model)
    assert glasses is not None
    hidden = glasses.mask.numpy()
    share = (hidden > 200).mean()
    assert 0.002 < share < 0.1
    seen = gather_evidence(worn.rgb, worn.alpha, worn.fit, model, hidden)
    x0, y0, x1, y1 = seen.box_px
    inside = torch.from_numpy(hidden[y0:y1, x0:x1] == 255).flatten()
    assert float(seen.colour_weight[inside].max()) == 0
    plain = gather_evidence(worn.rgb, worn.alpha, worn.fit, model)
    assert float(plain.colour_weight[inside].max()) > 0.3
    # the eyes behind clear lenses are seen as before
    eyes = torch.from_numpy(hidden[y0:y1, x0:x1] == 0).flatten()
    assert float((seen.colour_weight - plain.colour_weight)[eyes].abs().mean()) < 0.05


def test_the_thickness_and_colour_of_thin_rims_are_measured(model: MorphableModel) -> None:
    marks = model.landmarks(model.mean).double().numpy()
    middles = eye_middles(marks)
    middles[:, 2] = front_z(marks, 2 * MM)
    frame = Frame(superellipse(24 * MM, 18 * MM, 2.5), middles, 4 * MM)
    camera, side = Camera.orbit(0.0, 0.0), 900
    skin = np.full((side, side, 3), (200, 150, 120), np.uint8)
    assert rim_thickness(profiles_of(skin, frame, camera)) is None
    for true_mm in (1.5, 3.0):
        picture = skin.copy()
        for index in range(2):
            px = camera.project(torch.from_numpy(frame.rim(index)).float()).uv.numpy() * side
            unit = np.linalg.norm(np.ptp(px, axis=0)) / np.linalg.norm(np.ptp(frame.outline, axis=0))
            thick = max(round(true_mm * MM * unit), 1)
            points = np.round(px * 16).astype(np.int32)
            cv2.polylines(picture, [points], True, (20, 60, 90), thick, cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
        profiles = profiles_of(soft, frame, camera)
        found = rim_thickness(profiles)
        assert found is not None
        assert abs(found / MM - true_mm) < 0.35 * true_mm + 0.2
        colours = rim_colours(profiles, found)
        np.testing.assert_allclose(np.median(colours, (0, 1)), np.array([20, 60, 90]) / 255, atol=0.12)
