"""Strands for hidden hair of which a photo shows too little to lay patches of it, and its colour.

A network that minimises the error of what cannot be known answers with its mean, which is smooth and has
other people's colours. So hidden hair is laid with patches of seen hair (`laid`), or, where too little is
seen, gets drawn strands: noise that is long in v, as hair lies on a head, with contrast and colours of what
is finer than a lock in the hair that the photo shows. Their places are invented.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

LOCK: Final = 1 / 64
"""Width of a lock, as a share of the way around the head: coarser structure is not drawn."""
SHOWN: Final = 0.5
"""Weight of evidence from which on a texel's grain is the photo's own."""
LEAST_SHOWN: Final = 1 / 400
"""Share of the chart that must show hair."""
OCTAVES: Final = ((1 / 512, 1 / 48), (1 / 192, 1 / 24))
"""Half width and half length of strands and of wisps, as shares of the chart's side."""
WAVES: Final = (1 / 96, 1 / 16)
"""How far strands sway in u (standard deviation), and over what length."""
STRENGTH: Final = 0.8
COARSE: Final = 1 / 36
"""Width of what is coarser than what patches carry, as a share of the way around the head."""
HUE_PULL: Final = 0.6
"""How far the hue of hidden hair goes to the mean of seen hair."""
LIGHT_PULL: Final = 0.5
"""The same of its lightness: what a network cannot know it makes as dark as other people's hair."""
HUE_WIDTH: Final = 1 / 20


def drawn_grain(
    image: Float[Tensor, "3 size size"], weight: Float[Tensor, "size size"], *, seed: int = 0
) -> Float[Tensor, "3 size size"]:
    """Strands with the contrast and colours of what is fine in an image where it has weight.

    0 where too little is shown. Deterministic for a seed.
    """
    shown = weight >= SHOWN
    if shown.float().mean() < LEAST_SHOWN:
        return torch.zeros_like(image)
    radius = max(1, round(LOCK * image.shape[-1] / 2))
    fine = finer(image, shown[None].float(), radius)
    values, axes = torch.linalg.eigh(torch.cov(fine[:, shown]))
    colour = axes[:, -1] * values[-1].clamp(min=0).sqrt()
    return STRENGTH * colour[:, None, None] * strands(image.shape[-1], seed)


def strands(size: int, seed: int) -> Float[Tensor, "1 size size"]:
    """Noise of unit variance that is long in v and sways; u wraps."""
    random = torch.Generator().manual_seed(seed)
    noise = torch.zeros(1, size, size)
    for across, along in OCTAVES:
        white = torch.randn(1, size, size, generator=random)
        layer = smoothed(white, round(across * size), round(along * size))
        noise = noise + layer / layer.std()
    sway = smoothed(torch.randn(1, size, size, generator=random), round(WAVES[1] * size))
    ticks = (torch.arange(size) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(ticks, ticks, indexing="ij")
    u = torch.remainder(u + 2 * WAVES[0] * sway[0] / sway.std() + 1, 2) - 1
    grid = torch.stack([u, v], -1)[None]
    noise = F.grid_sample(noise[None], grid, padding_mode="border", align_corners=False)[0]
    return noise / noise.std()


def towards(
    image: Float[Tensor, "channel v u"], mean: Float[Tensor, " channel"], share: Float[Tensor, "v u"]
) -> Float[Tensor, "channel v u"]:
    """An image of logits whose coarse colour goes part of the way to a mean, deep inside of a share."""
    radius = max(1, round(HUE_WIDTH * image.shape[-1]))
    deep = smoothed(share[None], radius) ** 2
    return image + deep * part_of(mean[:, None, None] - smoothed(image, radius), HUE_PULL, LIGHT_PULL)


def part_of(step: Float[Tensor, "channel v u"], hue: float, light: float) -> Float[Tensor, "channel v u"]:
    """Parts of a step between two images of logits: of what changes hue, and of what changes lightness."""
    lightness = step.mean(0, keepdim=True)
    return hue * (step - lightness) + light * lightness


def coarse_of(image: Float[Tensor, "channel v u"]) -> Float[Tensor, "channel v u"]:
    """What is coarser than the patches of `laid` carry."""
    return smoothed(image, max(1, round(COARSE * image.shape[-1] / 2)))


def finer(
    image: Float[Tensor, "channel v u"], shown: Float[Tensor, "1 v u"], radius: int
) -> Float[Tensor, "channel v u"]:
    """What is finer than a square of this half width, by the mean of what is shown around."""
    return image - smoothed(image * shown, radius) / smoothed(shown, radius).clamp(min=1e-3)


def smoothed(
    image: Float[Tensor, "channel v u"], across: int, along: int | None = None
) -> Float[Tensor, "channel v u"]:
    """Mean over rectangles of these half widths in u and v, twice; u wraps, v ends."""
    along = across if along is None else along
    for _ in range(2):
        padded = F.pad(image[None], (across, across, 0, 0), mode="circular")
        padded = F.pad(padded, (0, 0, along, along), mode="replicate")
        rows = F.avg_pool2d(padded, (2 * along + 1, 1), 1)
        image = F.avg_pool2d(rows, (1, 2 * across + 1), 1)[0]
    return image
