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
    depth = np.zeros((size, size, LAYERS), np.float32)
    colour = np.zeros((size, size, LAYERS, rgb.shape[1]), np.float32)
    texel = _texel_area(size)
    _spread(
        np.ascontiguousarray(planes, np.float32), np.ascontiguousarray(area, np.float32) * PROJECTED,
        np.ascontiguousarray(rgb, np.float32), texel, depth, colour,
    )  # fmt: skip
    mean = colour / np.maximum(depth, 1e-9)[..., None]
    taken = 1 - np.exp(-depth)
    inner = np.cumprod(1 - taken[..., ::-1], -1)[..., ::-1]  # passes this layer and all above it
    above = np.concatenate([inner[..., 1:], np.ones_like(inner[..., :1])], -1)
    weight = above * taken
    opacity = 1 - inner[..., 0]
    lost = (1 - above) / np.maximum(opacity, 1e-6)[..., None]  # by what lies above each layer
    height = _where_lost(lost, weight / np.maximum(opacity, 1e-6)[..., None])
    seen = opacity > LEAST_OPACITY
    out = (weight[..., None] * mean).sum(2) / np.maximum(opacity, 1e-6)[..., None]
    return HairMaps(
        (out * seen[..., None]).astype(np.float32),
        np.where(seen, height, empty).astype(np.float32),
        np.where(seen, opacity, 0).astype(np.float32),
    )


def _where_lost(lost: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Height at which `OUTER_SHARE` of the light is lost, linear inside a layer."""
    reached = (lost + weight >= OUTER_SHARE) & (weight > 0)
    layer = LAYERS - 1 - np.argmax(reached[..., ::-1], -1)  # the topmost that reaches it
    rows, columns = np.indices(layer.shape)
    inside = (OUTER_SHARE - lost[rows, columns, layer]) / np.maximum(weight[rows, columns, layer], 1e-9)
    low, high = chart.HEIGHT_RANGE
    return low + (high - low) * (layer + 1 - np.clip(inside, 0, 1)) / LAYERS


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


@njit(cache=True)
@no_type_check
def _spread(planes, area, rgb, texel, depth, colour):
    """Add pieces to the layers over the four nearest texels."""
    n, layers = depth.shape[0], depth.shape[2]
    for k in range(planes.shape[0]):
        layer = int((planes[k, 2] + 1) / 2 * layers)
        if layer < 0 or layer >= layers:
            continue
        x = (planes[k, 0] + 1) / 2 * n - 0.5
        y = min(max((planes[k, 1] + 1) / 2 * n - 0.5, 0.0), n - 1.0)
        x0, y0 = int(np.floor(x)), int(np.floor(y))
        for dy in range(2):
            row = min(y0 + dy, n - 1)
            for dx in range(2):
                column = (x0 + dx) % n
                share = (1 - abs(x - x0 - dx)) * (1 - abs(y - y0 - dy))
                optical = share * area[k] / texel[row, column]
                depth[row, column, layer] += optical
                for c in range(rgb.shape[1]):
                    colour[row, column, layer, c] += optical * rgb[k, c]
