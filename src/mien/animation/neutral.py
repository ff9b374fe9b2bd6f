"""The driver at rest, found over the whole clip: its neutral face and where its head usually is."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mien.animation.face_regions import REGION_COLUMNS
from mien.animation.motion import Motion
from mien.animation.rotations import nearest_rotation, rotation_exp, rotation_log

Neutral = Literal["clip", "first"]
Array = NDArray[np.float64]

QUIET_QUANTILE: Final = 0.25
"""Share of the slow frames that count as quiet: those with the least expression."""


def quiet_frames(motion: Motion) -> NDArray[np.bool_]:
    """The frames [T] in which the face rests: found, not changing faster than usual, and of those the quarter
    with the least expression. Where the eyes look does not count. At least one frame."""
    found = found_frames(motion)
    face = np.delete(motion.coefficients.astype(np.float64), REGION_COLUMNS["gaze"], axis=1)
    before, after = np.roll(face, 1, axis=0), np.roll(face, -1, axis=0)
    before[0], after[-1] = face[0], face[-1]
    speed = np.abs(after - before).sum(1)
    slow = found & (speed <= np.median(speed[found]))
    amount = face.sum(1)
    return slow & (amount <= np.quantile(amount[slow], QUIET_QUANTILE, method="higher"))


def neutral_coefficients(motion: Motion, neutral: Neutral) -> Array:
    """The driver's neutral face, [52]: the median of its quiet frames, or the first frame."""
    if neutral == "first":
        return motion.coefficients[0].astype(np.float64)
    return np.median(motion.coefficients[quiet_frames(motion)].astype(np.float64), axis=0)


def neutral_pose(motion: Motion, neutral: Neutral) -> tuple[Array, Array]:
    """The driver's rest of the head: rotation [3, 3] and place [3]; the median over the frames where a face
    was found (of rotations in the tangent space at their mean), or the first frame."""
    if neutral == "first" or (motion.R_camera_head == motion.R_camera_head[0]).all():
        R = motion.R_camera_head[0].astype(np.float64)
    else:
        known = motion.R_camera_head[found_frames(motion)].astype(np.float64)
        mean = nearest_rotation(known.mean(0))
        R = mean @ rotation_exp(np.median(rotation_log(mean.T @ known), axis=0))
    places = motion.translation_head.astype(np.float64)
    return R, places[0] if neutral == "first" else np.median(places[found_frames(motion)], axis=0)


def found_frames(motion: Motion) -> NDArray[np.bool_]:
    """The frames [T] in which a face was found; all of them if it was in none."""
    return motion.found if motion.found.any() else np.ones(len(motion), bool)
