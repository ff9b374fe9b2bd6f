"""Resampling by two with a small separable low-pass filter (Karras et al. 2020, appendix B)."""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

TAPS: Final = (1.0, 3.0, 3.0, 1.0)


def low_pass() -> Float[Tensor, "4 4"]:
    """The filter [1, 3, 3, 1] in both directions, of sum 1."""
    taps = torch.tensor(TAPS)
    kernel = torch.outer(taps, taps)
    return kernel / kernel.sum()


def smooth(
    x: Float[Tensor, "batch channel height width"],
    kernel: Float[Tensor, "4 4"],
    *,
    padding: int,
    stride: int = 1,
) -> Float[Tensor, "batch channel height2 width2"]:
    """Each channel convolved with `kernel`, zeros around; out = (in + 2 padding - 4) / stride + 1."""
    channels = x.shape[1]
    weight = kernel.to(x.dtype).flip((0, 1)).expand(channels, 1, 4, 4)
    return F.conv2d(x, weight, padding=padding, stride=stride, groups=channels)


def enlarge(
    x: Float[Tensor, "batch channel height width"], kernel: Float[Tensor, "4 4"]
) -> Float[Tensor, "batch channel height2 width2"]:
    """Twice the size: zeros between the pixels, then `kernel` times 4, so that a constant stays inside."""
    channels = x.shape[1]
    weight = (4 * kernel).to(x.dtype).expand(channels, 1, 4, 4)
    return F.conv_transpose2d(x, weight, stride=2, padding=1, groups=channels)


def reduce(
    x: Float[Tensor, "batch channel height width"], kernel: Float[Tensor, "4 4"]
) -> Float[Tensor, "batch channel height2 width2"]:
    """Half the size (of an even one): `kernel`, then every second pixel."""
    return smooth(x, kernel, padding=1, stride=2)
