"""False poses of single frames: a tracker that takes an ear, a hand or another face for the face it followed.

A pose is false where it leaves the poses before and after it faster than a head can, while these agree. What
a head can is an acceleration: the quickest shakes (3 Hz, 20 degrees to a side) reach about 7000 deg/s^2.
Nothing is concluded from lids, lips or gaze, which do move for a single frame.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.animation.motion import MotionFrame
from mien.animation.rotations import rotation_angle

LONGEST: Final = 2
"""Frames in a row that can be false."""
TURN_RAD_S2: Final = float(np.radians(15000.0))
"""Acceleration of a turn beyond which a pose is false."""
SHIFT_S2: Final = 60.0
"""The same of a shift, in distances of the head from the camera per s^2: at half a metre, 30 m/s^2."""
AGREEMENT: Final = 1 / 3
"""The poses before and after agree where they are apart by less than this share of what the pose between them
leaves them by."""


def without_false_poses(
    frames: list[MotionFrame | None], time_s: NDArray[np.float64]
) -> list[MotionFrame | None]:
    """The frames, with None for those whose pose no head can have in between."""
    known = [index for index, frame in enumerate(frames) if frame is not None]
    there = [frame for frame in frames if frame is not None]
    R, place = (
        np.stack([getattr(frame, name) for frame in there]) for name in ("R_camera_head", "translation_head")
    )
    false = {known[k] for k in np.flatnonzero(false_poses(R, place, time_s[known]))}
    return [None if index in false else frame for index, frame in enumerate(frames)]


def false_poses(
    R: NDArray[np.floating], place: NDArray[np.floating], time_s: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which of the poses [T, 3, 3], [T, 3] at `time_s` [T] are false, [T]; never the first or the last."""
    false = np.zeros(len(R), bool)
    lags = range(1, min(LONGEST + 2, len(R)))
    turns = {lag: _turns(np.asarray(R, np.float64), lag) for lag in lags}
    shifts = {lag: _shifts(np.asarray(place, np.float64), lag) for lag in lags}
    for length in range(1, LONGEST + 1):
        if length + 1 not in turns:
            break
        step_s = (time_s[length + 1 :] - time_s[: -length - 1]) / (length + 1)
        leaves = np.zeros(len(step_s), bool)
        for apart, limit in ((turns, TURN_RAD_S2), (shifts, SHIFT_S2)):
            least = np.maximum(limit * step_s**2 / 2, apart[length + 1] / AGREEMENT)
            leaves |= _least_leave(apart, length) > least
        for before in np.flatnonzero(leaves):
            if not false[before : before + length + 2].any():
                false[before + 1 : before + 1 + length] = True
    return false


def _least_leave(apart: dict[int, NDArray[np.float64]], length: int) -> NDArray[np.float64]:
    """How far the nearest of `length` frames is from the frame before them or after them, by that before."""
    count = len(apart[length + 1])
    to_before = [apart[k][:count] for k in range(1, length + 1)]
    to_after = [apart[k][length + 1 - k :][:count] for k in range(1, length + 1)]
    return np.asarray(np.min([*to_before, *to_after], axis=0))


def _turns(R: NDArray[np.float64], lag: int) -> NDArray[np.float64]:
    """Angle in rad of every pose to the one `lag` frames later, [T - lag]."""
    return rotation_angle(np.swapaxes(R[:-lag], -1, -2) @ R[lag:])


def _shifts(place: NDArray[np.float64], lag: int) -> NDArray[np.float64]:
    """The same of places, in distances from the camera."""
    far = np.maximum(np.maximum(np.abs(place[:-lag, 2]), np.abs(place[lag:, 2])), 1e-6)
    return np.asarray(np.linalg.norm(place[lag:] - place[:-lag], axis=-1) / far)
