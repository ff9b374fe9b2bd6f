"""EG3D's rendering in two passes: the plain reference that defines the right image.

Every sample of every ray is looked up and decoded. Without a random generator the samples lie in the middle
of their steps, and the image is the same every time; with one, they are drawn in the official order (first
pass: uniform, density noise if any; second pass: the same).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.camera import Rays
from mien.generator.eg3d.decoder import FieldSamples
from mien.generator.eg3d.march import Marched, composite, gap_weights
from mien.generator.eg3d.sampling import (
    box_limits,
    disparity_distances,
    distances_between,
    even_distances,
    importance_distances,
)
from mien.generator.eg3d.triplanes import PlaneAxes


@dataclass(frozen=True)
class RenderingConfig:
    """Where and how densely rays are sampled. Distances in EG3D units."""

    near: float | None = 2.25
    """First distance along the ray; None (then for both): where the ray meets the box."""
    far: float | None = 3.3
    coarse: int = 48
    """Samples of the first pass."""
    fine: int = 48
    """Samples of the second pass, placed by the first; 0 does without."""
    box_side: float = 1.0
    """Side of the box that the planes go through."""
    plane_axes: PlaneAxes = "official"
    white_back: bool = False
    in_disparity: bool = False
    """First-pass samples lie evenly in 1 / distance."""
    density_noise: float = 0.0
    """Deviation of the noise on the raw density, with a random generator only."""


Field = Callable[[Float[Tensor, "batch point 3"]], FieldSamples]
"""The radiance field at world points."""


def march_rays(
    field: Field, rays: Rays, config: RenderingConfig, random: torch.Generator | None = None
) -> Marched:
    """What rays [batch, ray] meet. Gradients come through the last compositing only."""
    t = coarse_distances(rays, config, random)
    coarse = _at(field, rays, t, config, random)
    sigma, rgb = coarse.sigma.view(t.shape), coarse.rgb.view(*t.shape, -1)
    if config.fine:
        u = _fine_draws((*t.shape[:-1], config.fine), t, random)
        t_fine = importance_distances(t, gap_weights(t, sigma).detach(), u)
        fine = _at(field, rays, t_fine, config, random)
        t, order = torch.sort(torch.cat([t, t_fine], -1), -1)
        sigma = torch.cat([sigma, fine.sigma.view(t_fine.shape)], -1).gather(-1, order)
        rgb = torch.cat([rgb, fine.rgb.view(*t_fine.shape, -1)], -2)
        rgb = rgb.gather(-2, order[..., None].expand_as(rgb))
    return composite(t, sigma, rgb, white_back=config.white_back)


def coarse_distances(
    rays: Rays, config: RenderingConfig, random: torch.Generator | None = None
) -> Float[Tensor, "batch ray sample"]:
    """Distances of the first pass."""
    like = rays.origins
    u = _coarse_draws((*like.shape[:-1], config.coarse), like, random)
    if config.near is None or config.far is None:
        return distances_between(*box_limits(rays, config.box_side), u)
    place = disparity_distances if config.in_disparity else even_distances
    return place(config.near, config.far, u)


def _at(
    field: Field, rays: Rays, t: Tensor, config: RenderingConfig, random: torch.Generator | None
) -> FieldSamples:
    points = rays.origins[..., None, :] + rays.directions[..., None, :] * t[..., None]
    found = field(points.flatten(1, 2))
    if random is None or config.density_noise <= 0:
        return found
    noise = torch.randn(found.sigma.shape, generator=random, device=random.device)
    return FieldSamples(found.sigma + config.density_noise * noise.to(found.sigma), found.rgb)


def _coarse_draws(shape: tuple[int, ...], like: Tensor, random: torch.Generator | None) -> Tensor:
    """Shifts of the first-pass samples in their steps."""
    if random is None:
        return torch.full(shape, 0.5, dtype=like.dtype, device=like.device)
    return torch.rand(shape, generator=random, device=random.device).to(like)


def _fine_draws(shape: tuple[int, ...], like: Tensor, random: torch.Generator | None) -> Tensor:
    """Quantiles of the second-pass samples."""
    if random is None:
        return torch.linspace(0, 1, shape[-1], dtype=like.dtype, device=like.device).expand(shape)
    return torch.rand(shape, generator=random, device=random.device).to(like)
