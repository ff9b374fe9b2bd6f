"""Colours next to a person's outline: trusted only as far as they agree with what lies deeper inside.

Light from behind, and what the matte leaves of the background, make a rim that a photo shows edge-on. Seen
from the side it would be a broad stripe.
"""

from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Float32

REACH: Final = 0.05
"""How far from the outline a colour can be a rim's, of the crop's side."""
INSIDE: Final = 0.035
"""How far from it colours begin that are believed, of the crop's side."""
SPREAD: Final = 0.03
"""Over what length (standard deviation) believed colours are carried outwards, of the crop's side."""
UNLIKE: Final = 14.0
"""Distance in CIELAB at which a rim's colour counts half."""
LEAST_SIDE_PX: Final = 200.0
"""A small head's matte is blurred over as many pixels as that of one of this size."""
LEAST: Final = 1e-3


def rim_weight(
    rgb: Float32[np.ndarray, "height width 3"],
    away_px: Float32[np.ndarray, "height width"],
    kinds: tuple[Bool[np.ndarray, "height width"], ...],
    side_px: float,
) -> Float32[np.ndarray, "height width"]:
    """Weight in [0, 1] of colours (RGB in [0, 255]) at a distance from the outline, each kind for itself.

    1 away from the outline; near it a colour counts less the more it differs from the mean of its kind deeper
    inside, which is carried outwards by a normalised Gaussian. Where its kind is nowhere deep, 1.
    """
    lab = cv2.cvtColor(rgb / np.float32(255), cv2.COLOR_RGB2LAB)
    weight = np.ones(away_px.shape, np.float32)
    side_px = max(side_px, LEAST_SIDE_PX)
    near = np.clip((REACH * side_px - away_px) / max((REACH - INSIDE) * side_px, 1.0), 0, 1)
    deep = away_px > INSIDE * side_px
    for kind in kinds:
        believed = (deep & kind).astype(np.float32)
        reach = _blurred(believed, side_px)
        inner = _blurred(lab * believed[..., None], side_px) / np.maximum(reach, LEAST)[..., None]
        unlike = np.linalg.norm(lab - inner, axis=2) / UNLIKE
        agree = 1 / (1 + unlike**4)
        share = np.where(kind & (reach > LEAST), near, 0)
        weight = weight * (1 - share * (1 - agree))
    return weight.astype(np.float32)


def outline_distance(alpha: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "height width"]:
    """Pixels from the person's outline, 0 outside."""
    return np.asarray(cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 5))


def _blurred(image: np.ndarray, side_px: float) -> np.ndarray:
    """Two widths together: close colours count most, far ones where there are no others."""
    fine = cv2.GaussianBlur(image, (0, 0), SPREAD * side_px)
    coarse = cv2.GaussianBlur(image, (0, 0), 4 * SPREAD * side_px)
    return np.asarray(fine + 0.02 * coarse)
