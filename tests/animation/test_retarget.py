"""Retargeting: modes, limits, and a still driver."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from mien.animation.motion import Motion, MotionSource
from mien.animation.neutral import neutral_coefficients
from mien.animation.openings import BLINKS, CLOSED, own_lids
from mien.animation.retarget import (
    DrivenMotion,
    Mode,
    Retargeting,
    head_offset,
    retarget,
    soft_limit,
)
from mien.animation.rotations import head_angles, head_rotation, rotation_angle, rotation_exp
from mien.animation.smoothing import smooth_motion

COUNT = 40
RNG = np.random.default_rng(0)
R_SOURCE = head_rotation(np.radians([12.0, -5.0, 3.0]))
EXPRESSION = RNG.uniform(0, 0.4, 52)


def make_motion(coefficients: np.ndarray, R: np.ndarray, place: np.ndarray) -> Motion:
    return Motion(
        time_s=np.arange(len(R)) / 25,
        coefficients=coefficients.astype(np.float32),
        R_camera_head=R.astype(np.float32),
        translation_head=place.astype(np.float32),
        found=np.ones(len(R), bool),
        fps=Fraction(25),
        source=MotionSource("test", ""),
    )


@pytest.fixture
def motion() -> Motion:
    rng = np.random.default_rng(0)
    R = head_rotation(np.radians([-8, 4, 2]) + rng.normal(0, 0.08, (COUNT, 3)))
    return make_motion(rng.uniform(0, 1, (COUNT, 52)), R, rng.normal([0.05, -0.1, -1], 0.01, (COUNT, 3)))


def driven(motion: Motion, **options: object) -> DrivenMotion:
    return retarget(
        motion,
        R_camera_head_source=R_SOURCE,
        expression_source=EXPRESSION,
        options=Retargeting(**options),  # type: ignore[arg-type]
    )


def test_relative_pose_starts_at_the_source_and_turns_as_the_driver(motion: Motion) -> None:
    result = driven(motion)
    np.testing.assert_array_equal(result.R_camera_head[0], R_SOURCE.astype(np.float32))
    turn_driver = motion.R_camera_head @ motion.R_camera_head[0].T
    turn = result.R_camera_head @ result.R_camera_head[0].T
    np.testing.assert_allclose(turn, turn_driver, atol=1e-5)
    np.testing.assert_array_equal(result.translation_offset[0], 0)


def test_absolute_modes_are_the_driver(motion: Motion) -> None:
    result = driven(motion, pose_mode="absolute", expression_mode="absolute", own_lids=False)
    np.testing.assert_allclose(result.R_camera_head, motion.R_camera_head, atol=1e-6)
    np.testing.assert_array_equal(result.expression, motion.coefficients)


def test_relative_expression_adds_the_change(motion: Motion) -> None:
    result = driven(motion, expression_mode="relative", neutral="first")
    change = motion.coefficients - motion.coefficients[0]
    np.testing.assert_allclose(result.expression, np.clip(EXPRESSION + change, 0, 1), atol=1e-6)
    np.testing.assert_allclose(result.expression[0], EXPRESSION, atol=1e-6)


def test_neutral_is_robust_to_outliers(motion: Motion) -> None:
    calm = np.full_like(motion.coefficients, 0.3)
    calm[5] = 0.0  # one frame tracked badly
    calm[10:30] = 0.9
    assert neutral_coefficients(replace(motion, coefficients=calm), "clip") == pytest.approx(0.3)


def test_switches_keep_the_source(motion: Motion) -> None:
    still = driven(motion, use_pose=False, use_expression=False)
    np.testing.assert_array_equal(still.R_camera_head, np.tile(R_SOURCE.astype(np.float32), (COUNT, 1, 1)))
    np.testing.assert_array_equal(still.translation_offset, 0)
    np.testing.assert_array_equal(still.expression, np.tile(EXPRESSION.astype(np.float32), (COUNT, 1)))


def test_strengths_scale(motion: Motion) -> None:
    half = driven(motion, pose_strength=0.5, expression_strength=0.5)
    whole = driven(motion)
    angle = rotation_angle(half.R_camera_head @ half.R_camera_head[0].T)
    np.testing.assert_allclose(
        angle, 0.5 * rotation_angle(whole.R_camera_head @ whole.R_camera_head[0].T), atol=1e-3
    )
    np.testing.assert_allclose(half.expression, 0.5 * whole.expression, atol=1e-6)


@pytest.mark.parametrize("expression_mode", ["absolute", "relative"])
@pytest.mark.parametrize("pose_mode", ["absolute", "relative"])
def test_still_driver_gives_exactly_one_frame(motion: Motion, expression_mode: Mode, pose_mode: Mode) -> None:
    still = make_motion(
        np.tile(motion.coefficients[:1], (COUNT, 1)),
        np.tile(motion.R_camera_head[:1], (COUNT, 1, 1)),
        np.tile(motion.translation_head[:1], (COUNT, 1)),
    )
    result = driven(smooth_motion(still), expression_mode=expression_mode, pose_mode=pose_mode)
    for values in (result.expression, result.R_camera_head, result.translation_offset):
        np.testing.assert_array_equal(values, np.broadcast_to(values[:1], values.shape))


def test_limits_hold_and_do_nothing_in_the_middle() -> None:
    angles = np.radians([[170, 0, 0], [0, 80, 0], [0, 0, 80], [-100, -70, -60], [20, 10, -10]])
    place = np.tile([0.0, 0.0, -1.0], (5, 1))
    place[1] = [5.0, -5.0, -0.2]
    wild = make_motion(np.zeros((5, 52)), head_rotation(angles), place)
    result = driven(wild, pose_mode="absolute")
    found = np.degrees(np.abs(head_angles(result.R_camera_head)))
    assert (found <= [60.01, 35.01, 40.01]).all()
    np.testing.assert_allclose(result.R_camera_head[4], wild.R_camera_head[4], atol=1e-6)
    assert (np.abs(result.translation_offset) <= [0.35, 0.35, 0.35 * 2.7]).all()


def test_turned_source_is_kept_beyond_the_limits() -> None:
    R_source = head_rotation(np.radians([72.0, 0.0, 0.0]))
    still = make_motion(np.zeros((3, 52)), np.tile(np.eye(3), (3, 1, 1)), np.tile([0.0, 0.0, -1.0], (3, 1)))
    result = retarget(still, R_camera_head_source=R_source, expression_source=np.zeros(52))
    np.testing.assert_allclose(result.R_camera_head, np.tile(R_source, (3, 1, 1)), atol=1e-6)


def test_soft_limit_is_smooth_odd_and_rising() -> None:
    x = np.linspace(-3, 3, 6001)
    y = soft_limit(x, 1.0, 0.7)
    np.testing.assert_array_equal(y[np.abs(x) <= 0.7], x[np.abs(x) <= 0.7])
    np.testing.assert_allclose(y, -y[::-1], atol=1e-12)
    slope = np.diff(y) / np.diff(x)
    assert slope.min() >= 0
    assert np.abs(np.diff(slope)).max() < 0.01
    assert np.abs(y).max() <= 1.0


def test_offset_keeps_place_and_size_in_the_picture() -> None:
    """Seen by its own camera, the source moves against its head size, and scales, as the driver does."""
    place = RNG.normal([0.1, -0.2, -1.0], 0.1, (20, 3))
    distance = 2.7
    source = head_offset(place, distance) - np.array([0.0, 0.0, distance])
    size_driver, size_source = 1 / -place[:, 2], 1 / -source[:, 2]
    np.testing.assert_allclose(size_source / size_source[0], size_driver / size_driver[0])
    shift_driver = (place[:, :2] / -place[:, 2:] - place[0, :2] / -place[0, 2]) / size_driver[0]
    shift_source = (source[:, :2] / -source[:, 2:]) / size_source[0]
    np.testing.assert_allclose(shift_source, shift_driver, atol=1e-12)


def test_results_are_rotations(motion: Motion) -> None:
    wild = replace(motion, R_camera_head=rotation_exp(RNG.normal(0, 2, (COUNT, 3))).astype(np.float32))
    R = driven(wild).R_camera_head.astype(np.float64)
    np.testing.assert_allclose(R @ np.swapaxes(R, -1, -2), np.tile(np.eye(3), (COUNT, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(R), 1, atol=1e-6)


def blinking(level: float, *, count: int = COUNT, closed: slice = slice(0, 0)) -> Motion:
    """A driver whose open eyes give `level` and whose eyes are closed in some frames."""
    coefficients = np.zeros((count, 52))
    coefficients[:, BLINKS] = level
    coefficients[closed, BLINKS[0] : BLINKS[0] + 1] = coefficients[closed, BLINKS[1] : BLINKS[1] + 1] = 0.6
    return make_motion(coefficients, np.tile(np.eye(3), (count, 1, 1)), np.tile([0.0, 0, -1], (count, 1)))


@pytest.mark.parametrize("level", [0.0, 0.08, 0.19])
@pytest.mark.parametrize("closed", [slice(0, 0), slice(0, 4), slice(17, 21)])
def test_open_eyes_are_the_sources_own_and_closed_eyes_are_closed(level: float, closed: slice) -> None:
    source = EXPRESSION.copy()
    source[list(BLINKS)] = 0.05, 0.1
    motion = blinking(level, closed=closed)
    result = retarget(motion, R_camera_head_source=R_SOURCE, expression_source=source).expression
    is_open = motion.coefficients[:, BLINKS[0]] < 0.5
    np.testing.assert_allclose(result[is_open][:, BLINKS], [[0.05, 0.1]] * int(is_open.sum()), atol=1e-6)
    np.testing.assert_allclose(result[~is_open][:, BLINKS], 0.6, atol=1e-6)


@pytest.mark.parametrize("count", [1, 5])
def test_who_sleeps_all_the_time_is_shown_asleep(count: int) -> None:
    result = driven(blinking(0.6, count=count))
    np.testing.assert_allclose(result.expression[:, BLINKS], 0.6, atol=1e-6)


@pytest.mark.parametrize("awake", [0.0, 0.1, 0.2])
@pytest.mark.parametrize("source", [0.0, 0.1, 0.9])
def test_lids_rise_with_the_drivers(awake: float, source: float) -> None:
    rows = np.tile(np.linspace(0, 1, 101)[:, None], (1, 52))
    carried = own_lids(rows, np.full(2, awake), np.full(2, source))
    lids = carried[:, BLINKS]
    assert (np.diff(lids, axis=0) >= 0).all()
    assert lids.min() >= 0
    np.testing.assert_allclose(lids[rows[:, 0] >= CLOSED], rows[rows[:, 0] >= CLOSED][:, BLINKS], atol=1e-12)
    others = np.setdiff1d(np.arange(52), BLINKS)
    np.testing.assert_array_equal(carried[:, others], rows[:, others])
