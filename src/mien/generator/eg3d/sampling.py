"""Where samples lie along rays: stratified first, then where the first pass saw something.

Distances are along unit directions, in EG3D units. Pure functions; the random numbers are arguments.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.camera import Rays

WEIGHT_FLOOR: Final = 0.01
"""Added to all smoothed weights, so that no part of the ray is left out."""
PDF_FLOOR: Final = 1e-5


def even_distances(near: float, far: float, u: Float[Tensor, "*ray sample"]) -> Float[Tensor, "*ray sample"]:
    """n samples at near + (i + u) (far - near) / (n - 1), u in [0, 1).

    The shift by u is one-sided, so the last sample can lie beyond `far` by one step.
    """
    count = u.shape[-1]
    start = torch.linspace(near, far, count, dtype=u.dtype, device=u.device)
    return start + u * ((far - near) / (count - 1))


def disparity_distances(
    near: float, far: float, u: Float[Tensor, "*ray sample"]
) -> Float[Tensor, "*ray sample"]:
    """The same evenly in 1 / distance."""
    fraction = even_distances(0.0, 1.0, u)
    return 1 / ((1 - fraction) / near + fraction / far)


def distances_between(
    near: Float[Tensor, "*ray"], far: Float[Tensor, "*ray"], u: Float[Tensor, "*ray sample"]
) -> Float[Tensor, "*ray sample"]:
    """As `even_distances`, between the limits of each ray."""
    step = torch.arange(u.shape[-1], dtype=u.dtype, device=u.device) + u
    return near[..., None] + (far - near)[..., None] / (u.shape[-1] - 1) * step


def smoothed(weights: Float[Tensor, "*ray bin"]) -> Float[Tensor, "*ray bin"]:
    """Maximum of neighbours, then mean of neighbours, plus a floor (Mip-NeRF, Barron et al. 2021, 3.1)."""
    padded = torch.cat([weights[..., :1], weights, weights[..., -1:]], -1)
    larger = torch.maximum(padded[..., :-1], padded[..., 1:])
    return (larger[..., :-1] + larger[..., 1:]) / 2 + WEIGHT_FLOOR


@torch.no_grad()
def importance_distances(
    t: Float[Tensor, "batch ray coarse"],
    weights: Float[Tensor, "batch ray bin"],
    u: Float[Tensor, "batch ray fine"],
) -> Float[Tensor, "batch ray fine"]:
    """Distances distributed like the weights of the first pass (NeRF, Mildenhall et al. 2020, 5.2).

    `weights` stand for the gaps between the samples `t`. The two outermost are left out and the distribution
    lives between the middles of the gaps, as in EG3D. Carries no gradient.
    """
    middles = (t[..., 1:] + t[..., :-1]) / 2
    pdf = smoothed(weights)[..., 1:-1] + PDF_FLOOR
    cdf = torch.cumsum(pdf / pdf.sum(-1, keepdim=True), -1)
    cdf = torch.cat([torch.zeros_like(cdf[..., :1]), cdf], -1).contiguous()
    above = torch.searchsorted(cdf, u.contiguous(), right=True)
    below = (above - 1).clamp(min=0)
    above = above.clamp(max=cdf.shape[-1] - 1)
    start, low = middles.gather(-1, below), cdf.gather(-1, below)
    end, high = middles.gather(-1, above), cdf.gather(-1, above)
    gap = high - low
    fraction = (u - low) / torch.where(gap < PDF_FLOOR, torch.ones_like(gap), gap)
    return start + fraction * (end - start)


def box_limits(rays: Rays, box_side: float) -> tuple[Float[Tensor, "batch ray"], Float[Tensor, "batch ray"]]:
    """Distances at which rays enter and leave the box of side `box_side` around the origin (slab test).

    Rays that miss it get the smallest and the largest distance at which others enter it, as in EG3D (the
    largest at which others leave it was probably meant; nothing is there either way). If all miss: 0 and 0.
    """
    inverse = 1 / rays.directions
    one, other = (-box_side / 2 - rays.origins) * inverse, (box_side / 2 - rays.origins) * inverse
    near = torch.minimum(one, other).amax(-1)
    far = torch.maximum(one, other).amin(-1)
    hit = far > near
    if not hit.any():
        return torch.zeros_like(near), torch.zeros_like(far)
    entered = near[hit]
    return torch.where(hit, near, entered.min()), torch.where(hit, far, entered.max())
