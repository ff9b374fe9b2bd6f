"""Locks of hair over faces, drawn on pictures: what a network shall not take for a hand."""

from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

STRANDS: Final = 26
"""In a lock, at most."""
POINTS: Final = 24
"""Of a strand."""
FINER: Final = 4
"""Bits of a pixel in which strands are placed."""
HAIR: Final = np.array(
    [[0.06, 0.05, 0.05], [0.16, 0.10, 0.07], [0.33, 0.21, 0.13], [0.62, 0.47, 0.30], [0.45, 0.20, 0.10],
     [0.62, 0.61, 0.60]]
)  # fmt: skip
"""Colours of hair: black to blond, red, grey; display values."""
OWN: Final = 0.6
"""Share of locks in the colour of what is topmost on the head."""


def draw_locks(
    picture: Float[Tensor, "n 3 rows columns"], alpha: Float[Tensor, "n 1 rows columns"],
    random: torch.Generator, share: float,
) -> tuple[Float[Tensor, "n 1 rows columns"], Float[Tensor, "n 3 rows columns"]]:  # fmt: skip
    """Cover and colours of one to three locks that hang over the face in a share of pictures of heads."""
    rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=random)))
    n, _, rows, columns = picture.shape
    cover, paint = np.zeros((n, rows, columns), np.float32), np.zeros((n, rows, columns, 3), np.float32)
    for k in np.flatnonzero(rng.uniform(size=n) < share):
        own = _topmost(picture[k].permute(1, 2, 0).numpy(), alpha[k, 0].numpy(), rng)
        for _ in range(rng.integers(1, 4)):
            use_own = own is not None and rng.uniform() < OWN
            colour = own if use_own else HAIR[rng.integers(len(HAIR))]
            _draw_lock(cover[k], paint[k], np.asarray(colour), rng)
    return torch.from_numpy(cover)[:, None], torch.from_numpy(paint.transpose(0, 3, 1, 2).copy())


def _topmost(picture: np.ndarray, alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """The colour a little below the head's upper edge, where it reaches into the picture."""
    rows, columns = alpha.shape
    at = int(rng.uniform(0.3, 0.7) * columns)
    solid = np.flatnonzero(alpha[: rows // 2, at] > 0.9)
    if not len(solid):
        return None
    row = min(solid[0] + int(rng.integers(3, 10)), rows - 1)
    patch = picture[max(row - 2, 0) : row + 3, max(at - 2, 0) : at + 3]
    return np.asarray(patch.mean((0, 1)))


def _draw_lock(cover: np.ndarray, paint: np.ndarray, colour: np.ndarray, rng: np.random.Generator) -> None:
    """Strands side by side along one curve from the hairline down, over each other, in place."""
    rows, columns = cover.shape
    side = rng.choice([-1, 1])
    start = np.array([0.5 + side * rng.uniform(-0.12, 0.33), rng.uniform(0.0, 0.3)])
    end = np.array([0.5 + side * rng.uniform(-0.05, 0.35), rng.uniform(0.4, 1.05)])
    bow = (start + end) / 2 + rng.normal(0, 0.1, 2)
    wave = rng.uniform(0, 0.02) * np.sin(rng.uniform(2, 9) * np.linspace(0, 1, POINTS) + rng.uniform(0, 6))
    width = rng.uniform(0.005, 0.09)
    t = np.linspace(0, 1, POINTS)[:, None]
    middle = (1 - t) ** 2 * start + 2 * t * (1 - t) * bow + t**2 * end
    across = np.array([end[1] - start[1], start[0] - end[0]])
    across /= np.linalg.norm(across) + 1e-9
    count = int(np.clip(width * columns * rng.uniform(0.7, 2.5), 2, STRANDS))
    taper = rng.uniform(0.1, 1.0)
    for place in rng.permutation(np.linspace(-0.5, 0.5, count)):
        offset = place * width * (1 - (1 - taper) * t[:, 0]) + wave + rng.normal(0, 0.004)
        line = middle + offset[:, None] * across
        kept = line[: rng.integers(POINTS * 2 // 3, POINTS + 1)]
        pixels = (kept * [columns, rows] * 2**FINER).astype(np.int32)
        drawn = np.zeros((rows, columns), np.uint8)
        thick = 1 + int(width * columns / count + rng.uniform(0, 1))
        cv2.polylines(drawn, [pixels], isClosed=False, color=255, thickness=thick, lineType=cv2.LINE_AA,
                      shift=FINER)  # fmt: skip
        seen = drawn.astype(np.float32) / 255 * rng.uniform(0.5, 1.0)
        shade = np.clip(colour * np.exp(rng.normal(0, 0.25)), 0, 1)
        total = seen + cover * (1 - seen)
        paint += (shade - paint) * (seen / np.maximum(total, 1e-3))[..., None]
        cover[:] = total
