"""What an alignment says of crop, camera and head."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mien.core.camera import FFHQ_FOCAL, Camera
from mien.core.viewpoint import ViewAngles
from mien.morphable.eg3d.alignment import FACE_ORIGIN_WORLD, Eg3dAlignment, place
from mien.morphable.model import MorphableModel
from mien.tracking.faces import find_faces


def test_photo_and_crop_pixels_are_inverse(alignment: Eg3dAlignment) -> None:
    px = np.array([[0.0, 0.0], [300.5, 120.25], [-40.0, 700.0]])
    in_crop = alignment.crop_from_photo(px)
    np.testing.assert_allclose(alignment.photo_from_crop(in_crop), px, atol=1e-9)
    A = alignment.A_crop_photo
    np.testing.assert_allclose(px @ A[:, :2].T + A[:, 2], in_crop, atol=1e-9)


def test_the_camera_is_one_of_eg3ds(alignment: Eg3dAlignment) -> None:
    camera = Camera.from_label(alignment.camera.to_label())
    torch.testing.assert_close(camera.to_label(), alignment.camera.to_label())
    assert float(camera.position.norm()) == pytest.approx(2.7, abs=1e-5)
    assert float(camera.intrinsics[0, 0]) == pytest.approx(FFHQ_FOCAL)
    axis = camera.R_world_camera[:, 2]
    assert float(torch.linalg.cross(camera.position, axis).norm()) < 0.05  # the axis passes near the origin
    assert ViewAngles.of(camera.R_world_camera).yaw_rad == pytest.approx(alignment.angles.yaw_rad, abs=1e-5)


def test_the_head_in_the_world_lies_on_the_photo(
    alignment: Eg3dAlignment, astronaut: np.ndarray, model: MorphableModel
) -> None:
    points = model.landmarks(alignment.fit.vertices(model))
    seen = alignment.camera.project(alignment.to_world(points)).uv
    torch.testing.assert_close(seen, alignment.head_camera.project(points).uv, atol=1e-4, rtol=0)
    points_px = alignment.photo_from_crop(seen.numpy() * 512)
    detected = find_faces(astronaut)[0].landmarks_px
    assert np.linalg.norm(points_px - detected, axis=1).mean() * 512 / alignment.crop.side_px < 6


@given(st.floats(-1, 1), st.floats(-0.6, 0.6), st.floats(-0.6, 0.6))
def test_a_correction_gives_these_angles_and_leaves_the_face_in_place(
    alignment: Eg3dAlignment, yaw: float, pitch: float, roll: float
) -> None:
    changed = alignment.corrected(yaw_rad=yaw, pitch_rad=pitch, roll_rad=roll)
    found = ViewAngles.of(changed.camera.R_world_camera)
    assert (found.yaw_rad, found.pitch_rad, found.roll_rad) == pytest.approx((yaw, pitch, roll), abs=1e-5)
    assert float(changed.camera.position.norm()) == pytest.approx(2.7, abs=1e-5)
    before = alignment.camera.project(alignment.face_world)
    after = changed.camera.project(changed.face_world)
    torch.testing.assert_close(after.uv, before.uv, atol=1e-4, rtol=0)
    assert changed.crop == alignment.crop


def test_what_is_not_corrected_stays(alignment: Eg3dAlignment) -> None:
    changed = alignment.corrected(pitch_rad=0.2)
    assert changed.angles == ViewAngles(alignment.angles.yaw_rad, 0.2, alignment.angles.roll_rad)
    same = alignment.corrected()
    torch.testing.assert_close(same.camera.to_label(), alignment.camera.to_label(), atol=1e-5, rtol=0)
    back = changed.corrected(pitch_rad=alignment.angles.pitch_rad)
    torch.testing.assert_close(back.camera.to_label(), alignment.camera.to_label(), atol=1e-5, rtol=0)
    assert back.world_scale == pytest.approx(alignment.world_scale, rel=1e-5)


@given(st.floats(-1.2, 1.2), st.floats(-0.6, 0.6))
def test_placing_follows_the_official_recipe(alignment: Eg3dAlignment, yaw: float, pitch: float) -> None:
    """A face 10 standard units before the camera, in the middle: 0.27 C + offset, scaled to 2.7."""
    angles = ViewAngles(yaw, pitch, 0.0)
    face_camera = torch.tensor([0.0, 0.0, 2.7], dtype=torch.float64)
    placed = place(angles, face_camera, torch.zeros(3, dtype=torch.float64), image=alignment.image,
                   crop=alignment.crop, fit=alignment.fit)  # fmt: skip
    backward = np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    C = 0.27 * 10 * backward + np.array(FACE_ORIGIN_WORLD)
    np.testing.assert_allclose(placed.camera.position.numpy(), C * 2.7 / np.linalg.norm(C), atol=1e-5)
    torch.testing.assert_close(placed.camera.R_world_camera, angles.rotation().float())
