"""The response of an avatar's pose: fitting a known one and inverting it."""

import numpy as np
import pytest

from mien.animation.pose_response import PoseResponse, fit_pose_response
from mien.animation.rotations import rotation_angle, rotation_exp, rotation_log
from mien.core.errors import InputError

R_SOURCE = rotation_exp(np.array([0.1, -0.4, 0.05]))
COUNT = 30


def known(leak_rad: float = 0.05) -> PoseResponse:
    leak = np.zeros((52, 3))
    leak[24], leak[40] = [leak_rad, 0.01, 0], [-0.02, 0, leak_rad]
    return PoseResponse(np.array([0.8, 0.85, 1.0]), leak)


def motion(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Turns [T, 3] that start at rest, and expressions [T, 52]."""
    turn = rng.uniform(-0.2, 0.2, (COUNT, 3))
    turn[0] = 0
    return turn, rng.uniform(0, 1, (COUNT, 52))


def test_known_gains_and_leaks_are_recovered() -> None:
    rng = np.random.default_rng(0)
    turn = rng.uniform(-0.25, 0.25, (400, 3))
    expression = rng.uniform(0, 1, (400, 52)) * (rng.uniform(size=(400, 52)) < 0.5)
    truth = known()
    measured = truth.predict(turn, expression) + 0.03 + rng.normal(0, 0.002, (400, 3))
    fitted = fit_pose_response(turn, expression, measured)
    np.testing.assert_allclose(fitted.gain, truth.gain, atol=0.02)
    shown = (fitted.leak_rad * truth.leak_rad).sum() / (truth.leak_rad**2).sum()
    assert 0.3 < shown <= 1.0  # drawn towards none


def test_applying_the_response_makes_the_wanted_turn_be_seen() -> None:
    turn, expression = motion(np.random.default_rng(0))
    response = known(leak_rad=0.02)
    sent = response.apply(rotation_exp(turn) @ R_SOURCE, expression, R_SOURCE)
    seen = response.predict(rotation_log(sent @ R_SOURCE.T), expression)
    np.testing.assert_allclose(seen - seen[0], turn, atol=5e-3)
    np.testing.assert_allclose(sent[0], R_SOURCE, atol=1e-6)


def test_identity_changes_nothing_and_equal_frames_stay_equal() -> None:
    turn, expression = motion(np.random.default_rng(0))
    R = rotation_exp(turn) @ R_SOURCE
    np.testing.assert_allclose(PoseResponse.identity().apply(R, expression, R_SOURCE), R, atol=1e-6)
    turn[5:], expression[5:] = turn[5], expression[5]
    sent = known().apply(rotation_exp(turn) @ R_SOURCE, expression, R_SOURCE)
    np.testing.assert_array_equal(sent[5:], np.broadcast_to(sent[5], sent[5:].shape))


def test_a_leak_never_turns_the_head_far() -> None:
    expression = np.zeros((2, 52))
    expression[1] = 1
    sent = known(leak_rad=3.0).apply(np.tile(R_SOURCE, (2, 1, 1)), expression, R_SOURCE)
    assert rotation_angle(sent[1] @ R_SOURCE.T) < np.radians(6.0) / 0.8 + 1e-6


def test_arrays_go_both_ways_and_wrong_ones_are_named() -> None:
    rows = known().to_array()
    np.testing.assert_array_equal(PoseResponse.from_array(rows).to_array(), rows)
    with pytest.raises(InputError, match="measure it again"):
        PoseResponse.from_array(rows[:5])
