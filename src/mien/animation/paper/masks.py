"""A mask of the photo on the moved head: every pixel's surface point is looked up where the photo has it.

Lin et al. 2022 composite inside a re-projected face mask. A point X of the world is p = R^T (X - t) in the
photo's camera (rotation R and centre t, camera to world) and lies at (f p_x / p_z + c, f p_y / p_z + c).
"""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional as F

from mien.animation.plate import nearest_index
from mien.core.camera import Camera
from mien.core.curves import smoothstep

HIDDEN: Final = (0.012, 0.03)
"""How far behind what the photo shows a point is hidden from it, EG3D units."""


def reproject_mask(
    mask: Float32[np.ndarray, "height width"],
    distance: Float32[np.ndarray, "height width"],
    photo: Camera,
    points: Float[Tensor, "rows columns 3"],
) -> Float[Tensor, "rows columns"]:
    """The mask at points of the photo's world; `distance` is what the photo's camera sees along its rays.

    What the photo does not show, as something hides it there, takes after the nearest pixel that it shows.
    """
    uv = photo.project(points).uv
    grid = (uv * 2 - 1)[None].float()
    image = torch.from_numpy(np.stack([mask, distance]))[None].float()
    value = F.grid_sample(image[:, :1], grid, align_corners=False)[0, 0]
    first = F.grid_sample(image[:, 1:], grid, mode="nearest", padding_mode="border", align_corners=False)
    behind = (points - photo.position).norm(dim=-1) - first[0, 0]
    hidden = smoothstep(behind, *HIDDEN)
    return torch.lerp(value, value[nearest_index(hidden < 0.5)], hidden)
