"""Glasses that an avatar wears: coloured triangles that are rigid with its head."""

from dataclasses import dataclass

from jaxtyping import Float, Int, UInt8
from torch import Tensor


@dataclass(frozen=True, eq=False)
class WornGlasses:
    """Frame, and lenses if they hide the eyes, on the head at rest. Clear lenses are not there."""

    vertices: Float[Tensor, "vertex 3"]
    """Head frame, EG3D units."""
    faces: Int[Tensor, "face 3"]
    rgba: Float[Tensor, "vertex 4"]
    """Colour in [0, 1] as in the photo, not premultiplied, and alpha."""
    mask: UInt8[Tensor, "height width"]
    """Share of each pixel of the photo in which they hide the face."""
