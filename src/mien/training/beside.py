"""Pictures that are cut a little beside, as from points that a tracker sees, and lines over them."""

from dataclasses import dataclass
from math import radians
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from mien.training.encoder.clutter import uniform

LINE_COUNT: Final = 4
"""Lines in a picture that has any, at most."""


@dataclass(frozen=True)
class BesideConfig:
    """How far pictures are cut from where they should be."""

    scale: float = 0.12
    stretch: float = 0.10
    """Largest change of width against height, as a share."""
    shift_px: float = 9.0
    roll_deg: float = 6.0


def cut_beside(
    pixels: UInt8[Tensor, "n channel h w"], size: tuple[int, int], random: torch.Generator,
    config: BesideConfig,
) -> Float[Tensor, "n channel rows columns"]:  # fmt: skip
    """Middles of (rows, columns) in [0, 1], turned, shifted, scaled, stretched, and half of them mirrored.

    Beyond the pixels there is nothing.
    """
    n, (height, width) = len(pixels), size
    rows, columns = pixels.shape[2:]
    scale = 1 + uniform(random, n, low=-config.scale, high=config.scale)
    stretch = 1 + uniform(random, n, low=-config.stretch, high=config.stretch)
    turn = radians(config.roll_deg) * uniform(random, n, low=-1.0)
    mirror = 1 - 2 * (uniform(random, n) < 0.5).float()
    whole = torch.tensor([columns, rows])
    cos, sin = turn.cos(), turn.sin()
    A = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1) * scale[:, None, None]
    A = A * torch.stack([mirror, stretch], 1)[:, None]
    shift = 2 * config.shift_px * uniform(random, n, 2, low=-1.0) / whole
    own = torch.tensor([width, height]) / 2  # the corner, in pixels from the middle
    theta = torch.cat([A * own / (whole / 2)[:, None], shift[..., None]], 2)
    grid = F.affine_grid(theta, [n, 1, height, width], align_corners=False)
    return F.grid_sample(pixels.float() / 255, grid, align_corners=False)


def draw_lines(
    n: int, size: tuple[int, int], random: torch.Generator, share: float
) -> tuple[Float[Tensor, "n 1 rows columns"], Float[Tensor, "n 3 rows columns"]]:
    """Cover and colours of arcs of ellipses, thin and thick, in a share of pictures of (rows, columns)."""
    rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=random)))
    height, width = size
    cover, paint = np.zeros((n, height, width), np.float32), np.zeros((n, height, width, 3), np.float32)
    for k in np.flatnonzero(rng.uniform(size=n) < share):
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
