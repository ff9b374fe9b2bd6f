"""Smoothing: constants, lag, noise, blinks, rotations."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.animation.motion import Motion, MotionSource
from mien.animation.rotations import rotation_angle, rotation_exp, rotation_log
from mien.animation.smoothing import (
    Smoothing,
    StreamingSmoother,
    blurred_in_time,
    low_pass_share,
    smooth_motion,
)
from mien.core.arkit import ARKIT_INDEX
from mien.core.errors import InputError

FPS = 30
COUNT = 120
BLINK, JAW = ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["jawOpen"]


def make_motion(
    coefficients: np.ndarray | None = None,
    vectors_rad: np.ndarray | None = None,
    place: np.ndarray | None = None,
    time_s: np.ndarray | None = None,
) -> Motion:
    coefficients = np.zeros((COUNT, 52)) if coefficients is None else coefficients
    vectors_rad = np.zeros((COUNT, 3)) if vectors_rad is None else vectors_rad
    place = np.tile([0.1, 0.2, -1.0], (COUNT, 1)) if place is None else place
    return Motion(
        time_s=np.arange(COUNT) / FPS if time_s is None else time_s,
        coefficients=coefficients.astype(np.float32),
        R_camera_head=rotation_exp(vectors_rad).astype(np.float32),
        translation_head=place.astype(np.float32),
        found=np.ones(COUNT, bool),
        fps=Fraction(FPS),
        source=MotionSource("test", ""),
    )


def stream(motion: Motion, smoothing: Smoothing | None = None) -> Motion:
    smoother = StreamingSmoother(smoothing)
    return Motion.from_frames([smoother(frame) for frame in motion], motion.fps, motion.source)


BOTH = pytest.mark.parametrize("smooth", [smooth_motion, stream])


def jitter(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.diff(values, 3, axis=0) ** 2)))


def lag_frames(signal: np.ndarray, smoothed: np.ndarray) -> int:
    shifts = range(-4, 5)
    scores = [np.corrcoef(signal[5:-5], smoothed[5 + s : len(smoothed) - 5 + s])[0, 1] for s in shifts]
    return shifts[int(np.argmax(scores))]


@BOTH
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), strength=st.floats(0.1, 20))
def test_constant_stays_exactly(smooth: Callable[..., Motion], seed: int, strength: float) -> None:
    rng = np.random.default_rng(seed)
    one = rng.uniform(0, 1, 52), rng.normal(0, 1, 3), rng.normal(0, 1, 3)
    motion = make_motion(*(np.tile(values, (COUNT, 1)) for values in one))
    result = smooth(motion, Smoothing(strength=strength))
    for name in ("coefficients", "R_camera_head", "translation_head"):
        np.testing.assert_array_equal(getattr(result, name), getattr(motion, name))


@BOTH
def test_strength_zero_is_off(smooth: Callable[..., Motion]) -> None:
    rng = np.random.default_rng(0)
    motion = make_motion(rng.uniform(0, 1, (COUNT, 52)), rng.normal(0, 0.3, (COUNT, 3)))
    result = smooth(motion, Smoothing(strength=0.0))
    np.testing.assert_array_equal(result.coefficients, motion.coefficients)
    np.testing.assert_array_equal(result.R_camera_head, motion.R_camera_head)


@BOTH
def test_noise_is_reduced_and_rotations_stay_rotations(smooth: Callable[..., Motion]) -> None:
    rng = np.random.default_rng(0)
    motion = make_motion(
        0.5 + rng.normal(0, 0.01, (COUNT, 52)),
        rng.normal(0, np.radians(0.3), (COUNT, 3)),
        rng.normal([0, 0, -1], 0.001, (COUNT, 3)),
    )
    result = smooth(motion)
    assert jitter(result.coefficients) < 0.5 * jitter(motion.coefficients)
    assert jitter(result.translation_head) < 0.2 * jitter(motion.translation_head)
    assert jitter(rotation_log(result.R_camera_head)) < 0.3 * jitter(rotation_log(motion.R_camera_head))
    R = result.R_camera_head.astype(np.float64)
    np.testing.assert_allclose(R @ np.swapaxes(R, -1, -2), np.tile(np.eye(3), (COUNT, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(R), 1, atol=1e-6)


def test_stronger_is_calmer() -> None:
    rng = np.random.default_rng(0)
    motion = make_motion(0.5 + rng.normal(0, 0.02, (COUNT, 52)))
    calm = [jitter(smooth_motion(motion, Smoothing(strength=s)).coefficients) for s in (0.0, 0.5, 1.0, 4.0)]
    assert calm == sorted(calm, reverse=True)


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_blink_keeps_its_peak(frames: int) -> None:
    """A lid that closes within `frames` frames keeps 90 % of its depth, at the same frame, under noise."""
    rng = np.random.default_rng(0)
    shape = 0.7 * np.maximum(0, 1 - np.abs(np.arange(COUNT) - 60) / (frames + 1))
    coefficients = np.zeros((COUNT, 52))
    coefficients[:, BLINK] = np.clip(0.1 + shape + rng.normal(0, 0.005, COUNT), 0, 1)
    result = smooth_motion(make_motion(coefficients)).coefficients[:, BLINK]
    assert result.argmax() == 60
    assert result[60] - 0.1 > 0.9 * 0.7


def test_files_have_no_lag() -> None:
    time_s = np.arange(COUNT) / FPS
    coefficients = np.zeros((COUNT, 52))
    coefficients[:, JAW] = 0.3 + 0.25 * np.sin(2 * np.pi * 2.0 * time_s)
    vectors = np.stack([0 * time_s, 0.3 * np.sin(2 * np.pi * 0.7 * time_s), 0 * time_s], -1)
    motion = make_motion(coefficients, vectors)
    result = smooth_motion(motion)
    assert lag_frames(motion.coefficients[:, JAW], result.coefficients[:, JAW]) == 0
    yaw = rotation_log(motion.R_camera_head)[:, 1], rotation_log(result.R_camera_head)[:, 1]
    assert lag_frames(*yaw) == 0
    assert np.abs(yaw[0] - yaw[1]).mean() < np.radians(1.0)
    assert lag_frames(motion.coefficients[:, JAW], stream(motion).coefficients[:, JAW]) <= 1


def test_time_reversal_gives_the_reversed_result() -> None:
    """The offline filter prefers no direction of time (up to the order of its two passes)."""
    rng = np.random.default_rng(3)
    walk = np.clip(0.5 + np.cumsum(rng.normal(0, 0.02, (COUNT, 52)), 0), 0, 1)
    forwards = smooth_motion(make_motion(walk)).coefficients
    backwards = smooth_motion(make_motion(walk[::-1])).coefficients[::-1]
    np.testing.assert_allclose(forwards, backwards, atol=0.02)


def test_uneven_times() -> None:
    rng = np.random.default_rng(0)
    time_s = np.cumsum(rng.uniform(0.001, 0.2, COUNT))
    motion = make_motion(rng.uniform(0, 1, (COUNT, 52)), rng.normal(0, 1, (COUNT, 3)), time_s=time_s)
    for result in (smooth_motion(motion), stream(motion)):
        assert np.isfinite(result.coefficients).all()
        assert result.coefficients.min() >= 0
        assert result.coefficients.max() <= 1


def test_large_turns_take_the_short_way() -> None:
    angles = np.linspace(0, 3 * np.pi, COUNT)
    motion = make_motion(vectors_rad=np.stack([0 * angles, angles, 0 * angles], -1))
    result = smooth_motion(motion)
    error = rotation_angle(np.swapaxes(motion.R_camera_head, -1, -2) @ result.R_camera_head)
    assert error.max() < np.radians(10)


def test_live_frames_out_of_order_repeat_the_last_result() -> None:
    smoother = StreamingSmoother()
    motion = make_motion(np.random.default_rng(0).uniform(0, 1, (COUNT, 52)))
    smoother(motion[0])
    last = smoother(motion[5])
    assert smoother(motion[3]) is last
    smoother.reset()
    np.testing.assert_array_equal(smoother(motion[3]).coefficients, motion[3].coefficients)


def test_short_motions_pass() -> None:
    motion = make_motion()
    short = replace(
        motion,
        **{
            n: getattr(motion, n)[:2]
            for n in ("time_s", "coefficients", "R_camera_head", "translation_head", "found")
        },
    )
    assert smooth_motion(short) is short


@pytest.mark.parametrize("strength", [-1.0, float("nan")])
def test_bad_strength_is_named(strength: float) -> None:
    with pytest.raises(InputError, match="strength"):
        Smoothing(strength=strength)


def test_low_pass_share_matches_the_paper() -> None:
    cutoff_hz, step_s = np.array([0.5, 3.0]), 1 / 30
    tau = 1 / (2 * np.pi * cutoff_hz)
    np.testing.assert_allclose(low_pass_share(cutoff_hz, step_s), 1 / (1 + tau / step_s))


def test_a_blur_in_time_has_no_lag_and_minds_the_times() -> None:
    time_s = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.06, COUNT))
    ramp = 3 * time_s[:, None] + np.array([[1.0, -2.0]])
    inner = slice(12, -12)
    np.testing.assert_allclose(blurred_in_time(ramp, time_s, 0.05)[inner], ramp[inner], atol=0.03)
    noise = np.random.default_rng(1).normal(0, 1, (COUNT, 2))
    assert blurred_in_time(noise, time_s, 0.1).std() < 0.6 * noise.std()
    np.testing.assert_allclose(blurred_in_time(noise, time_s * 100, 0.05), noise, atol=1e-12)
    constant = np.full((COUNT, 2), 0.1)
    assert np.array_equal(blurred_in_time(constant, time_s, 0.1), constant)
    assert np.array_equal(blurred_in_time(noise[:1], time_s[:1], 0.1), noise[:1])
