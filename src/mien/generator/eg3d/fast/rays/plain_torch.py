"""Rays with torch alone: any device, any decoder, and gradients to the tables.

The same samples as the compiled engine, found for all rays at once.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from mien.core.camera import Rays
from mien.generator.eg3d.decoder import MARGIN
from mien.generator.eg3d.fast.config import FastConfig
from mien.generator.eg3d.fast.occupancy import lattice_density
from mien.generator.eg3d.fast.rays.base import Field, RayCast, finished, occupied
from mien.generator.eg3d.fast.tables import DecoderLayers, HiddenTables, looked_up
from mien.generator.eg3d.generator import Warp
from mien.generator.eg3d.march import gap_weights
from mien.generator.eg3d.render import RenderingConfig, coarse_distances
from mien.generator.eg3d.sampling import importance_distances

NOTHING = -1e4
"""Raw density of samples that are not looked up."""


class TorchRays:
    """The engine."""

    def prepare(
        self, tables: HiddenTables, layers: DecoderLayers, rendering: RenderingConfig, config: FastConfig
    ) -> Field:
        """The grid; tables stay as they are."""
        with torch.no_grad():
            density = lattice_density(tables, layers, config.grid)
        return Field(tables, layers, occupied(density, tables.limit, rendering, config))

    def cast(
        self,
        field: Field,
        rays: Rays,
        rendering: RenderingConfig,
        config: FastConfig,
        warp: Warp | None = None,
    ) -> RayCast:
        """Gradients flow to the tables through the samples that count; `warp` carries every sample into the
        field first."""
        with torch.no_grad():
            t, points, wanted = chosen_samples(field, rays, rendering, config, warp)
        hidden = _hidden(field, points[wanted])
        sigma = _spread(hidden @ field.layers.sigma + field.layers.sigma_bias, wanted)
        weights = gap_weights(t[None], sigma[None])[0]
        zero = torch.zeros_like(weights[..., :1])
        share = (torch.cat([zero, weights], -1) + torch.cat([weights, zero], -1)) / 2
        coloured = wanted & (share.detach() > config.least_share)
        rgb = torch.sigmoid(hidden[coloured[wanted]] @ field.layers.rgb.T + field.layers.rgb_bias)
        rgb = (rgb * (1 + 2 * MARGIN) - MARGIN) * share[coloured][:, None]
        ray = torch.arange(len(t), device=t.device)[:, None].expand_as(t)[coloured]
        seen = rgb.new_zeros(len(t), rgb.shape[1]).index_add(0, ray, rgb)
        alpha = weights.sum(-1, keepdim=True)
        distance = (weights * (t[..., 1:] + t[..., :-1]) / 2).sum(-1, keepdim=True)
        features, depth = finished(seen, alpha, distance, t, rendering)
        return RayCast(features, depth, alpha, len(hidden), len(rgb))


def chosen_samples(
    field: Field, rays: Rays, rendering: RenderingConfig, config: FastConfig, warp: Warp | None = None
) -> tuple[Float[Tensor, "ray sample"], Float[Tensor, "ray sample 3"], Bool[Tensor, "ray sample"]]:
    """Distances of all samples of both passes, where in the field they are, and which of them can count."""
    t = coarse_distances(Rays(rays.origins[None], rays.directions[None]), rendering)[0]
    points = _points(rays, t, warp)
    wanted = _ends_of_gaps(field.occupancy.at(points))
    hidden = _hidden(field, points[wanted])
    sigma = _spread(hidden @ field.layers.sigma + field.layers.sigma_bias, wanted)
    weights = gap_weights(t[None], sigma[None])[0]
    dark = (1 - weights.cumsum(-1)) < config.stop_transmittance / DARKER
    last = torch.where(dark, t[:, 1:], t.new_full((), torch.inf)).amin(-1, keepdim=True)
    if rendering.fine:
        count = math.ceil(rendering.fine * config.fine_share)
        u = torch.linspace(0, 1, count, dtype=t.dtype, device=t.device).expand(1, len(t), count)
        t_fine = importance_distances(t[None], weights[None], u)[0]
        points = torch.cat([points, _points(rays, t_fine, warp)], 1)
        t, order = torch.sort(torch.cat([t, t_fine], -1), -1)
        points = points.gather(1, order[..., None].expand_as(points))
        wanted = _ends_of_gaps(field.occupancy.at(points))
    return t, points, wanted & (t <= last)


DARKER = 10
"""The first pass sees surfaces roughly, so it must find less light than the limit before it ends a ray."""


def _ends_of_gaps(occupied: Bool[Tensor, "ray sample"]) -> Bool[Tensor, "ray sample"]:
    """Samples at an end of a gap that has an occupied end."""
    wanted = occupied.clone()
    wanted[:, 1:] |= occupied[:, :-1]
    wanted[:, :-1] |= occupied[:, 1:]
    return wanted


def _points(rays: Rays, t: Tensor, warp: Warp | None = None) -> Tensor:
    points = rays.origins[:, None] + rays.directions[:, None] * t[..., None]
    return points if warp is None else warp(points.reshape(1, -1, 3)).view(points.shape)


def _hidden(field: Field, points: Tensor) -> Tensor:
    return F.softplus(looked_up(field.tables, points) + field.layers.first_bias)


def _spread(values: Tensor, wanted: Tensor) -> Tensor:
    """One number per wanted sample, at its place among all; elsewhere next to nothing."""
    return values.new_full(wanted.shape, NOTHING).masked_scatter(wanted, values)
