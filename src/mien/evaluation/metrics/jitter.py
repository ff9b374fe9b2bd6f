"""Trembling of landmarks over time.

Jitter: landmarks minus a smooth motion (a least-squares parabola in a sliding window of nine frames), then
the RMS length of their second difference, in shares of the eyes' distance per frame^2. 0 for motion that is
as smooth as a parabola; white noise of standard deviation s (eyes' distances, per axis) gives about
s sqrt(12) times what the smoothing leaves. No upper bound; lower is better. An own
definition. Jerk: RMS third difference, in face sizes per s^3.
"""

from typing import Final

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from mien.core.errors import InputError
from mien.evaluation.metrics.landmarks import interocular_px

WINDOW: Final = 9
DEGREE: Final = 2

Track = Float[np.ndarray, "frame point 2"]


def landmark_jitter(landmarks_px: Track, *, unit_px: float | None = None, window: int = WINDOW) -> float:
    """Jitter in shares of the eyes' distance (its median over time, or `unit_px`) per frame^2.

    Raises InputError for fewer frames than the window.
    """
    points = np.asarray(landmarks_px, np.float64)
    if len(points) < window:
        raise InputError(f"Jitter needs {window} frames, here are {len(points)}; give a longer clip.")
    rest = points - savgol_filter(points, window, DEGREE, axis=0)
    unit = float(np.median(interocular_px(points))) if unit_px is None else unit_px
    second = np.diff(rest, 2, axis=0) / max(unit, 1e-9)
    return float(np.sqrt((second**2).sum(-1).mean()))


def landmark_jerk(landmarks_px: NDArray[np.floating], fps: float) -> float:
    """RMS third derivative of the landmarks [T, L, 2] in face sizes per s^3; 0 for less than four frames.

    The face's size is the median over time of the RMS distance of its landmarks to their mean.
    """
    points = np.asarray(landmarks_px, np.float64)
    if len(points) < 4:
        return 0.0
    size_px = np.median(np.sqrt(((points - points.mean(1, keepdims=True)) ** 2).sum(-1).mean(-1)))
    jerk = np.diff(points, 3, axis=0) * fps**3 / max(float(size_px), 1e-9)
    return float(np.sqrt((jerk**2).sum(-1).mean()))
