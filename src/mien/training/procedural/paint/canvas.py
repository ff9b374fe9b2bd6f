"""What painting fills: maps of the surface, its relief, and what each texel shows."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from mien.training.procedural.atlas import ATLAS
from mien.training.procedural.render.shading import ALBEDO, CHANNELS

MM: Final = 0.0019
"""A millimetre in EG3D units."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """Maps of an atlas or a strip of H x W texels, changed in place by the painters."""

    maps: np.ndarray
    """float32 [H, W, CHANNELS], see `render.shading`."""
    height: np.ndarray
    """float32 [H, W], relief in EG3D units."""
    material: np.ndarray
    """uint8 [H, W], a `Semantic`."""

    @staticmethod
    def blank(height_px: int, width_px: int) -> "Canvas":
        """All zero."""
        shape = height_px, width_px
        return Canvas(
            np.zeros((*shape, CHANNELS), np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
        )

    def blend(self, colour: np.ndarray, mask: np.ndarray) -> None:
        """Lay a linear colour [3] or [H, W, 3] over the albedo, by a mask [H, W] in [0, 1]."""
        albedo = self.maps[..., ALBEDO : ALBEDO + 3]
        albedo += (colour - albedo) * mask[..., None]

    def mix(self, channel: int, value: float | np.ndarray, mask: np.ndarray) -> None:
        """Move a channel towards a value, by a mask [H, W] in [0, 1]."""
        self.maps[..., channel] += (value - self.maps[..., channel]) * mask


def curves(points_px: list[np.ndarray], width_px: float, weights: list[float]) -> np.ndarray:
    """Soft lines [ATLAS, ATLAS] through points [K, 2], thin at both ends; peak about the line's weight."""
    image = np.zeros((ATLAS, ATLAS), np.float32)
    for points, weight in zip(points_px, weights, strict=True):
        dense = resample(points, 24)
        fade = np.sin(np.linspace(0.05, np.pi - 0.05, len(dense) - 1)) ** 0.7 * weight
        fixed = np.round(dense * 16).astype(np.int32)
        line = np.zeros_like(image)
        for a, b, strength in zip(fixed[:-1], fixed[1:], fade, strict=True):
            low, high = (np.minimum(a, b) >> 4) - 3, (np.maximum(a, b) >> 4) + 4
            low, high = np.clip(low, 0, ATLAS), np.clip(high, 0, ATLAS)
            part = line[low[1] : high[1], low[0] : high[0]]
            if part.size == 0:
                continue
            stroke = np.zeros_like(part)
            shift = low * 16
            cv2.line(
                stroke,
                tuple(map(int, a - shift)),
                tuple(map(int, b - shift)),
                float(strength),
                2,
                cv2.LINE_AA,
                4,
            )
            np.maximum(part, stroke, out=part)
        image += line
    gain = max(width_px * 1.25, 1.0)
    return np.asarray(np.minimum(cv2.GaussianBlur(image, (0, 0), width_px) * gain, 1.2))


def resample(points: np.ndarray, count: int) -> np.ndarray:
    """`count` points [count, 2] along a smooth curve through points [K, 2] (Catmull-Rom)."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    at = np.linspace(0, len(points) - 1, count)
    k = np.minimum(at.astype(int), len(points) - 2)
    t = (at - k)[:, None]
    a, b, c, d = (padded[k + i] for i in range(4))
    return np.asarray(
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    )
