"""What an avatar has before its face: glasses that are rigid with its head, and hands or things held."""

from dataclasses import dataclass

import numpy as np
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


@dataclass(frozen=True, eq=False)
class FaceCover:
    """Hands or things before the face: the photo's own pixels on a sheet that lies on the head at rest."""

    vertices: Float[Tensor, "vertex 3"]
    """Head frame, EG3D units."""
    faces: Int[Tensor, "face 3"]
    uv: Float[Tensor, "vertex 2"]
    """Where each vertex lies in the photo, in [0, 1] from its upper left corner."""
    mask: UInt8[Tensor, "height width"]
    """Share of each pixel of the photo that they take."""


def hidden_share(
    glasses: WornGlasses | None, cover: FaceCover | None
) -> UInt8[np.ndarray, "height width"] | None:
    """Share of each pixel of the photo in which either hides the face; None without both."""
    masks = [worn.mask.numpy() for worn in (glasses, cover) if worn is not None]
    return np.maximum.reduce(masks) if masks else None
