"""Density of a person's hair over the chart, from how much of it a photo shows through or beside.

Along a ray the light that passes is exp(-sum of depth * density) (Max 1995). The optical depth of each sample
at full density is known once the outer surface is: only the density is fitted to the photo's share of hair.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.generator.planes import lookup, resize, unwrapped, wrap
from mien.generator.render import HairTrace

LEVELS = (8, 16, 32, 64, 128)  # texels; the finest is the density's own
COARSE = 32
"""Texels up to which levels learn at the full rate."""


@dataclass(frozen=True)
class DensityConfig:
    """Weights of the density."""

    thin: float = 0.15
    """Density with which rays are traced, so that they get through."""
    rays: int = 6000
    steps: int = 60
    lr: float = 0.08
    prior: float = 0.004
    """Weight of the squared distance (in logits) to the prior's density."""
    least: float = 0.02
    """Optical depth of a sample at full density that counts."""


@dataclass(frozen=True, eq=False)
class HairPaths:
    """Samples along R rays, from the front, with their optical depth at full density."""

    depth: Float[Tensor, "ray sample"]
    planes: Float[Tensor, "ray sample 3"]


def paths_of(trace: HairTrace, thin: float) -> HairPaths:
    """Of rays traced through hair of the density `thin` everywhere."""
    passing = (1 - torch.cumsum(F.pad(trace.weight, (1, 0)), 1)).clamp(min=1e-4)
    return HairPaths(torch.log(passing[:, :-1] / passing[:, 1:]) / thin, trace.planes)


def trace_of(paths: HairPaths, density: Float[Tensor, "v u"] | None) -> HairTrace:
    """The same rays through hair of a density: the inverse of `paths_of` for a constant one."""
    depth = paths.depth if density is None else paths.depth * _look_up(density[None, None], paths.planes)
    through = torch.exp(-torch.cumsum(F.pad(depth, (1, 0)), 1))
    weight = through[:, :-1] - through[:, 1:]
    heaviest = weight.argmax(1)
    return HairTrace(weight, paths.planes, weight.sum(1), paths.planes[torch.arange(len(weight)), heaviest])


def fit_density(
    prior: Float[Tensor, "128 128"],
    paths: HairPaths,
    target: Float[Tensor, " ray"],
    weight: Float[Tensor, " ray"],
    config: DensityConfig,
    random: torch.Generator,
) -> Float[Tensor, "128 128"]:
    """Density in [0, 1] near the prior (logits) with which rays show their share of hair, `target`."""
    meets = torch.nonzero((paths.depth > config.least).any(1) & (weight > 0))[:, 0]
    if len(meets) == 0:
        return torch.sigmoid(prior)
    levels = [torch.zeros(1, 1, n, n, requires_grad=True) for n in LEVELS]
    rates = [config.lr * min(1.0, COARSE / n) for n in LEVELS]  # Adam is blind to how little a texel is seen
    optimiser = torch.optim.Adam(
        [{"params": [level], "lr": rate} for level, rate in zip(levels, rates, strict=True)]
    )
    for step in range(config.steps):
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * (1 - 0.9 * step / config.steps)
        pick = meets[torch.randint(0, len(meets), (config.rays,), generator=random)]
        residual = sum_levels(levels)
        density = torch.sigmoid(prior + residual)
        shown = shown_share(HairPaths(paths.depth[pick], paths.planes[pick]), density)
        cost = (weight[pick] * (shown - target[pick]).square()).mean()
        cost = cost + config.prior * residual.square().mean()
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
    return torch.sigmoid(prior + sum_levels(levels)[0, 0]).detach()


def shown_share(paths: HairPaths, density: Float[Tensor, "1 1 v u"]) -> Float[Tensor, " ray"]:
    """How much of each ray the hair takes."""
    return 1 - torch.exp(-(paths.depth * _look_up(density, paths.planes)).sum(1))


def sum_levels(levels: list[Tensor]) -> Float[Tensor, "1 1 v u"]:
    """Images of growing size, enlarged and added."""
    total = levels[0]
    for level in levels[1:]:
        total = resize(total, level.shape[-1]) + level
    return total


def _look_up(
    image: Float[Tensor, "1 1 v u"], planes: Float[Tensor, "ray sample 3"]
) -> Float[Tensor, "ray sample"]:
    wrapped = wrap(image)
    u = torch.remainder(planes[..., 0] + 1, 2.0) - 1
    found = lookup(wrapped, unwrapped(u, wrapped).reshape(1, -1), planes[..., 1].reshape(1, -1))
    return found.view(planes.shape[:2])
