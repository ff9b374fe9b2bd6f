"""Plates: the photo without what moves, and the photo without the person, in-painted once."""

from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mien.core.curves import smoothstep
from mien.core.nearest import flat_nearest
from mien.generator.render import RenderOutput
from mien.morphable.chart import AXIS_Z
from mien.morphable.model import neck_weight

MOVED: Final = (0.3, 0.55)
"""Neck weights between which the person's pixels leave the plate; the render has taken over before."""
WIDE: Final = (0.19, 0.28)
"""Distances from the neck's axis between which what is low belongs to the shoulders and stays, EG3D units."""
COVERED: Final = (0.05, 0.3)
"""Alpha of the render between which its pixels count as explained by the avatar."""
UNKNOWN: Final = (0.85, 1.0)
"""Neck weights between which what the avatar does not explain begins to move with the head."""


def from_axis(points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
    """Distance from the neck's axis."""
    return torch.hypot(points[..., 0], points[..., 2] - AXIS_Z)


def moving_weight(rest: Float[Tensor, "*batch 3"], chin_y: float) -> Float[Tensor, "*batch"]:
    """How far the neck moves points of the rest pose, in [0, 1]; less on the shoulders than near the neck."""
    weight = neck_weight(rest[..., 1], chin_y)
    wide = smoothstep(from_axis(rest), *WIDE)
    return weight * (1 - wide * (1 - smoothstep(weight, 0.5, 0.9)))


def shown_weight(
    rest: Float[Tensor, "height width 3"], out: RenderOutput, chin_y: float
) -> Float[Tensor, "height width"]:
    """How far the neck moves what each pixel of a render shows; what the avatar does not explain moves only
    where it is not below the chin, where it is clothes."""
    weight = moving_weight(rest, chin_y)
    return torch.lerp(smoothstep(weight, *UNKNOWN), weight, smoothstep(out.alpha, *COVERED))


def filled_depth(out: RenderOutput) -> Float[Tensor, "height width"]:
    """A render's depth; of pixels that show nothing that of the nearest one that does."""
    return out.depth[nearest_index(out.alpha > COVERED[0])]


def nearest_index(valid: Bool[Tensor, "height width"]) -> tuple[Tensor, Tensor]:
    """Row and column of the nearest valid pixel of every pixel; the pixel itself if none is valid."""
    flat = torch.from_numpy(flat_nearest(valid.numpy()))
    return flat // valid.shape[1], flat % valid.shape[1]
