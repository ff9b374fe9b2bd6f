"""Smoothing of a tracked motion with the One-Euro filter, on coefficients, places and rotations.

Casiez, Roussel, Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
Systems", CHI 2012: a first-order low-pass whose cutoff frequency rises with the speed of the signal,
`cutoff = min_cutoff + beta * |speed|`, so that a still face is calm and a blink stays a blink.

Files are smoothed by `smooth_motion` without lag: the speed is estimated symmetrically and the low-pass runs
forwards and backwards with the same cutoffs. Live input goes through `StreamingSmoother`, which is causal.
Rotations are filtered in the tangent space at the current estimate, so the result is always a rotation.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mien.animation.motion import Motion, MotionFrame
from mien.animation.rotations import nearest_rotation, rotation_exp, rotation_log
from mien.core.arkit import ARKIT_NAMES
from mien.core.errors import InputError

Array = NDArray[np.float64]

MIRRORED_FRAMES = 16
REACH_SIGMAS = 3
MEASURE_SCALE = 6.0
"""Coefficients per unit of a measure of the face's shape, about."""


@dataclass(frozen=True)
class OneEuro:
    """Settings of one filter; speeds are in units of the signal per second."""

    min_cutoff_hz: float
    """Cutoff at rest: lower is calmer."""
    beta: float
    """Hz of cutoff per unit of speed above the floor: higher follows fast moves more closely."""
    speed_floor: float
    """Speed that the tracker's noise alone makes, and that opens nothing."""
    speed_cutoff_hz: float = 6.0
    """Cutoff of the low-pass on the speed itself."""

    def cutoff_hz(self, speed: Array, strength: float) -> Array:
        """Cutoff for a speed; `strength` 1 is the setting itself, 2 halves every cutoff."""
        return _cutoff_hz(self.parameters, speed, strength)

    @property
    def parameters(self) -> Array:
        """The four settings as an array, [4]."""
        return np.array([self.min_cutoff_hz, self.beta, self.speed_floor, self.speed_cutoff_hz])


