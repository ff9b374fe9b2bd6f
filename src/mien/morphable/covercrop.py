"""The picture in which things before a face are looked for: an upright square around it, by a similarity."""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.morphable.facecrop import CROP_UNITS, FaceCrop, crop_for
from mien.morphable.landmarks import LandmarkModel

COVER_PX: Final = 160
COVER_UNITS: Final = 0.56
"""Side of the square at the face's distance, EG3D units."""
LOWER: Final = 0.04
"""How far its middle lies below the face's, in sides."""


def cover_crop(points: Float[Tensor, "478 3"], landmarks: LandmarkModel) -> FaceCrop:
    """The square for points as `crop_for` wants them."""
    face = crop_for(points[None], landmarks)
    side = face.side_px * (COVER_UNITS / CROP_UNITS)
    down = torch.stack([face.roll_rad.sin(), face.roll_rad.cos()], 1)
    return FaceCrop(face.centre_px + LOWER * side[:, None] * down, side, face.roll_rad)
