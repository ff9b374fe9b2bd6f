"""Pose, expression, landmarks, jitter, identity and intervals on numbers worked out by hand."""

import math

import numpy as np
import pytest

from mien.animation.rotations import head_rotation
from mien.core.errors import InputError
from mien.evaluation.metrics.bootstrap import bootstrap_mean
from mien.evaluation.metrics.csim import cosine_similarity
from mien.evaluation.metrics.expression import expression_distance
from mien.evaluation.metrics.jitter import landmark_jitter
from mien.evaluation.metrics.landmarks import (
    EYE_CORNERS,
    average_keypoint_distance_px,
    interocular_px,
    normalised_mean_error,
)
from mien.evaluation.metrics.pose import average_pose_distance, geodesic_errors_deg, rotation_pose_distance


def test_apd_is_the_mean_over_frames_and_angles() -> None:
    angles = np.array([[0.1, 0.0, 0.0], [0.0, 0.2, -0.3]])
    assert average_pose_distance(angles, np.zeros((2, 3))) == pytest.approx(0.6 / 6)
    around = np.array([[math.pi - 0.1, 0, 0]])
    assert average_pose_distance(around, -around) == pytest.approx(0.2 / 3)


def test_apd_and_geodesic_angle_of_rotations() -> None:
    still = head_rotation(np.zeros((1, 3)))
    turned = head_rotation(np.radians([[10.0, 0.0, 0.0]]))
    assert rotation_pose_distance(turned, still) == pytest.approx(math.radians(10) / 3)
    np.testing.assert_allclose(geodesic_errors_deg(turned, still), 10, atol=1e-9)
    start = head_rotation(np.radians([[20.0, 30.0, -5.0]]))
    np.testing.assert_allclose(geodesic_errors_deg(turned @ start, start), 10, atol=1e-9)


def test_aed_takes_coefficients_of_any_model() -> None:
    bfm, other = np.zeros((2, 64)), np.zeros((2, 64))
    other[0, 0], other[1, 63] = 3.2, -9.6
    assert expression_distance(bfm, other) == pytest.approx(12.8 / 128)


def face() -> np.ndarray:
    points = np.zeros((478, 2))
    points[EYE_CORNERS[0]], points[EYE_CORNERS[1]] = (10, 50), (70, 130)  # 100 px apart
    return points


def test_nme_and_akd_by_hand() -> None:
    true = face()[None]
    off = true + np.array([3.0, 4.0])
    assert interocular_px(true) == pytest.approx(100)
    assert average_keypoint_distance_px(off, true) == pytest.approx(5)
    assert normalised_mean_error(off, true) == pytest.approx(0.05)
    assert normalised_mean_error(off, true, unit_px=10.0) == pytest.approx(0.5)
    one = true.copy()
    one[0, 7] += (0, 478)
    assert average_keypoint_distance_px(one, true) == pytest.approx(1)


def test_jitter_is_zero_for_a_parabola_and_known_for_an_alternation() -> None:
    time = np.arange(30)[:, None, None]
    smooth = face() + 0.3 * time**2 + 2 * time
    assert landmark_jitter(smooth) == pytest.approx(0, abs=1e-12)
    # (-1)^t in x passes the parabola of nine points with a factor of its frequency response at pi
    shares = np.array([-21, 14, 39, 54, 59, 54, 39, 14, -21]) / 231
    left = 1 - (shares * (-1.0) ** np.arange(-4, 5)).sum()
    shaking = smooth + np.stack([(-1.0) ** time[..., 0], np.zeros((30, 1))], -1)
    middle = landmark_jitter(shaking, unit_px=100.0)
    assert middle == pytest.approx(4 * left / 100, rel=0.1)  # second differences are +-4; the ends differ
    assert landmark_jitter(shaking, unit_px=50.0) == pytest.approx(2 * middle)
    with pytest.raises(InputError, match="9 frames"):
        landmark_jitter(smooth[:8])


def test_cosine_similarity() -> None:
    one = np.array([[1.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
    other = np.array([[0.0, 3.0], [1.0, 0.0], [-1.0, 0.0]])
    np.testing.assert_allclose(cosine_similarity(one, other), [0, math.sqrt(0.5), -1], atol=1e-12)
    with pytest.raises(InputError, match="zeros"):
        cosine_similarity(one, np.zeros(2))


def test_interval_of_two_values_is_by_hand() -> None:
    # samples of two of {0, 1}: means 0, 0.5, 1 with shares 1/4, 1/2, 1/4
    wide = bootstrap_mean(np.array([0.0, 1.0]), level=0.95)
    assert (wide.mean, wide.low, wide.high, wide.count) == (0.5, 0.0, 1.0, 2)
    narrow = bootstrap_mean(np.array([0.0, 1.0]), level=0.4)
    assert (narrow.low, narrow.high) == (0.5, 0.5)
    alone = bootstrap_mean(np.array([3.0, np.nan]))
    assert (alone.low, alone.mean, alone.high, alone.count) == (3, 3, 3, 1)


def test_interval_covers_and_depends_on_its_seed_only() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        found = bootstrap_mean(rng.normal(5, 2, 40), resamples=400)
        covered += found.low <= 5 <= found.high
        assert found.high - found.low == pytest.approx(2 * 1.96 * 2 / math.sqrt(40), rel=0.5)
    assert 0.88 < covered / 200 < 0.99
    values = rng.normal(size=20)
    assert bootstrap_mean(values, seed=1) == bootstrap_mean(values, seed=1)
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)
    with pytest.raises(InputError, match="0 values"):
        bootstrap_mean(np.array([np.nan]))