@dataclass(frozen=True)
class Smoothing:
    """How much to smooth, and the filters of the parts of a motion."""

    strength: float = 1.0
    """0 is off, 1 the default, larger is calmer and slower."""
    face: OneEuro = field(default_factory=lambda: OneEuro(min_cutoff_hz=3.0, beta=14.0, speed_floor=0.25))
    """Coefficients of mouth, jaw, brows, cheeks, nose."""
    eyes: OneEuro = field(default_factory=lambda: OneEuro(min_cutoff_hz=2.5, beta=22.0, speed_floor=0.35))
    """Coefficients of lids and gaze, whose moves are short."""
    rotation: OneEuro = field(default_factory=lambda: OneEuro(min_cutoff_hz=1.5, beta=14.0, speed_floor=0.06))
    """Head rotation; speed in rad/s."""
    translation: OneEuro = field(
        default_factory=lambda: OneEuro(min_cutoff_hz=1.0, beta=14.0, speed_floor=0.04)
    )
    """Head place; speed in EG3D units per second."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.strength) and self.strength >= 0):
            raise InputError(
                f"The smoothing strength is {self.strength}, expected a number of at least 0; "
                "0 turns smoothing off, 1 is the usual amount."
            )


EYE_COEFFICIENTS = np.array([name.startswith("eye") for name in ARKIT_NAMES])
"""[52] which coefficients are of lids and gaze."""


def low_pass_share(cutoff_hz: Array, step_s: Array | float) -> Array:
    """Share of the new sample in an exponential low-pass with this cutoff, in (0, 1]: eq. 4 of the paper,
    `1 / (1 + tau / step)` with `tau = 1 / (2 pi cutoff)`."""
    turn = 2.0 * np.pi * np.maximum(cutoff_hz, 1e-9) * np.maximum(step_s, 1e-9)
    return turn / (1.0 + turn)


def smooth_vectors(values: NDArray[np.floating], time_s: Array, one_euro: OneEuro, strength: float) -> Array:
    """Zero-lag One-Euro of `values` [T, C], each channel by its own speed."""
    padded, padded_s = _mirror(np.asarray(values, np.float64)), _mirror_times(time_s)
    steps_s = np.diff(padded_s)
    speed = _held_speed(np.diff(padded, axis=0) / steps_s[:, None], steps_s, one_euro)
    share = low_pass_share(one_euro.cutoff_hz(speed, strength), _per_sample(steps_s)[:, None])
    return _unmirror(_both_ways(padded, share), len(values))


def blurred_in_time(values: NDArray[np.floating], time_s: Array, sigma_s: float) -> Array:
    """Gaussian mean over time of `values` [T, C]: zero lag, any steps of time. Constant values, and those at
    frames further apart than three `sigma_s`, stay as they are."""
    values = np.asarray(values, np.float64)
    change, total, weight = values - values[:1], np.zeros_like(values), np.zeros(len(values))
    step_s = float(np.median(np.diff(time_s))) if len(values) > 1 else math.inf
    reach = min(int(REACH_SIGMAS * sigma_s / step_s), len(values) - 1)
    for shift in range(-reach, reach + 1):
        own = slice(max(-shift, 0), len(values) - max(shift, 0))
        other = slice(max(shift, 0), len(values) + min(shift, 0))
        share = np.exp(-0.5 * ((time_s[other] - time_s[own]) / sigma_s) ** 2)
        total[own] += share[:, None] * change[other]
        weight[own] += share
    return np.asarray(values[:1] + total / weight[:, None])


def smooth_rotations(R: NDArray[np.floating], time_s: Array, one_euro: OneEuro, strength: float) -> Array:
    """Zero-lag One-Euro of rotations [T, 3, 3] in the tangent space, by the angular speed."""
    padded, padded_s = _mirror(np.asarray(R, np.float64)), _mirror_times(time_s)
    steps_s = np.diff(padded_s)
    velocity = rotation_log(padded[1:] @ np.swapaxes(padded[:-1], -1, -2)) / steps_s[:, None]
    low = _both_ways(
        velocity, low_pass_share(np.full_like(velocity, one_euro.speed_cutoff_hz), steps_s[:, None])
    )
    speed = _dilate(np.linalg.norm(low, axis=-1, keepdims=True))
    share = low_pass_share(one_euro.cutoff_hz(speed, strength), _per_sample(steps_s)[:, None])[:, 0]
    forwards = _low_pass_rotations(padded, share)
    backwards = _low_pass_rotations(forwards[::-1], share[::-1])[::-1]
    return _unmirror(backwards, len(R))


def smooth_motion(motion: Motion, smoothing: Smoothing | None = None) -> Motion:
    """The motion with coefficients, rotation and place smoothed without lag; unchanged where it is constant.

    `smoothing` None means the default; strength 0 and motions of one or two frames return the motion itself.
    """
    smoothing = smoothing or Smoothing()
    if smoothing.strength == 0 or len(motion) < 3:
        return motion
    strength, time_s = smoothing.strength, motion.time_s
    coefficients = smooth_vectors(motion.coefficients, time_s, smoothing.face, strength)
    eyes = smooth_vectors(motion.coefficients[:, EYE_COEFFICIENTS], time_s, smoothing.eyes, strength)
    coefficients[:, EYE_COEFFICIENTS] = eyes
    measures = motion.measures
    if measures is not None:
        scaled = smooth_vectors(MEASURE_SCALE * measures, time_s, smoothing.face, strength)
        measures = (scaled / MEASURE_SCALE).astype(np.float32)
    return replace(
        motion,
        coefficients=np.clip(coefficients, 0.0, 1.0).astype(np.float32),
        R_camera_head=smooth_rotations(motion.R_camera_head, time_s, smoothing.rotation, strength).astype(
            np.float32
        ),
        translation_head=_smooth_place(motion.translation_head, time_s, smoothing).astype(np.float32),
        measures=measures,
    )


def _smooth_place(place: NDArray[np.floating], time_s: Array, smoothing: Smoothing) -> Array:
    """Places [T, 3]: across the view by the joint speed of x and y, along it by its own, noisier, speed."""
    return smooth_vectors(place, time_s, smoothing.translation, smoothing.strength)


class StreamingSmoother:
    """Causal One-Euro filter of live frames: call it with one `MotionFrame` after the other.

    It holds one frame of state. With strength 0 frames pass unchanged.
    """

    def __init__(self, smoothing: Smoothing | None = None) -> None:
        self._smoothing = smoothing or Smoothing()
        kinds = [self._smoothing.eyes if eye else self._smoothing.face for eye in EYE_COEFFICIENTS]
        kinds += [self._smoothing.translation] * 3
        self._vector_filters = np.stack([one_euro.parameters for one_euro in kinds], -1)
        self.reset()

    def reset(self) -> None:
        """Forget the past, for example after a cut."""
        self._last: MotionFrame | None = None
        self._speed = np.zeros(len(ARKIT_NAMES) + 3)
        self._velocity_rad = np.zeros(3)

    def __call__(self, frame: MotionFrame) -> MotionFrame:
        """The smoothed frame; frames whose time does not rise repeat the last result."""
        last = self._last
        if self._smoothing.strength == 0 or last is None:
            self._last = frame
            return frame
        step_s = frame.time_s - last.time_s
        if step_s <= 0:
            return last
        vector, R = self._vector(frame, last, step_s), self._rotation(frame, last, step_s)
        coefficients = np.clip(vector[: len(ARKIT_NAMES)], 0.0, 1.0).astype(np.float32)
        place = vector[len(ARKIT_NAMES) :].astype(np.float32)
        self._last = replace(
            frame, coefficients=coefficients, translation_head=place, R_camera_head=R, measures=None
        )
        return self._last

    def _vector(self, frame: MotionFrame, last: MotionFrame, step_s: float) -> Array:
        new = np.concatenate([frame.coefficients, frame.translation_head]).astype(np.float64)
        old = np.concatenate([last.coefficients, last.translation_head]).astype(np.float64)
        filters = self._vector_filters
        self._speed += low_pass_share(filters[3], step_s) * ((new - old) / step_s - self._speed)
        cutoff = _cutoff_hz(filters, np.abs(self._speed), self._smoothing.strength)
        return old + low_pass_share(cutoff, step_s) * (new - old)

    def _rotation(self, frame: MotionFrame, last: MotionFrame, step_s: float) -> NDArray[np.float32]:
        if np.array_equal(frame.R_camera_head, last.R_camera_head):
            velocity = np.zeros(3)
        else:
            velocity = rotation_log(frame.R_camera_head @ last.R_camera_head.T) / step_s
        filters = self._smoothing.rotation.parameters
        self._velocity_rad += low_pass_share(filters[3:], step_s) * (velocity - self._velocity_rad)
        speed = np.linalg.norm(self._velocity_rad, axis=0, keepdims=True)
        share = low_pass_share(_cutoff_hz(filters, speed, self._smoothing.strength), step_s)
        return _towards(last.R_camera_head, frame.R_camera_head, float(share[0])).astype(np.float32)


def _cutoff_hz(parameters: Array, speed: Array, strength: float) -> Array:
    """Cutoffs of `OneEuro.parameters` [4, ...] at the speeds [...]: eq. 7 of the paper, with a floor."""
    return (parameters[0] + parameters[1] * np.maximum(speed - parameters[2], 0.0)) / strength


def _mirror(values: Array) -> Array:
    """The samples with a mirror image of both ends, so that the ends are as calm as the middle."""
    count = min(MIRRORED_FRAMES, len(values) - 1)
    return np.concatenate([values[count:0:-1], values, values[-2 : -2 - count : -1]])


def _mirror_times(time_s: Array) -> Array:
    count = min(MIRRORED_FRAMES, len(time_s) - 1)
    before = 2 * time_s[0] - time_s[count:0:-1]
    after = 2 * time_s[-1] - time_s[-2 : -2 - count : -1]
    return np.concatenate([before, time_s, after])


def _unmirror(padded: Array, length: int) -> Array:
    start = (len(padded) - length) // 2
    return padded[start : start + length]


def _per_sample(steps_s: Array) -> Array:
    """Mean of the steps before and after each sample, [T] of [T - 1]: the same forwards and backwards."""
    padded = np.concatenate([steps_s[:1], steps_s, steps_s[-1:]])
    return 0.5 * (padded[1:] + padded[:-1])


def _held_speed(velocity: Array, steps_s: Array, one_euro: OneEuro) -> Array:
    """Absolute low-passed velocity [T, C] of the step velocities [T - 1, C], held a frame to both sides."""
    share = low_pass_share(np.full_like(velocity, one_euro.speed_cutoff_hz), steps_s[:, None])
    return _dilate(np.abs(_both_ways(velocity, share)))


def _dilate(speed: Array) -> Array:
    """Largest speed of the two steps on either side of each sample, [T, C] of [T - 1, C].

    At the top of a blink the velocity is zero; without this the filter would close there and cut the peak.
    """
    padded = np.pad(speed, ((2, 2), (0, 0)), mode="edge")
    return np.max([padded[shift : shift + len(speed) + 1] for shift in range(4)], axis=0)


def _both_ways(values: Array, share: Array) -> Array:
    """Forward and backward exponential low-pass of [T, C] with the shares [T, C]; constants stay exact."""
    return _low_pass(_low_pass(values, share)[::-1], share[::-1])[::-1]


def _low_pass(values: Array, share: Array) -> Array:
    out = np.empty_like(values)
    state = out[0] = values[0]
    for index in range(1, len(values)):
        state = state + share[index] * (values[index] - state)
        out[index] = state
    return out


def _low_pass_rotations(R: Array, share: Array) -> Array:
    out = np.empty_like(R)
    out[0] = R[0]
    for index in range(1, len(R)):
        out[index] = _towards(out[index - 1], R[index], float(share[index]))
    return out


def _towards(R_from: NDArray[np.floating], R_to: NDArray[np.floating], share: float) -> Array:
    """The rotation a share of the shortest way from one to the other; exactly R_from where both are equal."""
    if np.array_equal(R_from, R_to):
        return np.asarray(R_from, np.float64)
    R_from = np.asarray(R_from, np.float64)
    return nearest_rotation(R_from @ rotation_exp(share * rotation_log(R_from.T @ R_to)))
