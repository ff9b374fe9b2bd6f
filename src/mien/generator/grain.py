"""Grain of hidden hair: strands as fine as those that the photo shows, carried on around the head.

A network that minimises the error of what cannot be known answers with its mean, which is smooth. Strands run
mostly along v, so what is finer than a lock is repeated in u: back and forth from the widest stretch that the
photo shows in a row of the chart.
"""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

LOCK: Final = 1 / 64
"""Width of a lock, as a share of the way around the head: coarser structure is not repeated."""
SHOWN: Final = 0.5
"""Weight of evidence from which on a texel's grain is the photo's own."""
LEAST_STRETCH: Final = 1 / 32
"""Narrower stretches of seen hair, as a share of the way around, are not repeated."""
HUE_PULL: Final = 0.3
"""How far the mean colour of hidden hair goes to that of seen hair."""
HUE_WIDTH: Final = 1 / 20


def repeated_grain(
    image: Float[Tensor, "channel v u"], weight: Float[Tensor, "v u"]
) -> Float[Tensor, "channel v u"]:
    """What is fine in an image where it has weight, repeated over all of u; 0 if nothing is wide enough."""
    shown = (weight >= SHOWN).float()
    radius = max(1, round(LOCK * image.shape[-1] / 2))
    mean = smoothed(image * shown, radius) / smoothed(shown[None], radius).clamp(min=1e-3)
    fine = (image - mean) * shown
    stretches = [_widest(row) for row in shown.numpy() > 0]
    wide = np.array([b - a for a, b in stretches]) >= LEAST_STRETCH * image.shape[-1]
    if not wide.any():
        return torch.zeros_like(image)
    out = torch.empty_like(image)
    rows = np.nonzero(wide)[0]
    for v in range(image.shape[1]):
        source = _reflected(v, rows)
        a, b = stretches[source]
        out[:, v] = fine[:, source, _back_and_forth(image.shape[-1], a, b)]
    return out


def towards(
    image: Float[Tensor, "channel v u"], mean: Float[Tensor, " channel"], share: Float[Tensor, "v u"]
) -> Float[Tensor, "channel v u"]:
    """An image whose coarse colour goes part of the way to a mean, deep inside of a share."""
    radius = max(1, round(HUE_WIDTH * image.shape[-1]))
    deep = smoothed(share[None], radius) ** 2
    return image + HUE_PULL * deep * (mean[:, None, None] - smoothed(image, radius))


def smoothed(image: Float[Tensor, "channel v u"], radius: int) -> Float[Tensor, "channel v u"]:
    """Mean over squares, twice; u wraps, v ends."""
    for _ in range(2):
        padded = F.pad(image[None], (radius, radius, 0, 0), mode="circular")
        padded = F.pad(padded, (0, 0, radius, radius), mode="replicate")
        image = F.avg_pool2d(padded, 2 * radius + 1, 1)[0]
    return image


def _widest(shown: np.ndarray) -> tuple[int, int]:
    """Start and end of the widest run of True; the end may lie beyond the last column, as u wraps."""
    n = len(shown)
    if shown.all():
        return 0, n
    change = np.flatnonzero(~shown)
    gaps = np.diff(np.append(change, change[:1] + n)) - 1 if len(change) else np.array([n])
    widest = int(gaps.argmax())
    start = int(change[widest]) + 1
    return start, start + int(gaps[widest])


def _back_and_forth(size: int, a: int, b: int) -> np.ndarray:
    """For each column the one to copy: itself in [a, b), beyond it mirrored again and again."""
    length = b - a
    phase = (np.arange(size) - a) % size
    left = phase > (size + length) // 2  # nearer to the start, from the other side
    phase = np.where(left, phase - size, phase) % (2 * length)
    return np.asarray((a + np.where(phase < length, phase, 2 * length - 1 - phase)) % size)


def _reflected(v: int, rows: np.ndarray) -> int:
    """The row to copy for v: itself, or as far inside of the nearest usable row as v is outside."""
    if v in rows:
        return v
    nearest = int(rows[np.abs(rows - v).argmin()])
    inside = 2 * nearest - v
    return int(rows[np.abs(rows - inside).argmin()])
