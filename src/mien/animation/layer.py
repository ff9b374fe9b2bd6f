"""A moving head by itself: what is drawn over a picture, and where."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Float32

GAP: Final = 0.02
"""Cover that is missing from which on a pixel is a gap."""
HIDES: Final = 0.9
"""Cover on both sides of a gap."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Pixels of a head on a picture's grid; they may reach beyond the picture."""

    corner_px: tuple[int, int]
    """Column and row of the first pixel in the picture."""
    rgb: Float32[np.ndarray, "height width 3"]
    """In [0, 1], already multiplied by `cover`."""
    cover: Float32[np.ndarray, "height width"]
    """How far the picture is hidden, in [0, 1]."""


def without_gaps(layer: Layer, body: Bool[np.ndarray, "height width"]) -> Layer:
    """A layer without lines of one or two pixels next to the body that hide less than both sides do.

    Where the render ends and the photo's person goes on beside it, neither may cover what is behind.
    """
    near = np.ones((3, 3), np.uint8)
    closed = cv2.morphologyEx(layer.cover, cv2.MORPH_CLOSE, near)
    missing = np.where(cv2.dilate(body.astype(np.uint8), near) > 0, closed - layer.cover, 0)
    gap = (missing > GAP) & (closed > HIDES)
    if not gap.any():
        return layer
    around, cover = cv2.blur(layer.rgb, (3, 3))[gap], cv2.blur(layer.cover, (3, 3))[gap]
    rgb = layer.rgb.copy()
    rgb[gap] += missing[gap, None] * around / cover[:, None]
    return Layer(layer.corner_px, rgb, np.where(gap, closed, layer.cover).astype(np.float32))
