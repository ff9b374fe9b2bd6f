"""What the compiled march through the hair looks up of one head."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from mien.core.compiled import has_numba
from mien.generator.haircolours import HairColours
from mien.generator.planes import Planes, channels_last, wrap
from mien.morphable.carry import FIXED_POINT_STEPS, Carrier

CELL: Final = 0.0125
"""EG3D units."""
MARGIN: Final = 0.06
"""Around the shell: rays are followed a step beyond it."""
REACH: Final = 1.0
"""No node is farther from the head frame's origin on any axis, whatever an avatar's file says."""
TOLERANCE: Final = (1e-3, 1e-3, 3e-4)
"""How far the middle of a cell may be off in u, v and radius: at most 0.2, 0.3 and 0.15 mm."""


@dataclass(frozen=True, eq=False)
class RestGrid:
    """Azimuth, arc length and radius of the chart around a head at rest, tabulated at the nodes of a grid of
    cubes: `Carrier.to_planes` but for the body's radius, which has finer bumps than the cubes."""

    low: Float[np.ndarray, "3"]
    """The first node, head frame, EG3D units."""
    nodes: Float32[np.ndarray, "z y x 3"]
    is_exact: Bool[np.ndarray, "z-1 y-1 x-1"]
    """Cells in which looking up is not near enough, as u wraps around or turns about the crown."""


@dataclass(frozen=True, eq=False)
class HairTables:
    """Images with channels last, float32; what wraps in u has a column of the other end on each side."""

    grid: RestGrid
    images: tuple[np.ndarray, ...]
    """Displacement [v, u + 2, 3] and body radius [v, u + 2, 1] of the carrier, outer height and density of
    the hair [v, u + 2, 2], and `HairColours.over_chart` (colour, nothing, slope, nothing) [v, u + 2, 8]."""


def make_hair_tables(
    planes: Planes, colours: HairColours | None, carrier: Carrier, shell_head: Float[Tensor, "point 3"]
) -> HairTables | None:
    """The tables of a tuned head around points of its shell; None where the compiled march cannot be used."""
    if not has_numba() or colours is None or planes.hair_height is None:
        return None
    density = torch.ones_like(planes.hair_height) if planes.hair_density is None else planes.hair_density
    carried = (wrap(carrier.displacement[None]), wrap(carrier.model.body_radius[None, None].float()))
    shape = wrap(torch.cat([planes.hair_height, density], 1))
    displacement, radius, *rest = (
        channels_last(image) for image in (*carried, shape, _aligned(colours.over_chart()))
    )
    grid = make_rest_grid(displacement, shell_head)
    return HairTables(grid, (displacement, radius, *rest))


def make_rest_grid(displacement: Float32[np.ndarray, "v u2 3"], points: Float[Tensor, "point 3"]) -> RestGrid:
    """A grid around points of the head frame, as far as they are within `REACH`."""
    from mien.generator.kernels.restgrid import fill_grid

    low, high = (
        np.clip(np.nan_to_num(side.double().numpy()), -REACH, REACH)
        for side in (points.amin(0) - MARGIN, points.amax(0) + MARGIN)
    )
    x, y, z = np.maximum(np.ceil((high - low) / CELL).astype(int), 1) + 1
    nodes, is_exact = np.empty((z, y, x, 3), np.float32), np.empty((z - 1, y - 1, x - 1), np.bool_)
    fill_grid(low, CELL, displacement, FIXED_POINT_STEPS, np.array(TOLERANCE), nodes, is_exact)
    return RestGrid(low, nodes, is_exact)


def _aligned(colours: Float[Tensor, "1 6 v u"]) -> Float[Tensor, "1 8 v u"]:
    near, slope = colours.split(3, 1)
    nothing = torch.zeros_like(near[:, :1])
    return torch.cat([near, nothing, slope, nothing], 1)
