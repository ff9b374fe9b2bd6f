"""The outline of hair: where a volume thins out over millimetres, hair ends in locks and strands.

The density of hair is smooth over the chart, and a ray that grazes it runs through its soft edge for long:
before a background the outline of a head is a smooth fog. Real hair's is about as wide, but made of strands.
So the optical depth of such rays is spread around that of an outline, and the outline moved in and out from
place to place on the head.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from mien.core.camera import ORBIT_RADIUS, Camera
from mien.core.curves import smoothstep
from mien.generator.posed import NECK_STEPS, PosedHead
from mien.generator.volume import SOFTNESS
from mien.morphable.chart import AXIS_Z

OUTLINE: Final = math.log(2.0)
"""Optical depth that stays as it is: half of the light passes."""
STEEPNESS: Final = 2.0
"""Power of an optical depth, counted from `OUTLINE`."""
UNEVEN: Final = 0.4
"""Standard deviation of the logarithm of the optical depth by which the outline is moved: 0.8 mm, as
the depth changes by a factor of e over 2 mm."""
STRANDS: Final = (-0.21, -0.16)
"""Heights (y of the head at rest) between which unevenness begins: below the chin a volume may be clothes."""
CELL: Final = 0.004
"""Side of the cells of the finer unevenness on a head of `RADIUS`, EG3D units (2 mm); never less than
`CELL_PX` pixels."""
CELL_PX: Final = 2.5
COARSER: Final = 3.0
SLANT: Final = 2.5
"""How far down a strand goes for the way that it goes outwards."""
RADIUS: Final = 0.2
TABLE: Final = 112
"""Cells of the table of unevenness on each axis: all around a head of `RADIUS`."""
BODY: Final = 0.02
"""Share of the body from which on a pixel shows no outline."""
FAINT: Final = 0.004
SEED: Final = 7


@dataclass(frozen=True, eq=False)
class Outline:
    """Pixels that show hair before nothing."""

    index: Int[Tensor, " outline"]
    alpha: Float[Tensor, " outline"]
    """What it becomes."""


def with_outline(
    image: Float[Tensor, "pixel column"],
    head: PosedHead,
    camera: Camera,
    size: tuple[int, int],
    share: float = 1.0,
) -> None:
    """Give the hair of a rendered picture of `size` (height, width) its outline, in place, or a share of it.

    Columns are those of `render`: premultiplied rgb, alpha, distance, three of the body, alpha of the hair.
    """
    found = outline_of(image, head, camera, size, share)
    old = image[found.index, 3]
    image[found.index, :3] *= (found.alpha / old)[:, None]
    image[found.index, 3] = found.alpha
    image[found.index, 8] = found.alpha


def outline_of(
    image: Float[Tensor, "pixel column"],
    head: PosedHead,
    camera: Camera,
    size: tuple[int, int],
    share: float = 1.0,
) -> Outline:
    """Where hair thins out before nothing, and how much of it is to be seen there."""
    alpha, hair = image[:, 3], image[:, 8]
    index = torch.nonzero((alpha - hair < BODY) & (hair > FAINT) & (alpha < 1 - FAINT))[:, 0]
    row, column = torch.div(index, size[1], rounding_mode="floor"), index % size[1]
    rays = camera.rays_at(torch.stack([(column + 0.5) / size[1], (row + 0.5) / size[0]], 1))
    points = rays.origins + rays.directions * image[index, 4, None]
    if head.motion is not None:
        points = head.motion.invert_rigid_first(points, steps=NECK_STEPS)
    away = torch.log(-torch.log1p(-alpha[index]) / OUTLINE)
    pixel = ORBIT_RADIUS / float(camera.intrinsics[0, 0] * size[1])
    noise = unevenness(points, -SOFTNESS * away, max(CELL, CELL_PX * pixel))
    away = away + share * UNEVEN * smoothstep(points[:, 1], *STRANDS) * noise
    return Outline(index, 1 - torch.exp(-OUTLINE * torch.exp((1 + share * (STEEPNESS - 1)) * away)))


def unevenness(
    points: Float[Tensor, "point 3"], outwards: Float[Tensor, " point"], cell: float = CELL
) -> Float[Tensor, " point"]:
    """Noise of two sizes and unit variance at points at rest, `outwards` (EG3D units) of the outline.

    It goes by the direction in which a point lies from the head's middle, and is carried down with the
    distance from the outline: along lines that leave the head as strands do.
    """
    direction = F.normalize(points - torch.tensor([0.0, 0.0, AXIS_Z]), dim=1)
    up = torch.tensor([0.0, 1.0, 0.0]) - direction[:, 1, None] * direction
    direction = direction + (SLANT / RADIUS * outwards)[:, None] * up
    fine = direction * (2 * RADIUS / cell / TABLE)
    both = torch.stack([fine, fine / COARSER + 0.2])[None, :, :, None]
    found = F.grid_sample(_noise(), both, align_corners=False)[0, 0, :, :, 0]
    return found.sum(0)


@lru_cache(maxsize=1)
def _noise() -> Float[Tensor, "1 1 z y x"]:
    """Linear lookups keep (2/3)^3 of the values' variance on average over a cell, two sizes twice that."""
    random = torch.Generator().manual_seed(SEED)
    return torch.randn(1, 1, TABLE, TABLE, TABLE, generator=random) / math.sqrt(2 * (2 / 3) ** 3)
