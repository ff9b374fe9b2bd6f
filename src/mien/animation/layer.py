"""A moving head by itself: what is drawn over a picture, and where."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32


@dataclass(frozen=True, eq=False)
class Layer:
    """Pixels of a head on a picture's grid; they may reach beyond the picture."""

    corner_px: tuple[int, int]
    """Column and row of the first pixel in the picture."""
    rgb: Float32[np.ndarray, "height width 3"]
    """In [0, 1], already multiplied by `cover`."""
    cover: Float32[np.ndarray, "height width"]
    """How far the picture is hidden, in [0, 1]."""
