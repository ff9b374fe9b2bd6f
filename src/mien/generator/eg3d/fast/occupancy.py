"""Which cells of the head box may hold something that can be seen."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from mien.generator.eg3d.fast.tables import DecoderLayers, HiddenTables, lattice_tables
from mien.generator.eg3d.march import SHIFT


@dataclass(frozen=True, eq=False)
class Occupancy:
    """A grid over [-limit, limit]^3. The field beyond is what it is at the nearest point of the edge."""

    cells: Bool[Tensor, "z y x"]
    limit: float
    """EG3D units."""

    def at(self, points: Float[Tensor, "*batch 3"]) -> Bool[Tensor, "*batch"]:
        """Whether the cells of world points may hold something."""
        size = len(self.cells)
        x, y, z = ((points + self.limit) * (size / (2 * self.limit))).long().clamp(0, size - 1).unbind(-1)
        return self.cells[z, y, x]


def empty_density(opacity: float, length: float) -> float:
    """The raw density that adds this opacity over a length (EG3D units)."""
    thick = -math.log1p(-opacity) / length
    return math.log(math.expm1(thick)) + SHIFT


def cells_above(density: Float[Tensor, "z1 y1 x1"], threshold: float) -> Bool[Tensor, "z y x"]:
    """Cells of a lattice of raw densities near which one is above `threshold`.

    Besides its eight corners a cell looks at all lattice points one further: between lattice points the
    density can be larger than at them, but it does not rise from nothing and fall again within a cell
    unless planes differ from texel to texel.
    """
    near = F.max_pool3d(density[None, None], 4, stride=1, padding=1)[0, 0]
    return near > threshold


def lattice_density(tables: HiddenTables, layers: DecoderLayers, cells: int) -> Float[Tensor, "z1 y1 x1"]:
    """Raw density at `cells` + 1 lattice points along each side, from -limit to limit."""
    lattices = lattice_tables(tables, cells)
    axes_of = {2: "z", 1: "y", 0: "x"}
    slabs = []
    for z in range(cells + 1):
        total = layers.first_bias.expand(cells + 1, cells + 1, -1)  # [y, x, hidden]
        for values, (column, row) in zip(lattices, tables.pairs, strict=True):
            total = total + _slab(values, axes_of[column], axes_of[row], z)
        slabs.append(F.softplus(total) @ layers.sigma + layers.sigma_bias)
    return torch.stack(slabs)


def _slab(values: Tensor, column: str, row: str, z: int) -> Tensor:
    """A table's values at the points (y, x) of the slab z."""
    if row == "z":
        line = values[z]  # along the columns
        return line[None] if column == "x" else line[:, None]
    if column == "z":
        line = values[:, z]
        return line[None] if row == "x" else line[:, None]
    return values if column == "x" else values.transpose(0, 1)
