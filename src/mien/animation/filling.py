"""Motions of which some frames are known: the others are filled in.

Short gaps are interpolated. In a longer one the head holds the last pose that was seen and the face eases to
what it mostly did before (so that eyes lost in a blink do not stay shut); before the face is seen again, both
ease to where it will be.
"""

from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.animation.motion import UNITS_PER_METRE, Motion, MotionFrame, MotionSource
from mien.animation.rotations import interpolate_rotations

USUAL_DISTANCE_M = 0.5
BRIDGED_S: Final = 0.5
"""Longest gap that is interpolated."""
EASE_S: Final = 0.3
"""How long the face takes to leave what was seen last, and to come back."""
BEFORE_S: Final = 0.5
"""How much before a gap tells what the face mostly did."""


def usual_place(count: int) -> NDArray[np.float32]:
    """A head half a metre before the camera, [T, 3], for motions that have no place."""
    return np.tile(np.array([0.0, 0.0, -USUAL_DISTANCE_M * UNITS_PER_METRE], np.float32), (count, 1))


def filled_motion(
    coefficients: NDArray[np.floating],
    R_camera_head: NDArray[np.floating],
    translation_head: NDArray[np.floating] | None,
    *,
    found: NDArray[np.bool_],
    time_s: NDArray[np.float64],
    fps: Fraction,
    source: MotionSource,
) -> Motion:
    """A motion at all of `time_s` [T] from values of those frames only that are `found` [T]: coefficients
    [F, 52], rotations [F, 3, 3], places [F, 3] (None: half a metre away)."""
    known_s = time_s[found]
    place = usual_place(len(known_s)) if translation_head is None else translation_head
    return Motion(
        time_s=time_s,
        coefficients=filled_faces(np.asarray(coefficients, np.float32), known_s, time_s),
        R_camera_head=_filled_rotations(R_camera_head, known_s, time_s, found),
        translation_head=interpolated(np.asarray(place, np.float32), known_s, eased_times(known_s, time_s)),
        found=found,
        fps=fps,
        source=source,
    )


def fill_gaps(frames: list[MotionFrame | None], time_s: NDArray[np.float64]) -> list[MotionFrame]:
    """Frames at every time: where there is None, filled in (rotations on the sphere), or equal to the nearest
    one at the ends, with `found` False. At least one frame must be there."""
    known = np.array([index for index, frame in enumerate(frames) if frame is not None])
    there = [frame for frame in frames if frame is not None]
    known_s = time_s[known]
    eased_s = eased_times(known_s, time_s)
    coefficients = filled_faces(np.stack([frame.coefficients for frame in there]), known_s, time_s)
    place = interpolated(np.stack([frame.translation_head for frame in there]), known_s, eased_s)
    R = interpolate_rotations(np.stack([frame.R_camera_head for frame in there]), known_s, eased_s)
    measured = [frame.measures for frame in there if frame.measures is not None]
    measures = filled_faces(np.stack(measured), known_s, time_s) if len(measured) == len(there) else None
    filled = []
    for index, frame in enumerate(frames):
        if frame is not None:
            filled.append(replace(frame, time_s=float(time_s[index]), found=True))
            continue
        values = (coefficients[index], R[index].astype(np.float32), place[index])
        shape = None if measures is None else measures[index]
        filled.append(MotionFrame(float(time_s[index]), *values, found=False, measures=shape))
    return filled


def eased_times(known_s: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where to interpolate between the known times [K] for the times [T]: in long gaps at the last known one
    until `EASE_S` before the next, then smoothly there."""
    eased = time_s.copy()
    for start_s, end_s in _long_gaps(known_s):
        inside = (time_s > start_s) & (time_s < end_s)
        share = _smoothstep((time_s[inside] - (end_s - EASE_S)) / EASE_S)
        eased[inside] = start_s + share * (end_s - start_s)
    return eased


def filled_faces(
    values: NDArray[np.float32], known_s: NDArray[np.float64], time_s: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Coefficients [K, C] at the times `time_s` [T]; in long gaps eased to their median before the gap."""
    filled = interpolated(values, known_s, eased_times(known_s, time_s))
    for start_s, end_s in _long_gaps(known_s):
        inside = (time_s > start_s) & (time_s < end_s)
        usual = np.median(values[(known_s > start_s - BEFORE_S) & (known_s <= start_s)], axis=0)
        last, following = values[known_s == start_s][0], values[known_s == end_s][0]
        left = _smoothstep((time_s[inside] - start_s) / (EASE_S / 2))[:, None]
        back = _smoothstep((time_s[inside] - (end_s - EASE_S)) / EASE_S)[:, None]
        filled[inside] = (1 - back) * ((1 - left) * last + left * usual) + back * following
    return filled


def _long_gaps(known_s: NDArray[np.float64]) -> list[tuple[float, float]]:
    long = np.flatnonzero(np.diff(known_s) > BRIDGED_S)
    return [(float(known_s[k]), float(known_s[k + 1])) for k in long]


def _smoothstep(x: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.clip(x, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def interpolated(
    values: NDArray[np.float32], known_s: NDArray[np.float64], time_s: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Values [K, C] at the times `time_s` [T], linear between the known times and held beyond them."""
    return np.stack([np.interp(time_s, known_s, column) for column in values.T], -1).astype(np.float32)


def _filled_rotations(
    R: NDArray[np.floating],
    known_s: NDArray[np.float64],
    time_s: NDArray[np.float64],
    found: NDArray[np.bool_],
) -> NDArray[np.float32]:
    filled = interpolate_rotations(R, known_s, eased_times(known_s, time_s))
    filled[found] = R
    return filled.astype(np.float32)
