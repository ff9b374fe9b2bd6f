"""What an engine for rays is: the two passes of the reference, without what cannot be seen."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.camera import Rays
from mien.generator.eg3d.fast.config import FastConfig
from mien.generator.eg3d.fast.occupancy import Occupancy, cells_above, empty_density
from mien.generator.eg3d.fast.tables import DecoderLayers, HiddenTables
from mien.generator.eg3d.render import RenderingConfig


@dataclass(frozen=True, eq=False)
class RayCast:
    """What N rays met."""

    features: Float[Tensor, "ray feature"]
    """In [-1, 1]."""
    depth: Float[Tensor, "ray 1"]
    alpha: Float[Tensor, "ray 1"]
    densities: int
    """Samples whose density was decoded; the reference decodes all."""
    colours: int
    """Samples whose colour was decoded."""

    def images(self, side: int) -> tuple[Tensor, Tensor, Tensor]:
        """Features [1, F, side, side], depth and alpha [1, 1, side, side] of a square image's rays."""
        features, depth, alpha = (
            x.T.reshape(1, -1, side, side) for x in (self.features, self.depth, self.alpha)
        )
        return features, depth, alpha


@dataclass(frozen=True, eq=False)
class Field:
    """A radiance field prepared for fast rendering."""

    tables: HiddenTables
    layers: DecoderLayers
    occupancy: Occupancy


@runtime_checkable
class RayEngine(Protocol):
    """Prepares a field once, then casts rays through it."""

    def prepare(
        self, tables: HiddenTables, layers: DecoderLayers, rendering: RenderingConfig, config: FastConfig
    ) -> Field:
        """Find the occupied cells; may change the tables' number format."""
        ...

    def cast(self, field: Field, rays: Rays, rendering: RenderingConfig, config: FastConfig) -> RayCast:
        """Composite rays [ray] with samples in the middle of their steps."""
        ...


def occupied(
    density: Float[Tensor, "z1 y1 x1"], limit: float, rendering: RenderingConfig, config: FastConfig
) -> Occupancy:
    """The grid of what can be seen, from a lattice of raw densities."""
    near, far = rendering.near, rendering.far
    length = 3**0.5 * rendering.box_side if near is None or far is None else far - near
    return Occupancy(cells_above(density, empty_density(config.empty_opacity, length)), limit)


def finished(
    seen: Float[Tensor, "ray feature"],
    alpha: Float[Tensor, "ray 1"],
    distance: Float[Tensor, "ray 1"],
    t: Float[Tensor, "*ray sample"],
    rendering: RenderingConfig,
) -> tuple[Tensor, Tensor]:
    """Features in [-1, 1] and depth, as `composite` makes them of the sums; t are the coarse samples."""
    if rendering.white_back:
        seen = seen + 1 - alpha
    met = alpha > 0
    depth = torch.where(met, distance / torch.where(met, alpha, torch.ones_like(alpha)), t.max())
    return seen * 2 - 1, depth.clamp(t.min(), t.max())
