"""Motions of which some frames are known: the others are interpolated."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mien.animation.motion import UNITS_PER_METRE, Motion, MotionFrame, MotionSource
from mien.animation.rotations import interpolate_rotations

USUAL_DISTANCE_M = 0.5


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
        coefficients=interpolated(np.asarray(coefficients, np.float32), known_s, time_s),
        R_camera_head=_interpolated_rotations(R_camera_head, known_s, time_s, found),
        translation_head=interpolated(np.asarray(place, np.float32), known_s, time_s),
        found=found,
        fps=fps,
        source=source,
    )


def fill_gaps(frames: list[MotionFrame | None], time_s: NDArray[np.float64]) -> list[MotionFrame]:
    """Frames at every time: where there is None, between the neighbours (linear; rotations on the sphere),
    or equal to the nearest one at the ends, with `found` False. At least one frame must be there."""
    known = np.array([index for index, frame in enumerate(frames) if frame is not None])
    there = [frame for frame in frames if frame is not None]
    known_s = time_s[known]
    coefficients = interpolated(np.stack([frame.coefficients for frame in there]), known_s, time_s)
    place = interpolated(np.stack([frame.translation_head for frame in there]), known_s, time_s)
    R = interpolate_rotations(np.stack([frame.R_camera_head for frame in there]), known_s, time_s)
    filled = []
    for index, frame in enumerate(frames):
        if frame is None:
            values = (coefficients[index], R[index].astype(np.float32), place[index])
        else:
            values = (frame.coefficients, frame.R_camera_head, frame.translation_head)
        filled.append(MotionFrame(float(time_s[index]), *values, found=frame is not None))
    return filled


def interpolated(
    values: NDArray[np.float32], known_s: NDArray[np.float64], time_s: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Values [K, C] at the times `time_s` [T], linear between the known times and held beyond them."""
    return np.stack([np.interp(time_s, known_s, column) for column in values.T], -1).astype(np.float32)


def _interpolated_rotations(
    R: NDArray[np.floating],
    known_s: NDArray[np.float64],
    time_s: NDArray[np.float64],
    found: NDArray[np.bool_],
) -> NDArray[np.float32]:
    filled = interpolate_rotations(R, known_s, time_s)
    filled[found] = R
    return filled.astype(np.float32)
