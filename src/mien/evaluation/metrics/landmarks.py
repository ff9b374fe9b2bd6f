"""Landmark errors.

AKD = mean distance of corresponding points, in pixels, over points and frames (Siarohin et al. 2019). NME =
the same divided by the distance of the outer corners of the reference's eyes, no unit; 0.05 is 5 % of it
(300-W, Sagonas et al. 2013). Range 0 to infinity; lower is better. Points are MediaPipe's 478.
"""

from typing import Final

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mien.evaluation.metrics.shapes import same_length

EYE_CORNERS: Final = (33, 263)
"""Outer corners of the right and the left eye among MediaPipe's points."""

Points = Float[np.ndarray, "*frame point 2"]


def average_keypoint_distance_px(landmarks_px: Points, reference_px: Points) -> float:
    """AKD in pixels."""
    same_length(landmarks_px, reference_px)
    apart = np.asarray(landmarks_px, np.float64) - reference_px
    return float(np.linalg.norm(apart, axis=-1).mean())


def interocular_px(landmarks_px: Points) -> NDArray[np.float64]:
    """Distance of the eyes' outer corners in pixels, per frame; of a profile it is small."""
    right, left = (np.asarray(landmarks_px, np.float64)[..., k, :] for k in EYE_CORNERS)
    return np.asarray(np.linalg.norm(left - right, axis=-1))


def normalised_mean_error(
    landmarks_px: Points, reference_px: Points, *, unit_px: float | None = None
) -> float:
    """NME; `unit_px` takes the place of each reference frame's distance of the eyes, which a turn shrinks."""
    same_length(landmarks_px, reference_px)
    apart = np.linalg.norm(np.asarray(landmarks_px, np.float64) - reference_px, axis=-1).mean(-1)
    unit = interocular_px(reference_px) if unit_px is None else unit_px
    return float((apart / np.maximum(unit, 1e-9)).mean())
