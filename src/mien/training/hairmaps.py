"""Strands as maps over the chart: colour, outer surface and opacity of the hair, as seen from outside.

Every texel looks straight down at the head through the strands over it: emission and absorption (Max 1995)
in thin layers, as far as light from outside would get.
"""

# mypy: disable-error-code="no-untyped-def"

from dataclasses import dataclass
from typing import Final, no_type_check

import numpy as np
import torch
from numba import njit

from mien.morphable import chart
from mien.morphable.carry import chart_grid

LAYERS: Final = 80
"""Of the height range that the planes cover: 5 thousandths of an EG3D unit (2.6 mm) each."""
OUTER_SHARE: Final = 0.35
"""Share of the light lost at the height that is called the outer surface, of what the hair takes in all."""
LEAST_OPACITY: Final = 0.02
PROJECTED: Final = 0.75
"""Of a strand's area, as seen along the height: strands lie more flat than upright."""


@dataclass(frozen=True, eq=False)
class HairMaps:
    """Hair over the chart of N x N texels; row 0 is v = -1."""

    rgb: np.ndarray
    """float32 [N, N, C] mean colour of what is seen; 0 where there is nothing."""
    height: np.ndarray
    """float32 [N, N] outer surface above the smooth body, EG3D units; `empty` where there is no hair."""
    opacity: np.ndarray
    """float32 [N, N] share of light that does not reach the body."""


def hair_maps(
    planes: np.ndarray, area: np.ndarray, rgb: np.ndarray, size: int, *, empty: float = chart.HEIGHT_RANGE[0]
) -> HairMaps:
    """Maps of M pieces of strands at plane coordinates [M, 3] (u, v, height), each of an area [M] (length
    times width, in square EG3D units) and colour [M, C]."""
    texel, share = _texel_area(size), np.zeros((size, size, LAYERS), np.float32)
    planes, area, rgb = (np.ascontiguousarray(a, np.float32) for a in (planes, area * PROJECTED, rgb))
    _deposit(planes, area, texel, share)
    height, opacity = np.empty((size, size), np.float32), np.empty((size, size), np.float32)
    low, high = (np.float32(h) for h in chart.HEIGHT_RANGE)
    _absorb(share, np.float32(OUTER_SHARE), low, (high - low) / LAYERS, height, opacity)
    colour = np.zeros((size, size, rgb.shape[1]), np.float32)
    _gather(planes, area, rgb, texel, share, colour)
    seen = opacity > LEAST_OPACITY
    colour /= np.maximum(opacity, 1e-6)[..., None]
    return HairMaps(
        np.where(seen[..., None], colour, 0).astype(np.float32),
        np.where(seen, height, empty).astype(np.float32),
        np.where(seen, opacity, 0).astype(np.float32),
    )


@njit(cache=True)
@no_type_check
def _absorb(depth, outer, low, step, height, opacity):
    """Optical depths [N, N, L] of layers, lowest first, become what a unit of depth in each is seen by.

    Height of the layer (linear inside it) above which the share `outer` of all lost light is lost.
    """
    layers = depth.shape[2]
    for y in range(depth.shape[0]):
        for x in range(depth.shape[1]):
            total = np.float32(0)
            for k in range(layers):
                total += depth[y, x, k]
            lost = np.float32(1) - np.exp(-total)
            opacity[y, x] = lost
            height[y, x] = low
            through, found = np.float32(1), False
            for k in range(layers - 1, -1, -1):
                d = depth[y, x, k]
                if d <= 0:
                    continue
                taken = through * (np.float32(1) - np.exp(-d))
                if taken <= 0:  # too little for the arithmetic, or nothing gets here any more
                    depth[y, x, k] = 0
                    continue
                if not found and np.float32(1) - through + taken >= outer * lost:
                    inside = (outer * lost - (np.float32(1) - through)) / taken
                    height[y, x] = low + step * (np.float32(k + 1) - inside)
                    found = True
                through -= taken
                depth[y, x, k] = taken / d


def _texel_area(size: int) -> np.ndarray:
    """Area float32 [size, size] of the texels on a sphere or cylinder of the chart's radius."""
    edges = torch.arange(size + 1, dtype=torch.float64) / size * 2 - 1
    middle = torch.zeros_like(edges)
    arc = chart.unchart_uv(torch.stack([middle, edges.clamp(min=chart.V_BODY[0])], 1))[:, 1]
    azimuth = chart.unchart_uv(torch.stack([edges, middle], 1))[:, 0]
    rows, columns = (t.diff().clamp(min=1e-4).numpy() for t in (arc, azimuth))
    grid = chart_grid(size)[:, 0]
    grid[:, 1] = grid[:, 1].clamp(min=chart.V_BODY[0])
    elevation = (chart.unchart_uv(grid)[:, 1] / chart.ARC_RADIUS).clamp(0, 1.45).numpy()
    across = chart.ARC_RADIUS * np.cos(elevation)
    return (rows[:, None] * across[:, None] * columns[None]).astype(np.float32)


@njit(inline="always")
@no_type_check
def _place(planes, k, n, layers):
    """Layer, row and column below and left of a piece, and the shares of the row above and column right."""
    layer = int(np.floor((planes[k, 2] + 1) / 2 * layers))
    x = (planes[k, 0] + 1) / 2 * n - np.float32(0.5)
    y = min(max((planes[k, 1] + 1) / 2 * n - np.float32(0.5), np.float32(0)), np.float32(n - 1))
    x0, y0 = np.floor(x), np.floor(y)
    return layer, int(y0), int(x0), y - y0, x - x0


@njit(cache=True)
@no_type_check
def _deposit(planes, area, texel, depth):
    """Optical depth of pieces over the four nearest texels, into layers [N, N, L]."""
    n, layers = depth.shape[0], depth.shape[2]
    for k in range(planes.shape[0]):
        layer, y0, x0, fy, fx = _place(planes, k, n, layers)
        if layer < 0 or layer >= layers:
            continue
        for dy in range(2):
            row = min(y0 + dy, n - 1)
            wy = fy if dy else np.float32(1) - fy
            for dx in range(2):
                column = (x0 + dx) % n
                depth[row, column, layer] += (
                    wy * (fx if dx else np.float32(1) - fx) * area[k] / texel[row, column]
                )


@njit(cache=True)
@no_type_check
def _gather(planes, area, rgb, texel, seen, colour):
    """Colours [M, C] of pieces, each as far as its layer is seen, into [N, N, C]."""
    n, layers = seen.shape[0], seen.shape[2]
    for k in range(planes.shape[0]):
        layer, y0, x0, fy, fx = _place(planes, k, n, layers)
        if layer < 0 or layer >= layers:
            continue
        for dy in range(2):
            row = min(y0 + dy, n - 1)
            wy = fy if dy else np.float32(1) - fy
            for dx in range(2):
                column = (x0 + dx) % n
                weight = wy * (fx if dx else np.float32(1) - fx) * area[k] / texel[row, column]
                weight *= seen[row, column, layer]
                for c in range(rgb.shape[1]):
                    colour[row, column, c] += weight * rgb[k, c]
