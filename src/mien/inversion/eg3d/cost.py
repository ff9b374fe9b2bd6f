"""How far a picture is from the photo where the person is: pixels and edges, at several scales.

Lin et al. 2022 (section 3.2) compare VGG features inside a mask. No perceptual network comes with mien, whose
weights would have to be fetched; differences of neighbouring pixels at several scales stand in for it. They
keep edges where pixel errors alone blur them.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class CostConfig:
    """Weights."""

    pixel: float = 1.0
    """Of the mean absolute error, in units of the range [-1, 1]."""
    edge: float = 1.0
    """Of the mean absolute error of differences between neighbours."""
    scales: tuple[int, ...] = (1, 2, 4)
    """Sizes of the averages that are compared, in pixels."""


@dataclass(frozen=True, eq=False)
class Target:
    """The photo's crop and where the person is in it."""

    image: Float[Tensor, "3 side side"]
    """RGB in [-1, 1]."""
    mask: Float[Tensor, "1 side side"]
    """1 where it counts, 0 where it does not."""

    def resized(self, side: int) -> "Target":
        """Area means if smaller, bilinear if larger; what is masked has no part in any pixel."""
        if side == self.mask.shape[-1]:
            return self
        weight, image = _resize(self.mask, side), _resize(self.image * self.mask, side)
        return Target(image / weight.clamp(min=1e-6), weight)


def image_cost(
    image: Float[Tensor, "1 3 side side"], target: Target, config: CostConfig | None = None
) -> Float[Tensor, ""]:
    """Masked cost of a picture of the target's size."""
    config = config or CostConfig()
    mask = target.mask[None]
    error = (image - target.image) * mask
    return torch.stack([_scaled(error, mask, scale, config) for scale in config.scales]).mean()


def _scaled(
    error: Float[Tensor, "1 3 side side"],
    mask: Float[Tensor, "1 1 side side"],
    scale: int,
    config: CostConfig,
) -> Float[Tensor, ""]:
    error, mask = (F.avg_pool2d(x, scale, ceil_mode=True) for x in (error, mask))
    total = config.pixel * error.abs().sum() / (3 * mask.sum() + 1e-6)
    for axis in (-1, -2):
        step = error.diff(dim=axis)
        both = _pairs(mask, axis).amin(0)
        total = total + config.edge * (step.abs() * (both > 0)).sum() / (3 * both.sum() + 1e-6)
    return total


def _pairs(mask: Tensor, axis: int) -> Tensor:
    """Each pixel's mask and its neighbour's."""
    count = mask.shape[axis] - 1
    return torch.stack([mask.narrow(axis, 0, count), mask.narrow(axis, 1, count)])


def _resize(x: Float[Tensor, "channel side side"], side: int) -> Float[Tensor, "channel side2 side2"]:
    return F.interpolate(x[None], size=(side, side), mode="bilinear", antialias=True, align_corners=False)[0]
