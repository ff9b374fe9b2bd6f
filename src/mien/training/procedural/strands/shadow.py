"""Light between strands: how much of a far light, and of the whole sky, reaches a point.

A deep opacity map (Yuksel and Keyser 2008): seen from the light, layers that follow the hair's first surface
hold how much strand lies in front of a point.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from mien.training.procedural.strands.base import Strands
from mien.training.procedural.strands.kernels import covered, deposit, first_depth

BOUNDS: Final = np.array([0.003, 0.008, 0.016, 0.03, 0.05, 0.08, 0.14, 0.8], np.float32)
"""Ends of the layers behind the first strand, EG3D units."""
EXTINCTION: Final = 0.55
"""Optical depth per layer of strands that would cover everything once: hair passes light on."""
MOST_POINTS: Final = 110_000
"""With more points than this, one of a few strands is taken, wider."""
SKY_DIRECTIONS: Final = np.array(
    [[0, 1, 0.2], [0.9, 0.45, 0.2], [-0.9, 0.45, 0.2], [0, 0.45, 1], [0, 0.4, -1], [0.7, -0.1, 0.7],
     [-0.7, -0.1, 0.7], [0.7, -0.1, -0.7], [-0.7, -0.1, -0.7]], np.float32,
)  # fmt: skip
"""From where light is gathered for the share of the sky that is seen."""
SKY_EVERY: Final = 4
"""One of so many strands is taken for that, wider."""


class StrandShadow:
    """Shadows of strands under a far light in unit direction [3] (from the head towards the light)."""

    def __init__(self, strands: Strands, direction: np.ndarray, *, side_px: int = 288) -> None:
        self._empty = len(strands) == 0
        if self._empty:
            return
        every = max(1, len(strands) * strands.points_per_strand // MOST_POINTS)
        points = np.ascontiguousarray(strands.points[::every])
        width = strands.width[::every] * np.float32(every)
        low, high = points.min((0, 1)), points.max((0, 1))
        centre, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2 + 0.01
        away = -direction / np.linalg.norm(direction)
        right = np.cross([0.0, 1.0, 0.0] if abs(away[1]) < 0.9 else [1.0, 0.0, 0.0], away)
        right /= np.linalg.norm(right)
        self._axes = np.stack([right, np.cross(away, right), away]).astype(np.float32)
        self._origin = (centre - radius * self._axes.sum(0)).astype(np.float32)
        self._scale = np.float32(side_px / (2 * radius))
        length = float(np.linalg.norm(np.diff(points[::16], axis=1), axis=-1).mean())
        per = int(np.clip(round(length * self._scale), 1, 4))
        self._depth = np.full((side_px, side_px), 1e3, np.float32)
        first_depth(points, self._axes, self._origin, self._scale, per, self._depth)
        self._depth = _dilated_least(self._depth)
        layers = np.zeros((side_px, side_px, len(BOUNDS)), np.float32)
        deposit(points, width, self._axes, self._origin, self._scale, per, self._depth, BOUNDS, layers)
        self._layers = np.cumsum(layers, -1, dtype=np.float32)

    def transmittance(self, points: np.ndarray) -> np.ndarray:
        """Share of the light float32 [N] in [0, 1] that reaches points [N, 3]."""
        out = np.zeros(len(points), np.float32)
        if self._empty:
            return out + 1
        xyz = np.ascontiguousarray(points, dtype=np.float32)
        covered(xyz, self._axes, self._origin, self._scale, self._depth, BOUNDS, self._layers, out)
        return np.asarray(np.exp(-EXTINCTION * out), dtype=np.float32)


class StrandSky:
    """How much of the surroundings' light passes strands: mean transmittance over directions."""

    def __init__(self, strands: Strands, *, side_px: int = 96) -> None:
        some = strands.of(np.arange(0, len(strands), SKY_EVERY))
        some = replace(some, width=some.width * np.float32(SKY_EVERY))
        self._maps = [StrandShadow(some, d, side_px=side_px) for d in SKY_DIRECTIONS]

    def on_strands(self, strands: Strands, *, points_each: int = 9) -> np.ndarray:
        """Share float32 [S, Q, 1] of the sky at Q points along the strands, for `StrandHits.interpolate`."""
        few = strands.resampled(min(points_each, strands.points_per_strand)).points
        return self.share(few.reshape(-1, 3)).reshape(*few.shape[:2], 1)

    def share(self, points: np.ndarray) -> np.ndarray:
        """Share of the sky float32 [N] in [0, 1] that points [N, 3] see."""
        return np.asarray(np.mean([m.transmittance(points) for m in self._maps], 0), dtype=np.float32)


def _dilated_least(depth: np.ndarray) -> np.ndarray:
    """Least depth of the 3 x 3 texels around each, so that neighbours' layers agree."""
    padded = np.pad(depth, 1, mode="edge")
    rows = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
    return np.ascontiguousarray(np.minimum(np.minimum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:]))
