"""Fit the mapping network: mapping(z), z ~ N(0, I), shall be distributed like the training heads' latents.

Sliced Wasserstein distance (Rabin et al. 2011; Deshpande et al. 2018): along many directions the sorted
projections of samples and of codes shall agree. The codes are jittered, so that the network learns a density
and not a list of heads.
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mien.core.progress import progress
from mien.generator.backbones import ChartBackbone
from mien.generator.mapping import BlockMapping, Mapping

SUBSPACES: Final = (2, 3, 4, 6, 8, 12, 16, 24, 32)
"""A quarter of the directions lies in the span of so many of the most important dimensions of W."""


@dataclass(frozen=True)
class MappingFitConfig:
    """Length and smoothness of the fit."""

    steps: int = 1200
    projections: int = 128
    jitter: float = 0.2
    """Noise on the codes, in standard deviations of each dimension."""
    lr: float = 2e-3
    seed: int = 0


@dataclass(frozen=True)
class MappingReport:
    """How well random latents match the codes."""

    distance: float
    """Sliced Wasserstein distance of samples and codes, in standard deviations."""
    floor: float
    """The same between two random halves of the codes: what sampling noise alone gives."""
    nearest_ratio: float
    """Median distance of a sample to its nearest code, over that of a code to its nearest other code."""
    copies: float
    """Share of samples nearer to a code than a third of the median distance between neighbouring codes."""


def code_statistics(codes: Float[Tensor, "head w"]) -> tuple[Float[Tensor, " w"], Float[Tensor, " w"]]:
    """Mean and standard deviation of the codes: w_avg and w_std."""
    return codes.mean(0), codes.std(0).clamp(min=1e-3)


def importance_of(backbone: ChartBackbone, w_size: int) -> Float[Tensor, " w"]:
    """How much each dimension of W moves the planes (root of the mean square), from unit steps."""
    zero = torch.zeros(w_size, 52)
    with torch.no_grad():
        moved = backbone.planes(torch.eye(w_size), zero).uv
        rest = backbone.planes(torch.zeros(1, w_size), zero[:1]).uv
    return (moved - rest).flatten(1).square().mean(1).sqrt()


def fit_mapping(
    mapping: Mapping,
    codes: Float[Tensor, "head w"],
    importance: Float[Tensor, " w"],
    config: MappingFitConfig | None = None,
) -> MappingReport:
    """Train `mapping` in place and set its `w_avg`; deterministic for a seed."""
    config = config or MappingFitConfig()
    random = torch.Generator().manual_seed(config.seed)
    mean, std = code_statistics(codes)
    white = (codes - mean) / std
    order = torch.argsort(importance * std, descending=True)
    _restart(mapping.layers, random)
    optimiser = torch.optim.Adam(mapping.layers.parameters(), lr=config.lr, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.steps, config.lr * 0.02)
    mapping.w_avg.zero_()
    for _ in progress(range(config.steps), desc="mapping network"):
        z = torch.randn(len(white), mapping.config.z_size, generator=random)
        target = white + config.jitter * torch.randn(white.shape, generator=random)
        directions = _directions(order, config.projections, random)
        loss = sliced_distance(mapping(z), target / (1 + config.jitter**2) ** 0.5, directions)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        report = _report(mapping, white, order, importance * std, random)
        _rescale(mapping, mean, std)
    return report


def fit_blocks(
    mapping: Mapping | BlockMapping,
    codes: Float[Tensor, "head w"],
    importance: Float[Tensor, " w"],
    config: MappingFitConfig | None = None,
) -> MappingReport:
    """`fit_mapping`, of each block apart; the report is that of the block that matches worst."""
    if isinstance(mapping, Mapping):
        return fit_mapping(mapping, codes, importance, config)
    reports, first = [], 0
    for part in mapping.parts:
        assert isinstance(part, Mapping)
        block = slice(first, first + part.config.w_size)
        reports.append(fit_mapping(part, codes[:, block], importance[block], config))
        first = block.stop
    return max(reports, key=lambda report: report.distance - report.floor)


def sliced_distance(
    a: Float[Tensor, "sample w"], b: Float[Tensor, "sample w"], directions: Float[Tensor, "direction w"]
) -> Float[Tensor, ""]:
    """Mean square Wasserstein-2 distance of two equally large sets along unit directions."""
    first, second = (torch.sort(x @ directions.T, dim=0).values for x in (a, b))
    return (first - second).square().mean()


def _directions(order: Tensor, count: int, random: torch.Generator) -> Float[Tensor, "direction w"]:
    """Unit vectors: half of them any, a quarter among a few important dimensions, a quarter axes."""
    quarter, size = count // 4, len(order)
    directions = torch.randn(count, size, generator=random)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(size)
    sizes = torch.tensor(SUBSPACES)[torch.randint(0, len(SUBSPACES), (quarter,), generator=random)]
    directions[:quarter] *= rank[None] < sizes[:, None]
    axes = torch.randint(0, size, (quarter,), generator=random)
    directions[quarter : 2 * quarter] = torch.eye(size)[axes]
    return torch.nn.functional.normalize(directions, dim=1)


def _restart(layers: nn.Sequential, random: torch.Generator) -> None:
    for layer in layers:
        if isinstance(layer, nn.Linear):
            scale = (2 / layer.in_features) ** 0.5
            layer.weight.data = torch.randn(layer.weight.shape, generator=random) * scale
            layer.bias.data.zero_()


def _report(
    mapping: Mapping, white: Tensor, order: Tensor, weight: Tensor, random: torch.Generator
) -> MappingReport:
    n = len(white) // 2
    samples = mapping(torch.randn(len(white), mapping.config.z_size, generator=random))
    directions = _directions(order, 512, random)
    halves = white[torch.randperm(len(white), generator=random)]
    floor = sliced_distance(halves[:n], halves[n : 2 * n], directions).sqrt()
    nearest = torch.cdist(samples * weight, white * weight).amin(1)
    apart = torch.cdist(white * weight, white * weight) + torch.eye(len(white)) * 1e9
    typical = apart.amin(1).median()
    return MappingReport(
        distance=round(float(sliced_distance(samples, white, directions).sqrt()), 4),
        floor=round(float(floor), 4),
        nearest_ratio=round(float(nearest.median() / typical), 4),
        copies=round(float((nearest < typical / 3).float().mean()), 4),
    )


def _rescale(mapping: Mapping, mean: Tensor, std: Tensor) -> None:
    """From whitened codes to codes, folded into the last layer."""
    last = mapping.layers[-1]
    assert isinstance(last, nn.Linear)
    last.weight.mul_(std[:, None])
    last.bias.mul_(std).add_(mean)
    mapping.w_avg.copy_(mean)
