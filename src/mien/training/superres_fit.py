"""Train super-resolution: the generator's own view at half size in, the procedural head at full size out.

The pairs are made where the heads are: `mien.training.prior.view_pairs`.
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.core.progress import progress
from mien.generator.superres import SuperResolution

LOW_PASS_PX: Final = 6.0
"""Differences wider than this are the generator's business, not super-resolution's."""


@dataclass(frozen=True)
class SuperResolutionFitConfig:
    """Pairs and length of the fit."""

    pairs: int = 80
    check_pairs: int = 10
    """Pairs at the end that only measure."""
    patch_px: int = 40
    """Side of a patch of the small picture."""
    batch: int = 8
    steps: int = 1200
    lr: float = 1.5e-3
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Pairs:
    """Premultiplied RGBA of the same views."""

    small: Float[Tensor, "pair 4 height width"]
    large: Float[Tensor, "pair 4 height2 width2"]


@dataclass(frozen=True)
class SuperResolutionReport:
    """Mean absolute error (of 255) on pairs that were kept apart, over the pixels of either head.

    A squared error would punish every sharp edge that the generator puts a pixel beside the true one.
    """

    bilinear: float
    learned: float


def fit_superres(
    superres: SuperResolution, pairs: Pairs, config: SuperResolutionFitConfig | None = None
) -> SuperResolutionReport:
    """Train in place on patches with a pixel and an edge cost; deterministic for a seed."""
    config = config or SuperResolutionFitConfig()
    random = torch.Generator().manual_seed(config.seed)
    target = _same_low_frequencies(pairs)
    n = max(1, len(target) - config.check_pairs)
    centres = [torch.nonzero(_near_head(alpha)) for alpha in pairs.small[:n, 3]]
    optimiser = torch.optim.Adam(superres.parameters(), lr=config.lr, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.steps, config.lr * 0.02)
    for _ in progress(range(config.steps), desc="super-resolution"):
        small, large = _patches(pairs.small, target, centres, config, random)
        loss = _cost(superres(small), large)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    return measure(superres, Pairs(pairs.small[-config.check_pairs :], target[-config.check_pairs :]))


def measure(superres: SuperResolution, pairs: Pairs) -> SuperResolutionReport:
    """Errors of bilinear and of learned enlargement."""
    with torch.no_grad():
        learned = torch.cat([superres(x[None]) for x in pairs.small])
    bilinear = F.interpolate(pairs.small, scale_factor=2, mode="bilinear", align_corners=False)
    head = ((pairs.large[:, 3:] > 0.05) | (bilinear[:, 3:] > 0.05)).expand_as(learned)
    errors = [round(255 * float((x - pairs.large)[head].abs().mean()), 3) for x in (bilinear, learned)]
    return SuperResolutionReport(*errors)


def _cost(found: Tensor, wanted: Tensor) -> Tensor:
    """L1 of pixels and of differences between neighbours."""
    edges = (found.diff(dim=-1) - wanted.diff(dim=-1)).abs().mean()
    edges = edges + (found.diff(dim=-2) - wanted.diff(dim=-2)).abs().mean()
    return (found - wanted).abs().mean() + 0.5 * edges


def _patches(
    small: Tensor,
    large: Tensor,
    centres: list[Tensor],
    config: SuperResolutionFitConfig,
    random: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Patches of random pairs around pixels of the head, half of them mirrored."""
    p, size = config.patch_px, small.shape[-1]
    first, second = [], []
    for _ in range(config.batch):
        k = int(torch.randint(0, len(centres), (), generator=random))
        at = centres[k][int(torch.randint(0, len(centres[k]), (), generator=random))]
        y, x = (int(c) for c in (at - p // 2).clamp(0, size - p))
        pair = small[k, :, y : y + p, x : x + p], large[k, :, 2 * y : 2 * (y + p), 2 * x : 2 * (x + p)]
        if torch.rand((), generator=random) < 0.5:
            pair = pair[0].flip(-1), pair[1].flip(-1)
        first.append(pair[0])
        second.append(pair[1])
    return torch.stack(first), torch.stack(second)


def _near_head(alpha: Float[Tensor, "height width"]) -> Tensor:
    return F.max_pool2d(alpha[None], 9, 1, 4)[0] > 0.02


def _same_low_frequencies(pairs: Pairs) -> Float[Tensor, "pair 4 height2 width2"]:
    """Targets with the slow part of the generator's colours, so that its colour errors are not learned."""
    base = F.interpolate(pairs.small, scale_factor=2, mode="bilinear", align_corners=False)
    slow = _blur((base - pairs.large)[:, :3])
    alpha = pairs.large[:, 3:]
    share = _blur(alpha).clamp(min=0.2)
    rgb = pairs.large[:, :3] + slow / share * alpha
    return torch.cat([torch.minimum(rgb.clamp(min=0), alpha), alpha], 1)


def _blur(x: Tensor) -> Tensor:
    radius = int(2.5 * LOW_PASS_PX)
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / LOW_PASS_PX) ** 2)
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, -1)
    padded = F.pad(x, (radius,) * 4, mode="replicate")
    row = F.conv2d(padded, kernel[:, :, None], groups=x.shape[1])
    return F.conv2d(row, kernel[..., None], groups=x.shape[1])
