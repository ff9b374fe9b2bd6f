"""Training examples of the network that sees what hides a face: squares as if of photos."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from mien.morphable.covercrop import COVER_PX
from mien.training.beside import BesideConfig, cut_beside, draw_lines
from mien.training.covers.crops import BEYOND_PX, Squares
from mien.training.covers.locks import draw_locks
from mien.training.encoder.augment import AugmentConfig, photographed
from mien.training.encoder.clutter import draw_backgrounds, draw_shapes, happens, uniform

SQUARE: tuple[int, int] = (COVER_PX, COVER_PX)
LEAST_COVER = 0.004
"""Share of the square that something hides, from which on the network shall say so."""

LOWEST_CUT = 0.3
"""Share of the square that may lie beyond the photo's lower edge."""


@dataclass(frozen=True)
class SquareAugment:
    """How far examples are from the renders."""

    beside: BesideConfig = field(default_factory=lambda: BesideConfig(roll_deg=12.0))
    lent: float = 0.3
    """Share with a thing from before another head."""
    far: BesideConfig = field(
        default_factory=lambda: BesideConfig(scale=0.35, shift_px=BEYOND_PX + 25.0, roll_deg=60.0)
    )
    """Where those are."""
    shapes: float = 0.12
    """Share with flat shapes before the face."""
    lines: float = 0.15
    """Share with strands, wrinkles or cables over the face: they hide nothing that matters."""
    locks: float = 0.25
    """Share with locks of hair over the face: not what is looked for."""
    cut: float = 0.25
    """Share that goes on beyond the photo's lower edge as the tracker's pictures do: by its last row."""
    behind: float = 0.25
    """Share with other people, and what is before them, behind the head."""
    picture: AugmentConfig = field(default_factory=lambda: AugmentConfig(colour=0.8, noise=0.035))


@dataclass(frozen=True, eq=False)
class SquareSet:
    """All squares of a set of heads."""

    pixels: UInt8[Tensor, "n 5 rows columns"]
    """Premultiplied colours, alpha, what is before the face."""
    covered: Float[Tensor, " n"]
    """1 with something before the face, else 0."""

    def of(self, rows: Int[Tensor, " m"]) -> "SquareSet":
        """Some squares."""
        return SquareSet(self.pixels[rows], self.covered[rows])


@dataclass(frozen=True, eq=False)
class SquareExamples:
    """Squares and their truth."""

    image: Float[Tensor, "n 3 rows columns"]
    cover: Float[Tensor, "n rows columns"]
    """Share of each pixel that something before the face takes."""
    covered: Float[Tensor, " n"]


def joined(heads: Sequence[Squares]) -> SquareSet:
    """Squares of heads in files as one set."""
    pixels = [
        np.concatenate([h["rgb"], h["alpha"][..., None], h["cover"][..., None]], 3).transpose(0, 3, 1, 2)
        for h in heads
    ]
    every = torch.from_numpy(np.concatenate(pixels))
    return SquareSet(every, (every[:, 4] > 127).flatten(1).any(1).float())


def draw_square_examples(
    squares: SquareSet, lenders: SquareSet, random: torch.Generator, config: SquareAugment | None = None
) -> SquareExamples:
    """An example of each square; a share gets what is before the lender of its number."""
    config = config or SquareAugment()
    cut = cut_beside(squares.pixels, SQUARE, random, config.beside)
    other = cut_beside(lenders.pixels, SQUARE, random, config.far)
    n, size = len(cut), COVER_PX
    behind = F.interpolate(draw_backgrounds(n, size // 2, random), scale_factor=2.0, mode="bilinear")
    crowd = other.roll(1, 0)
    crowd = crowd * happens(random, n, config.behind)
    behind = crowd[:, :3] + (1 - crowd[:, 3:4]) * behind
    image, cover = cut[:, :3] + (1 - cut[:, 3:4]) * behind, cut[:, 4:5]
    lock, paint = draw_locks(cut[:, :3], cut[:, 3:4], random, config.locks)
    image, cover = torch.lerp(image, paint, lock), cover * (1 - lock)
    lent = other[:, 4:5] * happens(random, n, config.lent)
    colour = other[:, :3] * (0.2 * (2 * uniform(random, n, 3, 1, 1) - 1)).exp()
    dark = uniform(random, n, 1, 1, 1, high=0.6) * F.avg_pool2d(lent, 15, 1, 7)
    image = torch.lerp(image * (1 - dark), colour.clamp(0, 1), lent)
    shape, paint = draw_shapes(n, size, random, count=2, largest=0.25)
    grain = F.interpolate(draw_backgrounds(n, size // 2, random), scale_factor=2.0, mode="bilinear")
    paint = torch.lerp(paint, grain, uniform(random, n, 1, 1, 1))
    shape = shape * happens(random, n, config.shapes)
    image = torch.lerp(image, paint.clamp(0, 1), shape)
    cover = torch.maximum(torch.maximum(cover, lent), shape)
    rows = 1 - happens(random, n, config.cut)[:, 0, 0, 0] * uniform(random, n, high=LOWEST_CUT)
    line, paint = draw_lines(n, SQUARE, random, config.lines)
    image = torch.lerp(image, paint, line)
    image, cover = (_cut_off(t, rows) for t in (image, cover))
    covered = (cover.mean((1, 2, 3)) > LEAST_COVER).float()
    return SquareExamples(photographed(image.clamp(0, 1), random, config.picture), cover[:, 0], covered)


def _cut_off(image: Float[Tensor, "n channel h w"], share: Float[Tensor, " n"]) -> Tensor:
    """Pictures whose rows below a share of the height repeat the last one above."""
    height = image.shape[2]
    last = (share * height).long().clamp(1, height) - 1
    row = torch.minimum(torch.arange(height).expand(len(image), -1), last[:, None])
    return image.gather(2, row[:, None, :, None].expand_as(image))
