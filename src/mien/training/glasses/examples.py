"""Training examples of the network that sees glasses: strips as if of photos, cut a little beside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import radians
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from mien.morphable.eyecrop import STRIP_PX
from mien.morphable.glassesnet import ARM, CLASSES, CLEAR, DARK, NOTHING, RIM
from mien.training.encoder.augment import AugmentConfig, photographed
from mien.training.encoder.clutter import draw_backgrounds, draw_shapes, happens, uniform
from mien.training.glasses.crops import Strips

LINE_COUNT: Final = 4
"""Lines that are no glasses in a picture that has any, at most."""


@dataclass(frozen=True)
class StripAugment:
    """How far examples are from the renders."""

    scale: float = 0.12
    stretch: float = 0.10
    """Largest change of width against height, as a share."""
    shift_px: float = 9.0
    roll_deg: float = 6.0
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
    cut = _cut(strips.pixels, random, config)
    n, (height, width) = len(cut), STRIP_PX
    start = (width - height) // 2
    behind = F.interpolate(draw_backgrounds(n, width // 2, random), scale_factor=2.0, mode="bilinear")
    behind = behind[:, :, start : start + height]
    image = cut[:, :3] + (1 - cut[:, 3:4]) * behind
    masks = cut[:, 4:]
    cover, colour = draw_shapes(n, width, random, count=1, largest=0.25)
    cover = cover[:, :, start : start + height] * happens(random, n, config.hidden)
    image = torch.lerp(image, colour[:, :, start : start + height], cover)
    line, paint = _lines(n, random, config)
    image = torch.lerp(image, paint, line)
    masks = masks * (1 - cover) * (1 - line)
    dark = strips.dark[:, None, None]
    parts = torch.zeros(n, CLASSES, height, width)
    parts[:, RIM], parts[:, ARM] = masks[:, 0], masks[:, 1]
    parts[:, CLEAR], parts[:, DARK] = masks[:, 2] * (1 - dark), masks[:, 2] * dark
    parts[:, NOTHING] = (1 - parts.sum(1)).clamp(min=0)
    return StripExamples(photographed(image.clamp(0, 1), random, config.picture), parts, strips.worn)


def _cut(
    pixels: UInt8[Tensor, "n 7 h w"], random: torch.Generator, config: StripAugment
) -> Float[Tensor, "n 7 rows columns"]:
    """Turned, shifted, scaled, stretched, and half of them mirrored."""
    n, (height, width) = len(pixels), STRIP_PX
    rows, columns = pixels.shape[2:]
    scale = 1 + uniform(random, n, low=-config.scale, high=config.scale)
    stretch = 1 + uniform(random, n, low=-config.stretch, high=config.stretch)
    turn = radians(config.roll_deg) * uniform(random, n, low=-1.0)
    mirror = 1 - 2 * (uniform(random, n) < 0.5).float()
    size = torch.tensor([columns, rows])
    cos, sin = turn.cos(), turn.sin()
    A = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1) * scale[:, None, None]
    A = A * torch.stack([mirror, stretch], 1)[:, None]
    shift = 2 * config.shift_px * uniform(random, n, 2, low=-1.0) / size
    own = torch.tensor([width, height]) / 2  # the strip's corner, in pixels from its middle
    theta = torch.cat([A * own / (size / 2)[:, None], shift[..., None]], 2)
    grid = F.affine_grid(theta, [n, 1, height, width], align_corners=False)
    return F.grid_sample(pixels.float() / 255, grid, align_corners=False)


def _lines(
    n: int, random: torch.Generator, config: StripAugment
) -> tuple[Float[Tensor, "n 1 rows columns"], Float[Tensor, "n 3 rows columns"]]:
    """Cover and colours of arcs of ellipses, thin and thick, in a share of the pictures."""
    rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=random)))
    height, width = STRIP_PX
    cover, paint = np.zeros((n, height, width), np.float32), np.zeros((n, height, width, 3), np.float32)
    for k in np.flatnonzero(rng.uniform(size=n) < config.lines):
        for _ in range(rng.integers(1, LINE_COUNT + 1)):
            image = np.zeros((2 * height, 2 * width), np.uint8)
            middle = (rng.uniform(-0.1, 1.1, 2) * [2 * width, 2 * height]).astype(int).tolist()
            axes = (10 + rng.uniform(0, 1, 2) ** 2 * 300).astype(int).tolist()
            start, span = rng.uniform(0, 360), rng.uniform(15, 200)
            thick = int(rng.integers(1, 8))
            cv2.ellipse(image, middle, axes, rng.uniform(0, 180), start, start + span, 255, thick)
            line = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            line *= rng.uniform(0.35, 1.0)
            paint[k] += (rng.uniform(0, 1, 3) - paint[k]) * (line > 0)[..., None]
            cover[k] = np.maximum(cover[k], line)
    return torch.from_numpy(cover)[:, None], torch.from_numpy(paint).permute(0, 3, 1, 2)
