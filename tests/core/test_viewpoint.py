"""Three angles and a camera's rotation."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mien.core.camera import Camera
from mien.core.viewpoint import ViewAngles

turns = st.floats(-3.1, 3.1)
pitches = st.floats(-1.5, 1.5)


@given(turns, pitches, turns)
def test_rotation_and_angles_are_inverse(yaw: float, pitch: float, roll: float) -> None:
    R = ViewAngles(yaw, pitch, roll).rotation()
    found = ViewAngles.of(R)
    assert (found.yaw_rad, found.pitch_rad, found.roll_rad) == pytest.approx((yaw, pitch, roll), abs=1e-6)
    torch.testing.assert_close(R @ R.T, torch.eye(3, dtype=R.dtype))
    assert float(torch.det(R)) == pytest.approx(1)


@given(turns, pitches)
def test_without_roll_it_is_the_orbit(yaw: float, pitch: float) -> None:
    orbit = Camera.orbit(yaw, pitch, dtype=torch.float64)
    torch.testing.assert_close(ViewAngles(yaw, pitch, 0.0).rotation(), orbit.R_world_camera)


def test_positive_roll_shows_the_head_tilted_counter_clockwise() -> None:
    R = ViewAngles(0.2, 0.1, 0.3).rotation()
    up_in_picture = R.T @ torch.tensor([0.0, 1.0, 0.0], dtype=R.dtype)  # y down
    assert up_in_picture[1] < 0
    assert up_in_picture[0] < -0.2


@given(turns, pitches, turns)
def test_a_mirrored_camera_has_opposite_yaw_and_roll(yaw: float, pitch: float, roll: float) -> None:
    T = torch.eye(4, dtype=torch.float64)
    T[:3, :3] = ViewAngles(yaw, pitch, roll).rotation()
    camera = Camera(T, torch.eye(3, dtype=T.dtype)).mirrored()
    found = ViewAngles.of(camera.R_world_camera)
    assert (found.yaw_rad, found.pitch_rad, found.roll_rad) == pytest.approx((-yaw, pitch, -roll), abs=1e-6)


def test_angles_at_the_poles_are_finite() -> None:
    for pitch in (math.pi / 2, -math.pi / 2):
        found = ViewAngles.of(ViewAngles(0.3, pitch, 0.0).rotation())
        assert found.pitch_rad == pytest.approx(pitch, abs=1e-6)
