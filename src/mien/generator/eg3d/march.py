"""Compositing samples along rays, by mid-points (Mip-NeRF, Barron et al. 2021; NeRF quadrature, eq. 3)."""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

SHIFT: Final = 1.0
"""Density is softplus(sigma - 1), per EG3D unit."""
PASSING: Final = 1e-10


@dataclass(frozen=True, eq=False)
class Marched:
    """What was met along N rays."""

    features: Float[Tensor, "batch ray feature"]
    """Colour features in [-1, 1], over black (-1) or white (1)."""
    depth: Float[Tensor, "batch ray 1"]
    """Weighted mean distance along the ray (EG3D units), divided by alpha; the farthest where alpha is 0."""
    weights: Float[Tensor, "batch ray gap"]

    @property
    def alpha(self) -> Float[Tensor, "batch ray 1"]:
        """Share of the light that was met, in [0, 1]."""
        return self.weights.sum(-1, keepdim=True)


def gap_weights(
    t: Float[Tensor, "batch ray sample"], sigma: Float[Tensor, "batch ray sample"]
) -> Float[Tensor, "batch ray gap"]:
    """Weights of the gaps between sorted samples: w = alpha T, with the mean raw density of the two ends."""
    middle = (sigma[..., 1:] + sigma[..., :-1]) / 2
    alpha = 1 - torch.exp(-F.softplus(middle - SHIFT) * (t[..., 1:] - t[..., :-1]))
    passing = torch.cat([torch.ones_like(alpha[..., :1]), 1 - alpha + PASSING], -1)
    return alpha * torch.cumprod(passing, -1)[..., :-1]


def composite(
    t: Float[Tensor, "batch ray sample"],
    sigma: Float[Tensor, "batch ray sample"],
    rgb: Float[Tensor, "batch ray sample feature"],
    *,
    white_back: bool = False,
) -> Marched:
    """Composite sorted samples. Depth is clamped to the nearest and farthest sample of the whole batch."""
    weights = gap_weights(t, sigma)
    alpha = weights.sum(-1, keepdim=True)
    colour = (rgb[..., 1:, :] + rgb[..., :-1, :]) / 2
    seen = (weights[..., None] * colour).sum(-2)
    if white_back:
        seen = seen + 1 - alpha
    distance = (weights * (t[..., 1:] + t[..., :-1]) / 2).sum(-1, keepdim=True)
    met = alpha > 0
    depth = torch.where(met, distance / torch.where(met, alpha, torch.ones_like(alpha)), t.max())
    return Marched(seen * 2 - 1, depth.clamp(t.min(), t.max()), weights)
