"""A motion at other times."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mien.animation.filling import interpolated
from mien.animation.motion import Motion
from mien.animation.rotations import interpolate_rotations


def resampled(motion: Motion, time_s: NDArray[np.float64], fps: Fraction) -> Motion:
    """The motion at rising times [T], counted from its first frame: between frames linear, rotations on the
    sphere; after its end the last frame is held. At its own times it is itself."""
    own_s = motion.time_s - motion.time_s[0]
    if np.array_equal(own_s, time_s):
        return motion
    last = np.clip(np.searchsorted(own_s, time_s, side="right") - 1, 0, None)
    return replace(
        motion,
        time_s=time_s,
        coefficients=interpolated(motion.coefficients, own_s, time_s),
        R_camera_head=interpolate_rotations(motion.R_camera_head, own_s, time_s).astype(np.float32),
        translation_head=interpolated(motion.translation_head, own_s, time_s),
        found=motion.found[last],
        measures=None if motion.measures is None else interpolated(motion.measures, own_s, time_s),
        fps=fps,
    )
