"""False poses of single frames, and lost faces."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from mien.animation.filling import BRIDGED_S, EASE_S, fill_gaps
from mien.animation.motion import Motion, MotionFrame, MotionSource
from mien.animation.outliers import false_poses, without_false_poses
from mien.animation.rotations import rotation_angle, rotation_exp
from mien.animation.smoothing import smooth_motion
from mien.core.arkit import ARKIT_INDEX

FPS = 30
COUNT = 150
BLINK = ARKIT_INDEX["eyeBlinkLeft"]
TIME_S = np.arange(COUNT) / FPS


def shaking(amplitude_deg: float = 20.0, rate_hz: float = 3.0) -> list[MotionFrame]:
    """The quickest shake of a head, with the noise of a tracker."""
    random = np.random.default_rng(0)
    yaw = np.radians(amplitude_deg) * np.sin(2 * np.pi * rate_hz * TIME_S)
    vectors = np.stack([0 * yaw, yaw, 0 * yaw], 1) + random.normal(0, 0.004, (COUNT, 3))
    place = np.stack([0.1 * np.sin(2 * TIME_S), 0 * TIME_S, -1 + 0 * TIME_S], 1)
    place += random.normal(0, [0.001, 0.001, 0.004], (COUNT, 3))
    coefficients = np.clip(random.normal(0.3, 0.05, (COUNT, 52)), 0, 1)
    return [
        MotionFrame(float(t), c.astype(np.float32), R.astype(np.float32), p.astype(np.float32), True)
        for t, c, R, p in zip(TIME_S, coefficients, rotation_exp(vectors), place, strict=True)
    ]


def false_frames(frames: list[MotionFrame]) -> list[int]:
    R, place = (
        np.stack([getattr(f, name) for f in frames]) for name in ("R_camera_head", "translation_head")
    )
    return np.flatnonzero(false_poses(R, place, np.array([f.time_s for f in frames]))).tolist()


@pytest.mark.parametrize("rate_hz", [0.5, 3.0])
def test_quick_heads_and_noise_are_not_false(rate_hz: float) -> None:
    assert false_frames(shaking(rate_hz=rate_hz)) == []


@pytest.mark.parametrize("run", [1, 2])
@pytest.mark.parametrize("kind", ["turn", "shift", "size"])
def test_what_no_head_can_do_is_false(kind: str, run: int) -> None:
    frames = shaking(5.0)
    for k in range(60, 60 + run):
        wrong = replace(
            frames[k],
            R_camera_head=(frames[k].R_camera_head @ rotation_exp(np.array([[0.0, 0.0, 0.6]]))[0]).astype(
                np.float32
            ),
        )
        if kind != "turn":
            shift = np.array([0.3, 0.0, 0.0] if kind == "shift" else [0.0, 0.0, 0.4], np.float32)
            wrong = replace(frames[k], translation_head=frames[k].translation_head + shift)
        frames[k] = wrong
    assert false_frames(frames) == list(range(60, 60 + run))


def test_a_cut_is_not_false() -> None:
    frames = shaking(5.0)
    for k in range(60, COUNT):
        frames[k] = replace(frames[k], translation_head=frames[k].translation_head + np.float32(0.3))
    assert false_frames(frames) == []


def test_few_frames_have_nothing_false() -> None:
    for count in (1, 2, 3):
        assert false_frames(shaking()[:count]) == []


def test_a_false_frame_leaves_no_trace_in_the_motion() -> None:
    """The head stays within a degree of where it would have been, the face within a few hundredths."""
    right = shaking(5.0, 0.5)
    wrong = list(right)
    spin = rotation_exp(np.array([[0.4, 0.9, 0.0]]))[0]
    wrong[70] = replace(
        right[70],
        R_camera_head=(right[70].R_camera_head @ spin).astype(np.float32),
        coefficients=np.ones(52, np.float32),
    )
    one, other = (
        smooth_motion(
            Motion.from_frames(
                fill_gaps(without_false_poses(list(frames), TIME_S), TIME_S), Fraction(FPS),
                MotionSource("test", ""),
            )
        )
        for frames in (right, wrong)
    )  # fmt: skip
    assert not other.found[70]
    assert other.found.sum() == COUNT - 1
    apart = rotation_angle(np.swapaxes(one.R_camera_head, -1, -2).astype(np.float64) @ other.R_camera_head)
    assert np.degrees(apart.max()) < 1
    assert np.abs(one.coefficients - other.coefficients).max() < 0.12


def lost(first: int, last: int, motion: list[MotionFrame]) -> list[MotionFrame]:
    holes: list[MotionFrame | None] = [None if first <= k <= last else f for k, f in enumerate(motion)]
    return fill_gaps(holes, TIME_S)


def test_a_long_gap_is_held_and_then_eased_back() -> None:
    frames = shaking(15.0, 0.4)
    filled = lost(40, 99, frames)
    steps = [
        float(rotation_angle(a.R_camera_head.T.astype(np.float64) @ b.R_camera_head))
        for a, b in pairwise(filled)
    ]
    held = range(40, 100 - int(EASE_S * FPS) - 1)
    assert max(steps[k] for k in held) < 1e-6
    for k in held:
        np.testing.assert_array_equal(filled[k].translation_head, frames[39].translation_head)
    whole = float(rotation_angle(frames[39].R_camera_head.T.astype(np.float64) @ frames[100].R_camera_head))
    assert max(steps[k] for k in range(85, 100)) < 0.3 * whole + 1e-3  # no jump on the way back
    assert not any(f.found for f in filled[40:100])


def test_eyes_lost_in_a_blink_open_again() -> None:
    frames = shaking(2.0)
    for k in (37, 38, 39):
        closed = frames[k].coefficients.copy()
        closed[BLINK] = 0.95
        frames[k] = replace(frames[k], coefficients=closed)
    filled = lost(40, 99, frames)
    assert filled[40].coefficients[BLINK] > 0.85
    assert filled[60].coefficients[BLINK] < 0.5
    assert np.abs(np.diff([f.coefficients[BLINK] for f in filled[39:101]])).max() < 0.5


def test_a_short_gap_is_interpolated() -> None:
    frames = shaking(5.0, 0.5)
    last = 40 + int(BRIDGED_S * FPS) - 2
    filled = lost(40, last, frames)
    middle = np.stack([f.translation_head for f in filled[39 : last + 2]])
    np.testing.assert_allclose(
        np.diff(middle, axis=0), np.diff(middle, axis=0)[:1].repeat(len(middle) - 1, 0), atol=1e-5
    )
