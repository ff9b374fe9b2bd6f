"""Rotations: round trips and bounds."""

import numpy as np
import pytest

from mien.animation.rotations import (
    head_angles,
    head_rotation,
    interpolate_rotations,
    nearest_rotation,
    rotation_angle,
    rotation_exp,
    rotation_log,
)

RNG = np.random.default_rng(1)


def test_log_inverts_exp() -> None:
    vectors = RNG.uniform(-1.7, 1.7, (50, 3))
    np.testing.assert_allclose(rotation_log(rotation_exp(vectors)), vectors, atol=1e-10)
    np.testing.assert_allclose(rotation_angle(rotation_exp(vectors)), np.linalg.norm(vectors, axis=-1))


def test_exp_is_finite_at_zero() -> None:
    np.testing.assert_array_equal(rotation_exp(np.zeros((2, 3))), np.tile(np.eye(3), (2, 1, 1)))
    np.testing.assert_array_equal(rotation_log(np.eye(3)), np.zeros(3))


def test_head_angles_invert_and_have_their_signs() -> None:
    angles = RNG.uniform(-1, 1, (4, 5, 3))
    np.testing.assert_allclose(head_angles(head_rotation(angles)), angles, atol=1e-10)
    looking = head_rotation(np.array([[0.3, 0.0, 0.0], [0.0, 0.3, 0.0]])) @ [0.0, 0.0, 1.0]
    assert looking[0, 0] > 0.2, "yaw > 0 looks to the image's right"
    assert looking[1, 1] > 0.2, "pitch > 0 looks up"
    assert (head_rotation(np.array([0.0, 0.0, 0.3])) @ [0.0, 1.0, 0.0])[0] < -0.2, (
        "roll > 0 counter-clockwise"
    )


def test_nearest_rotation() -> None:
    R = rotation_exp(RNG.normal(0, 1, (20, 3)))
    np.testing.assert_allclose(nearest_rotation(1.7 * R), R, atol=1e-12)
    found = nearest_rotation(RNG.normal(size=(20, 3, 3)))
    np.testing.assert_allclose(np.linalg.det(found), 1)
    np.testing.assert_allclose(found @ np.swapaxes(found, -1, -2), np.tile(np.eye(3), (20, 1, 1)), atol=1e-12)


def test_interpolation_goes_through_the_samples_and_half_way() -> None:
    R = rotation_exp(RNG.normal(0, 0.7, (4, 3)))
    time_s = np.array([0.0, 1.0, 1.5, 4.0])
    np.testing.assert_allclose(interpolate_rotations(R, time_s, time_s), R, atol=1e-12)
    middle = interpolate_rotations(R, time_s, np.array([0.5]))[0]
    assert rotation_angle(R[0].T @ middle) == pytest.approx(rotation_angle(R[0].T @ R[1]) / 2)
    held = interpolate_rotations(R, time_s, np.array([-1.0, 9.0]))
    np.testing.assert_allclose(held, R[[0, -1]], atol=1e-12)
    np.testing.assert_allclose(interpolate_rotations(R[:1], time_s[:1], time_s), np.tile(R[:1], (4, 1, 1)))
