"""Motions made by hand: sliders (one frame) and keyframed sliders (a clip).

Sliders are a mapping from ARKit names to [0, 1] and from `yaw_deg`, `pitch_deg`, `roll_deg` to degrees.
"""

import difflib
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from mien.animation.motion import UNITS_PER_METRE, Motion, MotionSource
from mien.animation.rotations import head_rotation
from mien.core.arkit import ARKIT_INDEX, ARKIT_NAMES
from mien.core.errors import InputError

ANGLE_NAMES: Final = ("yaw_deg", "pitch_deg", "roll_deg")
MAX_ANGLE_DEG: Final = 90.0
USUAL_DISTANCE_M: Final = 0.5
DEFAULT_FPS: Final = Fraction(25)
MAX_DURATION_S: Final = 3600.0


def motion_from_sliders(sliders: Mapping[str, Any], *, name: str = "sliders") -> Motion:
    """A motion of one frame, or of a whole clip if `sliders` holds "keyframes".

    Keyframes: `{"fps": 25, "keyframes": [{"time_s": 0}, {"time_s": 1, "jawOpen": 0.6, "yaw_deg": 20}, ...]}`.
    A slider passes smoothly (monotone between keys, no overshoot) through the keyframes that name it, is held
    outside them and is 0 if none does; a keyframe without any slider sets all sliders to 0. Raises InputError
    on unknown names and values out of range.
    """
    if "keyframes" not in sliders:
        values = _slider_values({key: value for key, value in sliders.items() if key != "fps"}, name)
        return _motion(np.zeros(1), _row(values)[None], _fps(sliders, name), name)
    keyframes, fps = _checked_keyframes(sliders, name), _fps(sliders, name)
    times_s = np.array([time_s for time_s, _ in keyframes])
    count = max(1, round(float(times_s[-1] * fps)))
    time_s = np.arange(count) / float(fps)
    columns = [_track(slider, keyframes, time_s) for slider in (*ARKIT_NAMES, *ANGLE_NAMES)]
    return _motion(time_s, np.stack(columns, -1), fps, name)


def _track(
    slider: str, keyframes: list[tuple[float, dict[str, float]]], time_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One slider over time: monotone cubic through the keyframes that set it (Fritsch, Carlson 1980)."""
    keys = [(at_s, values.get(slider, 0.0)) for at_s, values in keyframes if slider in values or not values]
    if len(keys) < 2 or not any(slider in values for _, values in keyframes):
        return np.full(len(time_s), keys[0][1] if keys else 0.0)
    at_s, values = np.array(keys).T
    return np.asarray(PchipInterpolator(at_s, values)(np.clip(time_s, at_s[0], at_s[-1])))


def _motion(time_s: NDArray[np.float64], rows: NDArray[np.float64], fps: Fraction, name: str) -> Motion:
    count = len(time_s)
    place = np.array([0.0, 0.0, -USUAL_DISTANCE_M * UNITS_PER_METRE], np.float32)
    return Motion(
        time_s=time_s,
        coefficients=np.clip(rows[:, : len(ARKIT_NAMES)], 0, 1).astype(np.float32),
        R_camera_head=head_rotation(np.radians(rows[:, len(ARKIT_NAMES) :])).astype(np.float32),
        translation_head=np.tile(place, (count, 1)),
        found=np.ones(count, bool),
        fps=fps,
        source=MotionSource(name, ""),
    )


def _row(values: Mapping[str, float]) -> NDArray[np.float64]:
    row = np.zeros(len(ARKIT_NAMES) + len(ANGLE_NAMES))
    for slider, value in values.items():
        row[
            ARKIT_INDEX[slider] if slider in ARKIT_INDEX else len(ARKIT_NAMES) + ANGLE_NAMES.index(slider)
        ] = value
    return row


def _slider_values(sliders: Mapping[str, Any], name: str) -> dict[str, float]:
    """The sliders as numbers, each name and range checked."""
    values: dict[str, float] = {}
    for slider, value in sliders.items():
        if slider not in ARKIT_INDEX and slider not in ANGLE_NAMES:
            near = difflib.get_close_matches(str(slider), (*ARKIT_NAMES, *ANGLE_NAMES), n=1)
            hint = f"; did you mean {near[0]}?" if near else "; see docs/motion.md for the names."
            raise InputError(
                f"{name} has a slider {slider!r}, expected an ARKit name or yaw_deg, pitch_deg, "
                f"roll_deg{hint}"
            )
        low, high = (0.0, 1.0) if slider in ARKIT_INDEX else (-MAX_ANGLE_DEG, MAX_ANGLE_DEG)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise InputError(
                f"{name} sets {slider} to {value!r}, expected a number from {low:g} to {high:g}; change it."
            )
        values[slider] = float(value)
    return values


def _checked_keyframes(sliders: Mapping[str, Any], name: str) -> list[tuple[float, dict[str, float]]]:
    frames = sliders["keyframes"]
    extra = set(sliders) - {"keyframes", "fps"}
    if extra or not isinstance(frames, list) or not frames or not all(isinstance(f, Mapping) for f in frames):
        raise InputError(
            f'{name} has keyframes of another form, expected {{"fps": 25, "keyframes": [{{"time_s": 0}}]}}'
            " and nothing beside them; see docs/motion.md."
        )
    keyframes: list[tuple[float, dict[str, float]]] = []
    for frame in frames:
        time_s = frame.get("time_s")
        is_number = isinstance(time_s, int | float) and not isinstance(time_s, bool)
        if not is_number or not 0 <= time_s <= MAX_DURATION_S or (keyframes and time_s <= keyframes[-1][0]):
            raise InputError(
                f"{name} has a keyframe at time_s {time_s!r}, expected numbers that rise from 0 to at most "
                f"{MAX_DURATION_S:g}; correct the times."
            )
        keyframes.append(
            (float(time_s), _slider_values({k: v for k, v in frame.items() if k != "time_s"}, name))
        )
    return keyframes


def _fps(sliders: Mapping[str, Any], name: str) -> Fraction:
    fps = sliders.get("fps", DEFAULT_FPS)
    try:
        rate = Fraction(str(fps)).limit_denominator(1001)
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"{name} has fps {fps!r}, expected a number such as 25 or 30000/1001.") from error
    if not 1 <= rate <= 240:
        raise InputError(f"{name} has fps {fps!r}, expected 1 to 240; change it.")
    return rate
