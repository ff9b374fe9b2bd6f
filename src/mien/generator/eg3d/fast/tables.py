"""Planes as the decoder's first layer sees them.

The first layer is linear and so is the lookup, so the layer can go over the planes once, instead of over each
sample. Planes that look along the same two axes (published weights: (x, z) and (z, x)) become one.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.generator.eg3d.decoder import OsgDecoder
from mien.generator.eg3d.triplanes import COORDINATES, PlaneAxes
from mien.generator.stylegan2.layers import FullyConnected


@dataclass(frozen=True, eq=False)
class DecoderLayers:
    """The decoder's weights, scaled as they are used."""

    first: Float[Tensor, "hidden channel"]
    first_bias: Float[Tensor, " hidden"]
    sigma: Float[Tensor, " hidden"]
    sigma_bias: Float[Tensor, ""]
    rgb: Float[Tensor, "feature hidden"]
    rgb_bias: Float[Tensor, " feature"]


@dataclass(frozen=True, eq=False)
class HiddenTables:
    """Summands of the hidden layer (before its bias and softplus) at the texels of each table."""

    values: Float[Tensor, "table row column hidden"]
    """With a border of one texel of zeros."""
    pairs: tuple[tuple[int, int], ...]
    """Coordinates along the columns and the rows of each table."""
    box_side: float

    @property
    def limit(self) -> float:
        """Beyond this coordinate (EG3D units) the lookup gives what it gives there: nothing."""
        return self.box_side / 2 * (1 + 1 / (self.values.shape[1] - 2))


def decoder_layers(decoder: OsgDecoder) -> DecoderLayers:
    """Plain matrices of the decoder."""
    (w1, b1), (w2, b2) = (_scaled(decoder.net[index]) for index in (0, 2))
    return DecoderLayers(w1, b1, w2[0], b2[0], w2[1:], b2[1:])


def _scaled(layer: torch.nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(layer, FullyConnected)
    return layer.weight * (layer.lr / layer.weight.shape[1] ** 0.5), layer.bias * layer.lr


def hidden_tables(
    planes: Float[Tensor, "3 channel y x"], layers: DecoderLayers, *, box_side: float, axes: PlaneAxes
) -> HiddenTables:
    """The tables of one set of planes. Carries gradients."""
    merged: dict[tuple[int, int], Tensor] = {}
    for plane, (column, row) in zip(planes, COORDINATES[axes], strict=True):
        if (row, column) in merged:
            merged[row, column] = merged[row, column] + plane.transpose(1, 2)
        else:
            merged[column, row] = plane
    weight = layers.first / len(planes)
    values = [F.pad(torch.einsum("hc,cyx->yxh", weight, p), (0, 0, 1, 1, 1, 1)) for p in merged.values()]
    return HiddenTables(torch.stack(values), tuple(merged), box_side)


def looked_up(tables: HiddenTables, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point hidden"]:
    """Sums of bilinear values at world points: the same as `sample_triplanes` and the first layer's weight.

    Carries gradients to the tables. All reads are one bag of weighted rows, which runs at memory speed.
    """
    count, rows, columns, hidden = tables.values.shape
    side = rows - 2
    index, weight = [], []
    for table, (c, r) in enumerate(tables.pairs):
        (x, right), (y, down) = (_placed(points[:, axis], tables.box_side, side) for axis in (c, r))
        base = (table * rows + y) * columns + x
        w11 = right * down
        index += [base, base + 1, base + columns, base + columns + 1]
        weight += [1 - right - down + w11, right - w11, down - w11, w11]
    flat = tables.values.reshape(count * rows * columns, hidden)
    return F.embedding_bag(
        torch.stack(index, 1), flat, mode="sum", per_sample_weights=torch.stack(weight, 1).to(flat.dtype)
    )


def _placed(coordinate: Tensor, box_side: float, side: int) -> tuple[Tensor, Tensor]:
    """Texel before a coordinate in a padded table of `side` texels, and the fraction beyond it."""
    at = ((coordinate * (2 / box_side) + 1) * (side / 2) + 0.5).clamp(0, side + 1)
    first = at.long().clamp(max=side)
    return first, at - first


def lattice_tables(tables: HiddenTables, cells: int) -> Float[Tensor, "table row column hidden"]:
    """Tables at `cells` + 1 evenly spaced coordinates from -limit to limit."""
    at = torch.linspace(-1, 1, cells + 1, device=tables.values.device, dtype=tables.values.dtype)
    y, x = torch.meshgrid(at, at, indexing="ij")
    # The corners of the range are the middles of the border texels.
    grid = torch.stack([x, y], -1).expand(len(tables.values), -1, -1, -1)
    maps = tables.values.permute(0, 3, 1, 2)
    found = F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return found.permute(0, 2, 3, 1).contiguous()
