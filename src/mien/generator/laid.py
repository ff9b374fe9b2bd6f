"""Hidden hair and beard laid with patches of what a photo shows of them, as large on the head as there.

Patches are cut from the photo's own pixels. Laid over the chart, what a photo shows of hair is smeared by the
volume that it is seen through, and the front of a fringe falls together to a line.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.generator.grain import COARSE, finer
from mien.morphable import chart
from mien.morphable.carry import chart_grid

PATCHES: Final = ((1 / 16, 4), (1 / 16, 2), (1 / 16, 1), (1 / 32, 2), (1 / 32, 1), (1 / 64, 1))
"""Width of the patches of seen hair, as a share of the chart's side, and height over width: the first that
seen hair has room for. Strands are long."""
WHOLE: Final = 0.97
"""Share of a patch that must be shown."""
LEAST_PATCHES: Final = 16
"""Places that patches may come from; with fewer, strands are drawn."""
LEAST_NEAREST: Final = 500
"""The same where only the nearest are taken: else one is, again and again, and shows as a lattice."""
TRIES: Final = 4
"""Places drawn for every patch: the nearest to its own height on the head is taken."""
NEAREST_TRIES: Final = 128
SCATTER: Final = 0.1
"""How much farther than the nearest a place may be, on the chart."""
MOST_ENLARGED: Final = 3.0
LEAST_POWER: Final = 0.1


@dataclass(frozen=True, eq=False)
class Swatch:
    """Hair as a photo shows it, on its own H x W pixels."""

    image: Float[Tensor, "3 height width"]
    """Colours as logits."""
    shown: Float[Tensor, "height width"]
    """1 where there is hair and nothing else."""
    uv: Float[Tensor, "2 height width"]
    """Where on the chart that hair lies."""
    pixel: float
    """Side of a pixel at the head's distance, EG3D units."""


def laid_grain(
    swatch: Swatch, height: Float[Tensor, "size size"], *, nearest: bool = False, seed: int = 0
) -> Float[Tensor, "3 size size"] | None:
    """What is fine in shown hair, all over the chart: patches of the photo from places drawn at random, as
    large on hair of some `height` (outer surface, EG3D units) as there, those of the other side mirrored.
    None where too little is shown.

    Patches overlap by half, and overlaps keep the variance: Heitz and Neyret, High-Performance By-Example
    Noise using a Histogram-Preserving Blending Operator, 2018, section 4.
    """
    size = height.shape[-1]
    sides = hair_texel_sides(height)
    # A patch's own width in the photo, where texels are as large as in the middle of the head's back.
    around = 2 * torch.pi * chart.ARC_RADIUS
    texel = around / size
    swatch = matched(swatch, texel)
    ratio = texel / swatch.pixel
    fine = fine_of(swatch, round(COARSE * around / swatch.pixel / 2))
    for share, tall in PATCHES:
        width = 2 * round(share * size / 2)
        height_px, width_px = (2 * round(n * width * ratio / 2) for n in (tall, 1))
        places = torch.nonzero(_wholly(swatch.shown[None], height_px, width_px) >= WHOLE)
        if len(places) >= (LEAST_NEAREST if nearest else LEAST_PATCHES):
            break
    if len(places) < LEAST_PATCHES:
        return None
    tall_texels = width * tall
    random = torch.Generator().manual_seed(seed)
    row, column = torch.cartesian_prod(
        torch.arange(0, size, tall_texels // 2), torch.arange(0, size, width // 2)
    ).T  # fmt: skip
    tries = NEAREST_TRIES if nearest else TRIES
    tried = places[torch.randint(len(places), (len(row), tries), generator=random)]
    own = swatch.uv[:, tried[..., 0], tried[..., 1]]
    u, v = ((2 * n + 1) / size - 1 for n in (column, row))
    apart = (own[1] - v[:, None]).abs()
    if nearest:
        apart = apart + (own[0].abs() - u[:, None].abs()).abs()
        apart = apart + SCATTER * torch.rand(apart.shape, generator=random)
    best = apart.argmin(1)
    chosen = tried[torch.arange(len(row)), best]
    turned = torch.where((own[0][torch.arange(len(row)), best] < 0) == (u < 0), 1.0, -1.0)
    step = (sides[:, row, column] / swatch.pixel).clamp(ratio / MOST_ENLARGED, ratio * MOST_ENLARGED)
    across, along = (torch.arange(n) - (n - 1) / 2 for n in (width, tall_texels))
    x = chosen[:, 1:] + turned[:, None] * step[0, :, None] * across
    y = chosen[:, :1] - step[1, :, None] * along  # pictures go down, v goes up
    x, y = torch.broadcast_tensors(x[:, None, :], y[:, :, None])
    patches = _at(torch.cat([fine, swatch.shown[None]]), x, y)
    window = (torch.cos(torch.pi * along / tall_texels)[:, None] * torch.cos(torch.pi * across / width)) ** 2
    to_row, to_column = (
        torch.remainder(middle[:, None] + torch.arange(n) - n // 2, size)
        for middle, n in ((row, tall_texels), (column, width))
    )
    to = (to_row[:, :, None] * size + to_column[:, None, :]).flatten()
    laid, power = torch.zeros(3, size * size), torch.zeros(size * size)
    laid.index_add_(1, to, (patches[:3] * window).flatten(1))
    power.index_add_(0, to, (patches[3] * window**2).flatten())
    return (laid / power.clamp(min=LEAST_POWER).sqrt()).view(3, size, size)


def matched(swatch: Swatch, side: float) -> Swatch:
    """With pixels that are no smaller than `side`, EG3D units."""
    ratio = side / swatch.pixel
    if ratio <= 1:
        return swatch
    size = [max(1, round(n / ratio)) for n in swatch.shown.shape]
    layers = torch.cat([swatch.image * swatch.shown, swatch.uv * swatch.shown, swatch.shown[None]])
    small = F.interpolate(layers[None], size=size, mode="area")[0]
    share = small[5].clamp(min=1e-3)
    pixel = swatch.pixel * swatch.shown.shape[0] / size[0]
    return Swatch(small[:3] / share, (small[5] > WHOLE).float(), small[3:5] / share, pixel)


def fine_of(swatch: Swatch, radius: int) -> Float[Tensor, "3 height width"]:
    """What is finer than a square of this half width in what is shown, in pixels."""
    shown = swatch.shown[None]
    return finer(swatch.image, shown, radius) * shown


def _wholly(shown: Float[Tensor, "1 height width"], tall: int, wide: int) -> Float[Tensor, "height width"]:
    """Share of a patch around every pixel that is shown."""
    padded = F.pad(shown, (wide // 2, wide // 2 - 1, tall // 2, tall // 2 - 1))
    return F.avg_pool2d(padded[None], (tall, wide), 1)[0, 0]


def _at(
    image: Float[Tensor, "channel height width"],
    x: Float[Tensor, "patch row column"],
    y: Float[Tensor, "patch row column"],
) -> Float[Tensor, "channel patch row column"]:
    """Bilinear lookup at pixels; nothing beyond the image."""
    height, width = image.shape[-2:]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1).reshape(1, 1, -1, 2)
    return F.grid_sample(image[None], grid, align_corners=False)[0, :, 0].view(-1, *x.shape)


def hair_texel_sides(height: Float[Tensor, "size size"]) -> Float[Tensor, "2 size size"]:
    """Width and height of texels on the surface of hair so high above the smooth body, EG3D units."""
    return texel_sides(height.shape[-1]) * (1 + height.clamp(min=0) / chart.ARC_RADIUS)


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
