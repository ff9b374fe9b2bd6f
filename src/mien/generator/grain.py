"""Grain of hidden hair: strands like those that the photo shows, in its hair's colour.

A network that minimises the error of what cannot be known answers with its mean, which is smooth and has
other people's colours. So hidden hair is laid with patches of seen hair, or, where too little is seen, gets
drawn strands: noise that is long in v, as hair lies on a head, with contrast and colours of what is finer
than a lock in the hair that the photo shows. Their places are invented.
"""

from functools import lru_cache
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.morphable import chart
from mien.morphable.carry import chart_grid

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
PATCH: Final = 1 / 16
"""Side of the patches of seen hair, as a share of the chart's side."""
TALL: Final = (4, 2, 1)
"""Heights of patches over their width: the largest that seen hair has room for, as strands are long."""
WHOLE: Final = 0.97
"""Share of a patch that must be shown."""
LEAST_PATCHES: Final = 64
"""Places that patches may come from; with fewer, strands are drawn."""
TRIES: Final = 4
"""Places drawn for every patch: the nearest to its own height on the head is taken."""
MOST_ENLARGED: Final = 3.0
LEAST_POWER: Final = 0.1
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
    where = shown[None].float()
    fine = image - smoothed(image * where, radius) / smoothed(where, radius).clamp(min=1e-3)
    values, axes = torch.linalg.eigh(torch.cov(fine[:, shown]))
    colour = axes[:, -1] * values[-1].clamp(min=0).sqrt()
    return STRENGTH * colour[:, None, None] * strands(image.shape[-1], seed)


def laid_grain(
    image: Float[Tensor, "3 size size"], weight: Float[Tensor, "size size"], *, seed: int = 0
) -> Float[Tensor, "3 size size"] | None:
    """What is fine in an image where it has weight, all over the chart: patches of it from places drawn at
    random, as large on the head as there, those of the other side mirrored. None where too little is shown.

    Patches overlap by half, and overlaps keep the variance: Heitz and Neyret, High-Performance By-Example
    Noise using a Histogram-Preserving Blending Operator, 2018, section 4.
    """
    size = image.shape[-1]
    width = 2 * round(PATCH * size / 2)
    shown = (weight >= SHOWN)[None].float()
    radius = max(1, round(COARSE * size / 2))
    fine = (image - smoothed(image * shown, radius) / smoothed(shown, radius).clamp(min=1e-3)) * shown
    for height in (width * tall for tall in TALL):
        places = torch.nonzero(_wholly(shown, height, width) >= WHOLE)
        if len(places) >= LEAST_PATCHES:
            break
    else:
        return None
    random = torch.Generator().manual_seed(seed)
    row, column = torch.cartesian_prod(
        torch.arange(0, size, height // 2), torch.arange(0, size, width // 2)
    ).T  # fmt: skip
    tried = places[torch.randint(len(places), (len(row), TRIES), generator=random)]
    chosen = tried[torch.arange(len(row)), (tried[..., 0] - row[:, None]).abs().argmin(1)]
    ratio = texel_sides(size)[:, row, column] / texel_sides(size)[:, chosen[:, 0], chosen[:, 1]]
    ratio = ratio.clamp(1 / MOST_ENLARGED, MOST_ENLARGED)
    turned = torch.where((chosen[:, 1] < size // 2) == (column < size // 2), 1.0, -1.0)
    across, along = (torch.arange(n) - (n - 1) / 2 for n in (width, height))
    x = chosen[:, 1:] + turned[:, None] * ratio[0, :, None] * across
    y = chosen[:, :1] + ratio[1, :, None] * along
    x, y = torch.broadcast_tensors(x[:, None, :], y[:, :, None])
    patches = _at(torch.cat([fine, shown]), x, y)
    window = (torch.cos(torch.pi * along / height)[:, None] * torch.cos(torch.pi * across / width)) ** 2
    to_row, to_column = (
        torch.remainder(middle[:, None] + torch.arange(n) - n // 2, size)
        for middle, n in ((row, height), (column, width))
    )
    to = (to_row[:, :, None] * size + to_column[:, None, :]).flatten()
    laid, power = torch.zeros(3, size * size), torch.zeros(size * size)
    laid.index_add_(1, to, (patches[:3] * window).flatten(1))
    power.index_add_(0, to, (patches[3] * window**2).flatten())
    return (laid / power.clamp(min=LEAST_POWER).sqrt()).view(3, size, size)


def _wholly(shown: Float[Tensor, "1 size size"], height: int, width: int) -> Float[Tensor, "size size"]:
    """Share of a patch around every texel that is shown."""
    padded = F.pad(shown, (width // 2, width // 2 - 1, height // 2, height // 2 - 1))
    return F.avg_pool2d(padded[None], (height, width), 1)[0, 0]


def _at(
    image: Float[Tensor, "channel size size"],
    x: Float[Tensor, "patch row column"],
    y: Float[Tensor, "patch row column"],
) -> Float[Tensor, "channel patch row column"]:
    """Bilinear lookup at texels; nothing beyond the image."""
    size = image.shape[-1]
    grid = torch.stack([(2 * x + 1) / size - 1, (2 * y + 1) / size - 1], -1).reshape(1, 1, -1, 2)
    return F.grid_sample(image[None], grid, align_corners=False)[0, :, 0].view(-1, *x.shape)


@lru_cache(maxsize=2)
def texel_sides(size: int) -> Float[Tensor, "2 size size"]:
    """Width and height of texels on the smooth body, EG3D units; on the islands those of the lowest row."""
    uv = chart_grid(size)
    uv[..., 1] = uv[..., 1].clamp(min=chart.V_BODY[0] + 1 / size)
    theta, arc = chart.unchart_uv(uv).unbind(-1)
    around = chart.ARC_RADIUS * torch.cos(arc.clamp(min=0) / chart.ARC_RADIUS)
    across = 2 * torch.pi / (1 + chart.AZIMUTH_STRETCH * torch.cos(theta)) * around / size
    above = chart.unchart_uv(uv + torch.tensor([0.0, 1 / size]))[..., 1]
    below = chart.unchart_uv(uv - torch.tensor([0.0, 1 / size]))[..., 1]
    return torch.stack([across, above - below]).clamp(min=1e-4)


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
    away = mean[:, None, None] - smoothed(image, radius)
    light = away.mean(0, keepdim=True)
    return image + deep * (HUE_PULL * (away - light) + LIGHT_PULL * light)


def smoothed(
    image: Float[Tensor, "channel v u"], across: int, along: int | None = None
) -> Float[Tensor, "channel v u"]:
    """Mean over rectangles of these half widths in u and v, twice; u wraps, v ends."""
    along = across if along is None else along
    for _ in range(2):
        padded = F.pad(image[None], (across, across, 0, 0), mode="circular")
        padded = F.pad(padded, (0, 0, along, along), mode="replicate")
        image = F.avg_pool2d(padded, (2 * along + 1, 2 * across + 1), 1)[0]
    return image
