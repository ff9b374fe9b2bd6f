"""Training examples of the network that sees glasses: strips as if of photos, cut a little beside."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from mien.morphable.eyecrop import STRIP_PX
from mien.morphable.glassesnet import ARM, CLASSES, CLEAR, DARK, NOTHING, RIM
from mien.training.beside import BesideConfig, cut_beside, draw_lines
from mien.training.encoder.augment import AugmentConfig, photographed
from mien.training.encoder.clutter import draw_backgrounds, draw_shapes, happens
from mien.training.glasses.crops import Strips


@dataclass(frozen=True)
class StripAugment:
    """How far examples are from the renders."""

    beside: BesideConfig = field(default_factory=BesideConfig)
    hidden: float = 0.3
    """Share with things before the face."""
    lines: float = 0.35
    """Share with lines over it that are no glasses: strands, wrinkles, cables."""
    picture: AugmentConfig = field(default_factory=lambda: AugmentConfig(colour=0.8, noise=0.035))


@dataclass(frozen=True, eq=False)
class StripSet:
    """All strips of a set of heads."""

    pixels: UInt8[Tensor, "n 7 rows columns"]
    """Premultiplied colours, alpha, masks of rims, arms, lenses."""
    dark: Float[Tensor, " n"]
    worn: Float[Tensor, " n"]

    def of(self, rows: Int[Tensor, " m"]) -> "StripSet":
        """Some strips."""
        return StripSet(self.pixels[rows], self.dark[rows], self.worn[rows])


@dataclass(frozen=True, eq=False)
class StripExamples:
    """Strips and their truth."""

    image: Float[Tensor, "n 3 rows columns"]
    parts: Float[Tensor, "n class rows columns"]
    """Shares of the classes in each pixel."""
    worn: Float[Tensor, " n"]


def joined(heads: Sequence[Strips]) -> StripSet:
    """Strips of heads in files as one set."""
    pixels = [
        np.concatenate([h["rgb"], h["alpha"][..., None], h["masks"]], 3).transpose(0, 3, 1, 2) for h in heads
    ]
    flags = [torch.from_numpy(np.concatenate([h[name] for h in heads])).float() for name in ("dark", "worn")]
    return StripSet(torch.from_numpy(np.concatenate(pixels)), *flags)


def draw_strip_examples(
    strips: StripSet, random: torch.Generator, config: StripAugment | None = None
) -> StripExamples:
    """An example of each strip; all numbers come from the generator."""
    config = config or StripAugment()
    cut = cut_beside(strips.pixels, STRIP_PX, random, config.beside)
    n, (height, width) = len(cut), STRIP_PX
    start = (width - height) // 2
    behind = F.interpolate(draw_backgrounds(n, width // 2, random), scale_factor=2.0, mode="bilinear")
    behind = behind[:, :, start : start + height]
    image = cut[:, :3] + (1 - cut[:, 3:4]) * behind
    masks = cut[:, 4:]
    cover, colour = draw_shapes(n, width, random, count=1, largest=0.25)
    cover = cover[:, :, start : start + height] * happens(random, n, config.hidden)
    image = torch.lerp(image, colour[:, :, start : start + height], cover)
    line, paint = draw_lines(n, STRIP_PX, random, config.lines)
    image = torch.lerp(image, paint, line)
    masks = masks * (1 - cover) * (1 - line)
    dark = strips.dark[:, None, None]
    parts = torch.zeros(n, CLASSES, height, width)
    parts[:, RIM], parts[:, ARM] = masks[:, 0], masks[:, 1]
    parts[:, CLEAR], parts[:, DARK] = masks[:, 2] * (1 - dark), masks[:, 2] * dark
    parts[:, NOTHING] = (1 - parts.sum(1)).clamp(min=0)
    return StripExamples(photographed(image.clamp(0, 1), random, config.picture), parts, strips.worn)
