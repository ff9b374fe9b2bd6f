"""What painting fills: maps of the surface, its relief, and what each texel shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mien.morphable.teeth import MM
from mien.training.procedural.atlas import ATLAS
from mien.training.procedural.render.shading import ALBEDO, CHANNELS

__all__ = ["MM", "Canvas"]


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

    def part(self, box: tuple[slice, slice]) -> "Canvas":
        """A rectangle of it, sharing memory."""
        return Canvas(self.maps[box], self.height[box], self.material[box])

    def blend(self, colour: np.ndarray, mask: np.ndarray) -> None:
        """Lay a linear colour [3] or [H, W, 3] over the albedo, by a mask [H, W] in [0, 1]."""
        albedo = self.maps[..., ALBEDO : ALBEDO + 3]
        albedo += (colour - albedo) * mask[..., None]

    def mix(self, channel: int, value: float | np.ndarray, mask: np.ndarray) -> None:
        """Move a channel towards a value, by a mask [H, W] in [0, 1]."""
        self.maps[..., channel] += (value - self.maps[..., channel]) * mask


@dataclass(frozen=True, eq=False)
class Patch:
    """A picture on a rectangle of the atlas; it is zero outside."""

    rows: slice
    columns: slice
    values: np.ndarray
    """float32 [h, w]."""

    @property
    def box(self) -> tuple[slice, slice]:
        """Index of the rectangle in an array [ATLAS, ATLAS, ...]."""
        return self.rows, self.columns

    def whole(self) -> np.ndarray:
        """float32 [ATLAS, ATLAS]."""
        out = np.zeros((ATLAS, ATLAS), np.float32)
        out[self.box] = self.values
        return out

    def groove(self) -> np.ndarray:
        """Relief [h, w] of drawn lines, in about [-1, 0.3]: furrows between low banks."""
        return np.asarray(0.55 * cv2.GaussianBlur(self.values, (0, 0), 5.0) - self.values)


def curves(points_px: Sequence[np.ndarray], width_px: float, weights: Sequence[float]) -> Patch:
    """Soft lines through points [K, 2] of the atlas, thin at both ends; peak about the line's weight."""
    dense = [resample(points, 24) for points in points_px]
    margin = int(4 * width_px) + 16
    low = np.maximum(np.floor(np.min([d.min(0) for d in dense], 0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(np.max([d.max(0) for d in dense], 0)).astype(int) + margin, ATLAS)
    image = np.zeros((high[1] - low[1], high[0] - low[0]), np.float32)
    for points, weight in zip(dense, weights, strict=True):
        fade = np.sin(np.linspace(0.05, np.pi - 0.05, len(points) - 1)) ** 0.7 * weight
        fixed = [tuple(p) for p in np.round((points - low) * 16).astype(int).tolist()]
        # short pieces drawn weakest first, so that overlaps keep the stronger
        for k in np.argsort(fade):
            cv2.line(image, fixed[k], fixed[k + 1], float(fade[k]), 2, cv2.LINE_AA, 4)
    gain = max(width_px * 1.25, 1.0)
    soft = np.minimum(cv2.GaussianBlur(image, (0, 0), width_px) * gain, 1.2)
    return Patch(slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])), soft)


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
