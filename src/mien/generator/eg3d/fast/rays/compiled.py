"""Rays on a processor: one compiled loop per ray, with tables in half precision."""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mien.core.camera import Rays
from mien.core.compiled import has_numba, in_pieces
from mien.generator.eg3d.fast.config import FastConfig
from mien.generator.eg3d.fast.rays.base import Field, RayCast, finished, occupied
from mien.generator.eg3d.fast.tables import DecoderLayers, HiddenTables, lattice_tables
from mien.generator.eg3d.render import RenderingConfig, coarse_distances
from mien.morphable.warp import HeadWarp

PIECE_RAYS, PIECE_SLABS = 512, 8
HALF_LIMIT = 6e4
"""Tables with larger values do not fit half precision."""
HIDDEN, COLOURS = 64, 32
"""The decoder that the kernels are compiled for: that of all published checkpoints."""


class CompiledRays:
    """The engine. Needs numba."""

    @staticmethod
    def supports(tables: HiddenTables, layers: DecoderLayers) -> bool:
        """Whether numba is there, the numbers are a processor's, and the decoder has the usual size."""
        fits = layers.rgb.shape == (COLOURS, HIDDEN) and bool(tables.values.abs().max() < HALF_LIMIT)
        return has_numba() and tables.values.device.type == "cpu" and fits

    def prepare(
        self, tables: HiddenTables, layers: DecoderLayers, rendering: RenderingConfig, config: FastConfig
    ) -> Field:
        """Float16 tables and the grid."""
        from mien.generator.eg3d.fast.kernels.field import lattice_density

        size = config.grid + 1
        density = np.empty((size, size, size), np.float32)
        lattices, pairs = lattice_tables(tables, config.grid).numpy(), np.array(tables.pairs)
        weights = (_array(layers.first_bias), _array(layers.sigma), np.float32(layers.sigma_bias))

        def slab(z: int) -> None:
            lattice_density(lattices, pairs, *weights, z, min(z + PIECE_SLABS, size), density)

        in_pieces(slab, range(0, size, PIECE_SLABS))
        occupancy = occupied(torch.from_numpy(density), tables.limit, rendering, config)
        return Field(replace(tables, values=tables.values.half()), layers, occupancy)

    def cast(
        self,
        field: Field,
        rays: Rays,
        rendering: RenderingConfig,
        config: FastConfig,
        warp: HeadWarp | None = None,
    ) -> RayCast:
        """One loop per ray, on all of torch's threads."""
        from mien.generator.eg3d.fast.kernels.carry import described
        from mien.generator.eg3d.fast.kernels.rays import march_rays

        count = len(rays.origins)
        one = Rays(rays.origins[None], rays.directions[None])
        t = coarse_distances(one, rendering)[0]
        fine = math.ceil(rendering.fine * config.fine_share)
        layers, tables = field.layers, field.tables
        seen = torch.zeros(count, COLOURS)
        sums, used = torch.zeros(count, 2), torch.zeros(count, 2, dtype=torch.int32)
        bits = tables.values.view(torch.int16).numpy().view(np.uint16)
        lookup = (
            bits, np.array(tables.pairs), np.float32(2 / tables.box_side), _array(layers.first_bias),
            _array(layers.sigma), np.float32(layers.sigma_bias),
        )  # fmt: skip
        origins, directions, distances = _array(rays.origins), _array(rays.directions), _array(t)
        colour = (_array(layers.rgb.T), _array(layers.rgb_bias))
        carried = described(warp)
        cells = field.occupancy.cells.numpy().view(np.uint8)

        def some(first: int) -> None:
            march_rays(
                first, min(first + PIECE_RAYS, count), origins, directions, distances, fine, carried,
                lookup, colour, cells, np.float32(tables.limit), np.float32(config.stop_transmittance),
                np.float32(config.least_share), np.float32(config.decoded_together),
                seen.numpy(), sums.numpy(), used.numpy(),
            )  # fmt: skip

        in_pieces(some, range(0, count, PIECE_RAYS))
        features, depth = finished(seen, sums[:, :1], sums[:, 1:], t, rendering)
        densities, colours = used.sum(0).tolist()
        return RayCast(features, depth, sums[:, :1], densities, colours)


def _array(x: Tensor) -> np.ndarray:
    return np.ascontiguousarray(x.detach().float().numpy())
