"""Losses of EG3D's training and the blur that fades away; pure functions."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def generator_loss(fake_logits: Float[Tensor, "batch 1"]) -> Float[Tensor, ""]:
    """Non-saturating: -log sigmoid(D(fake)) (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-fake_logits).mean()


def fake_loss(fake_logits: Float[Tensor, "batch 1"]) -> Float[Tensor, ""]:
    """The discriminator's loss on fakes: -log(1 - sigmoid(D(fake)))."""
    return F.softplus(fake_logits).mean()


def real_loss(real_logits: Float[Tensor, "batch 1"]) -> Float[Tensor, ""]:
    """The discriminator's loss on real images: -log sigmoid(D(real))."""
    return F.softplus(-real_logits).mean()


def neighbours(
    count: tuple[int, int], distance: float, random: torch.Generator
) -> tuple[Float[Tensor, "batch point 3"], Float[Tensor, "batch point 3"]]:
    """Random points in [-1, 1]^3 (EG3D units, so beyond the usual box of side 1) and one beside each.

    `count` is (batch, point); the second points lie off by normal numbers of deviation `distance`.
    """
    shape, device = (*count, 3), random.device
    points = torch.rand(shape, generator=random, device=device) * 2 - 1
    return points, points + distance * torch.randn(shape, generator=random, device=device)


def density_loss(
    sigma: Float[Tensor, "batch point 1"], beside: Float[Tensor, "batch point 1"]
) -> Float[Tensor, ""]:
    """How much the raw density differs between neighbours (L1): EG3D's smoothness of the shape."""
    return (sigma - beside).abs().mean()


def blurred(
    image: Float[Tensor, "batch channel height width"], deviation_px: float
) -> Float[Tensor, "batch channel height width"]:
    """Gaussian blur, separable, zeros around as in a convolution; below a third of a pixel none."""
    radius = math.floor(3 * deviation_px)
    if radius < 1:
        return image
    place = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    taps = torch.exp(-((place / deviation_px) ** 2) / 2)
    taps = taps / taps.sum()
    channels = image.shape[1]
    rows = taps[None, None, None, :].expand(channels, 1, 1, -1)
    image = F.conv2d(image, rows, padding=(0, radius), groups=channels)
    return F.conv2d(image, rows.transpose(2, 3), padding=(radius, 0), groups=channels)
