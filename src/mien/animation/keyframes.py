"""Keyframed sliders: values by name at some times, and what they are at every time between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.animation.coefficient_names import close_names
from mien.animation.rotations import head_rotation, rotation_exp, rotation_log
from mien.core.arkit import ARKIT_INDEX, ARKIT_NAMES
from mien.core.errors import InputError

ANGLE_NAMES: Final = ("yaw_deg", "pitch_deg", "roll_deg")
SHORT_ANGLES: Final = {name.removesuffix("_deg"): name for name in ANGLE_NAMES}
SLIDER_NAMES: Final = (*ARKIT_NAMES, *ANGLE_NAMES)
MAX_ANGLE_DEG: Final = 90.0
MAX_DURATION_S: Final = 3600.0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Keyframe:
    """Some sliders at one time."""

    time_s: float
    values: Mapping[str, float]
    """ARKit names to coefficients; `yaw_deg`, `pitch_deg`, `roll_deg` to degrees. Empty: all are 0."""


@dataclass(frozen=True, eq=False)
class SliderTrack:
    """Sliders at T times."""

    coefficients: Array
    """[T, 52] in the order of `ARKIT_NAMES`."""
    R: Array
    """[T, 3, 3] rotation of the angles, in camera axes."""


def slider_values(sliders: Mapping[str, Any], where: str, *, lowest: float = 0.0) -> dict[str, float]:
    """The sliders as numbers by their full names, each name and range (`lowest` to 1; degrees) checked."""
    values: dict[str, float] = {}
    for short, value in sliders.items():
        slider = SHORT_ANGLES.get(str(short), str(short))
        if slider not in ARKIT_INDEX and slider not in ANGLE_NAMES:
            near = close_names(slider, (*SLIDER_NAMES, *SHORT_ANGLES))
            hint = f"; did you mean {near[0]}?" if near else "; see docs/motion.md for the names."
            raise InputError(
                f"{where} has a slider {slider!r}, expected an ARKit name or yaw, pitch, roll{hint}"
            )
        if slider in values:
            raise InputError(f"{where} sets {slider} twice, expected it once; delete one of them.")
        low, high = (lowest, 1.0) if slider in ARKIT_INDEX else (-MAX_ANGLE_DEG, MAX_ANGLE_DEG)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise InputError(
                f"{where} sets {slider} to {value!r}, expected a number from {low:g} to {high:g}; change it."
            )
        values[slider] = float(value)
    return values


def check_times(keyframes: Sequence[Keyframe], where: str) -> None:
    """Raise InputError unless the times rise from at least 0 to at most an hour."""
    for before, key in zip((None, *keyframes), keyframes, strict=False):
        if not 0 <= key.time_s <= MAX_DURATION_S or (before is not None and key.time_s <= before.time_s):
            raise InputError(
                f"{where} has a keyframe at time_s {key.time_s!r}, expected numbers that rise from 0 to at "
                f"most {MAX_DURATION_S:g}; correct the times."
            )


def evaluate(keyframes: Sequence[Keyframe], time_s: Array) -> SliderTrack:
    """The sliders at the times [T].

    A slider passes smoothly (monotone between keys, no overshoot) through the keyframes that name it, is held
    outside them and is 0 if none does; a keyframe that names none sets all to 0. The head takes the shortest
    way from one keyframe of its angles to the next, and slows down where the way bends.
    """
    coefficients = [_track(name, keyframes, time_s) for name in ARKIT_NAMES]
    return SliderTrack(np.stack(coefficients, -1), _rotations(keyframes, time_s))


def _track(slider: str, keyframes: Sequence[Keyframe], time_s: Array) -> Array:
    """One slider over time: monotone cubic through the keyframes that set it (Fritsch, Carlson 1980)."""
    from scipy.interpolate import PchipInterpolator  # a fifth of a second of every command, if imported above

    keys = [
        (key.time_s, key.values.get(slider, 0.0))
        for key in keyframes
        if slider in key.values or not key.values
    ]
    if len(keys) < 2 or not any(slider in key.values for key in keyframes):
        return np.full(len(time_s), keys[0][1] if keys else 0.0)
    at_s, values = np.array(keys).T
    return np.asarray(PchipInterpolator(at_s, values)(np.clip(time_s, at_s[0], at_s[-1])))


def _rotations(keyframes: Sequence[Keyframe], time_s: Array) -> Array:
    """Rotations [T, 3, 3] of the angles; one that a keyframe does not name is where its own keys put it."""
    named = [key for key in keyframes if not key.values or set(key.values) & set(ANGLE_NAMES)]
    if not named:
        return np.tile(np.eye(3), (len(time_s), 1, 1))
    at_s = np.array([key.time_s for key in named])
    angles_deg = np.stack([_track(name, keyframes, at_s) for name in ANGLE_NAMES], -1)
    return rotations_through(head_rotation(np.radians(angles_deg)), at_s, time_s)


def rotations_through(R: Array, at_s: Array, time_s: Array) -> Array:
    """Rotations [T, 3, 3] at the times `time_s` along the shortest ways between R [K, 3, 3] at rising times.

    The way gone is a cubic of time whose speed at a key is that of the monotone cubic (Fritsch, Carlson),
    times the cosine of the bend there: straight on it does not slow down, back again it stands still.
    """
    from scipy.interpolate import CubicHermiteSpline, PchipInterpolator

    if len(R) == 1:
        return np.tile(R[0], (len(time_s), 1, 1))
    steps = np.stack([rotation_log(first.T @ second) for first, second in pairwise(R)])  # [K - 1, 3] rad
    lengths = np.linalg.norm(steps, axis=-1)
    gone = np.concatenate([[0.0], np.cumsum(lengths)])
    directions = steps / np.maximum(lengths, 1e-12)[:, None]
    bends = np.maximum((directions[1:] * directions[:-1]).sum(-1), 0.0)
    speeds = PchipInterpolator(at_s, gone).derivative()(at_s) * np.concatenate([[1.0], bends, [1.0]])
    time_s = np.clip(time_s, at_s[0], at_s[-1])
    way = np.clip(CubicHermiteSpline(at_s, gone, speeds)(time_s), gone[0], gone[-1])
    part = np.clip(np.searchsorted(at_s, time_s, side="right") - 1, 0, len(steps) - 1)
    share = np.clip((way - gone[part]) / np.maximum(lengths[part], 1e-12), 0.0, 1.0)
    return np.asarray(R[part] @ rotation_exp(steps[part] * share[:, None]))
