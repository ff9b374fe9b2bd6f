"""Volume rendering of hair in front of the opaque body, in two passes (NeRF, Mildenhall et al. 2020, 5.2).

Density is a function of the height above the body: sigma = SIGMA * sigmoid((outer - height) / SOFTNESS), with
`outer` the decoded hair height. The mesh itself is the limit of a sharp density: opaque at its first hit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.generator.decoder import Decoded
from mien.morphable.chart import HEIGHT_RANGE

SIGMA: Final = 220.0  # per EG3D unit
SOFTNESS: Final = 0.004  # EG3D units
MISSED: Final = 1e8  # distances beyond this are misses


@dataclass(frozen=True)
class MarchConfig:
    """Samples per ray."""

    coarse: int = 24
    fine: int = 24


@dataclass(frozen=True, eq=False)
class Marched:
    """Composited hair of N rays."""

    rgb: Float[Tensor, "batch ray 3"]
    """Premultiplied colour of the hair."""
    alpha: Float[Tensor, "batch ray"]
    depth: Float[Tensor, "batch ray"]
    """Alpha-weighted distance of the hair (not divided by alpha)."""


Field = Callable[[Float[Tensor, "batch point 3"]], tuple[Decoded, Tensor]]
"""Decoded outputs and height above the body at points of the observed frame."""


def density(
    outer: Float[Tensor, "batch point"],
    height: Float[Tensor, "batch point"],
    share: Float[Tensor, "batch point"] | None = None,
) -> Float[Tensor, "batch point"]:
    """Density per EG3D unit at a height, where the hair reaches to the height `outer`; `share` scales it."""
    inside = ((height > HEIGHT_RANGE[0]) & (height < HEIGHT_RANGE[1])).to(height.dtype)
    full = SIGMA * torch.sigmoid((outer - height) / SOFTNESS) * inside
    return full if share is None else full * share


def stratified(
    near: Float[Tensor, "*ray"],
    far: Float[Tensor, "*ray"],
    count: int,
) -> Float[Tensor, "*ray {count}"]:
    """Distances at the middle of equal bins."""
    step = (torch.arange(count, device=near.device, dtype=near.dtype) + 0.5) / count
    return near[..., None] + (far - near)[..., None] * step


def importance(
    t: Float[Tensor, "batch ray coarse"], weight: Float[Tensor, "batch ray coarse"], count: int
) -> Float[Tensor, "batch ray {count}"]:
    """Distances drawn from the piecewise-constant distribution of weights, deterministic (inverse CDF)."""
    padded = torch.nn.functional.pad(weight, (1, 1), mode="replicate")
    smooth = 0.5 * (torch.maximum(padded[..., :-2], weight) + torch.maximum(weight, padded[..., 2:])) + 1e-3
    cdf = torch.cumsum(smooth / smooth.sum(-1, keepdim=True), -1)
    cdf = torch.cat([torch.zeros_like(cdf[..., :1]), cdf], -1)
    u = (
        ((torch.arange(count, device=t.device, dtype=t.dtype) + 0.5) / count)
        .expand(*t.shape[:-1], count)
        .contiguous()
    )
    bin_index = (torch.searchsorted(cdf.contiguous(), u, right=True) - 1).clamp(0, t.shape[-1] - 1)
    low, high = torch.gather(cdf, -1, bin_index), torch.gather(cdf, -1, bin_index + 1)
    half = (t[..., 1:2] - t[..., 0:1]) / 2
    start = torch.gather(t, -1, bin_index) - half
    return start + (u - low) / (high - low).clamp(min=1e-6) * 2 * half


def quadrature(
    t: Float[Tensor, "*ray sample"],
    sigma: Float[Tensor, "*ray sample"],
    far: Float[Tensor, "*ray"],
    near: Float[Tensor, "*ray"] | None = None,
) -> tuple[Float[Tensor, "*ray sample"], Float[Tensor, "*ray"]]:
    """Weights of sorted samples, each standing for the gap around it, and the share that passes them all."""
    first = t[..., :1] if near is None else near[..., None]
    edges = torch.cat([first, (t[..., 1:] + t[..., :-1]) / 2, torch.maximum(far[..., None], t[..., -1:])], -1)
    transparency = torch.exp(-sigma * (edges[..., 1:] - edges[..., :-1]))
    through = torch.cumprod(torch.cat([torch.ones_like(transparency[..., :1]), transparency], -1), -1)
    return through[..., :-1] * (1 - transparency), through[..., -1]


def composite(
    t: Float[Tensor, "batch ray sample"],
    sigma: Float[Tensor, "batch ray sample"],
    rgb: Float[Tensor, "batch ray sample 3"],
    far: Float[Tensor, "batch ray"],
    near: Float[Tensor, "batch ray"] | None = None,
) -> tuple[Marched, Float[Tensor, "batch ray sample"]]:
    """Colour, alpha and weighted distance of sorted samples; also the weights."""
    weight, passing = quadrature(t, sigma, far, near)
    return Marched((weight[..., None] * rgb).sum(-2), 1 - passing, (weight * t).sum(-1)), weight


def march(
    field: Field,
    origins: Float[Tensor, "batch ray 3"],
    directions: Float[Tensor, "batch ray 3"],
    near: Float[Tensor, "batch ray"],
    far: Float[Tensor, "batch ray"],
    config: MarchConfig,
) -> Marched:
    """Two-pass rendering of the hair between `near` and `far` (which is the body where it is hit)."""

    def evaluate(t: Tensor) -> tuple[Tensor, Tensor]:
        points = origins[..., None, :] + directions[..., None, :] * t[..., None]
        decoded, height = field(points.flatten(1, 2))
        sigma = density(decoded.hair_height, height, decoded.hair_share).view(t.shape)
        return sigma, decoded.hair_rgb.view(*t.shape, 3)

    t = stratified(near, far, config.coarse)
    sigma, rgb = evaluate(t)
    if config.fine == 0:
        return composite(t, sigma, rgb, far)[0]
    with torch.no_grad():
        _, weight = composite(t, sigma, rgb, far)
        t_fine = importance(t, weight, config.fine)  # rounding may carry it over the ends
        t_fine = torch.minimum(torch.maximum(t_fine, near[..., None]), far[..., None])
    sigma_fine, rgb_fine = evaluate(t_fine)
    t, order = torch.sort(torch.cat([t, t_fine], -1), -1)
    sigma = torch.gather(torch.cat([sigma, sigma_fine], -1), -1, order)
    rgb = torch.gather(torch.cat([rgb, rgb_fine], -2), -2, order[..., None].expand(*order.shape, 3))
    return composite(t, sigma, rgb, far)[0]
