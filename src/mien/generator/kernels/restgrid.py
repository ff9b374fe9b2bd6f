"""Where points lie in the planes, looked up in a grid around the head at rest: `hairtables.RestGrid`."""

# mypy: disable-error-code="no-untyped-def"
import math
from typing import no_type_check

import numpy as np
from numba import njit

from mien.generator.kernels.carry import chart_coordinates, wrapped_u
from mien.generator.kernels.lookup import FAST, ONE, POSITIVE, corners


@njit(forceinline=True, fastmath=FAST, _nrt=False)
@no_type_check
def _exact(x, y, z, displacement, steps):
    return chart_coordinates(x, y, z, displacement, steps)


@njit(inline="always", fastmath=FAST)
@no_type_check
def coordinates(x, y, z, grid, is_exact, low, cell, displacement, radius, steps):
    """u, v and height above the body of a point at rest: u, v and the capsule's radius are trilinear between
    the grid's nodes, or exact where that is not near enough or beside the grid."""
    px, py, pz = (x - low[0]) / cell, (y - low[1]) / cell, (z - low[2]) / cell
    i, j, k = math.floor(px), math.floor(py), math.floor(pz)
    is_inside = (
        0 <= i < is_exact.shape[2] and 0 <= j < is_exact.shape[1] and 0 <= k < is_exact.shape[0]
    ) and not is_exact[k & POSITIVE, j & POSITIVE, i & POSITIVE]
    if is_inside:
        i, j, k = i & POSITIVE, j & POSITIVE, k & POSITIVE
        r, s, t = np.float32(px - i), np.float32(py - j), np.float32(pz - k)
        a, b, c, d = (ONE - t) * (ONE - s), (ONE - t) * s, t * (ONE - s), t * s
        u0 = a * grid[k, j, i, 0] + b * grid[k, j + 1, i, 0]
        v0 = a * grid[k, j, i, 1] + b * grid[k, j + 1, i, 1]
        w0 = a * grid[k, j, i, 2] + b * grid[k, j + 1, i, 2]
        u0 += c * grid[k + 1, j, i, 0] + d * grid[k + 1, j + 1, i, 0]
        v0 += c * grid[k + 1, j, i, 1] + d * grid[k + 1, j + 1, i, 1]
        w0 += c * grid[k + 1, j, i, 2] + d * grid[k + 1, j + 1, i, 2]
        u1 = a * grid[k, j, i + 1, 0] + b * grid[k, j + 1, i + 1, 0]
        v1 = a * grid[k, j, i + 1, 1] + b * grid[k, j + 1, i + 1, 1]
        w1 = a * grid[k, j, i + 1, 2] + b * grid[k, j + 1, i + 1, 2]
        u1 += c * grid[k + 1, j, i + 1, 0] + d * grid[k + 1, j + 1, i + 1, 0]
        v1 += c * grid[k + 1, j, i + 1, 1] + d * grid[k + 1, j + 1, i + 1, 1]
        w1 += c * grid[k + 1, j, i + 1, 2] + d * grid[k + 1, j + 1, i + 1, 2]
        u, v, w = u0 + r * (u1 - u0), v0 + r * (v1 - v0), w0 + r * (w1 - w0)
    else:
        x, y, z = _exact(x, y, z, displacement, steps)
        u, v, w = np.float32(x), np.float32(y), np.float32(z)
    j, j2, i, i2, a, b, c, d = corners(wrapped_u(np.float64(u), radius.shape[1]), np.float64(v), radius)
    body = a * radius[j, i, 0] + b * radius[j, i2, 0] + c * radius[j2, i, 0] + d * radius[j2, i2, 0]
    return u, v, w - body


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy", _nrt=False)
@no_type_check
def fill_grid(low, cell, displacement, steps, tolerance, grid, is_exact):
    """Write the nodes' `chart_coordinates` [z, y, x, 3] and in which cells [z - 1, y - 1, x - 1] the middle
    is off the mean of the corners by more than `tolerance` [3]."""
    for k in range(grid.shape[0]):
        for j in range(grid.shape[1]):
            for i in range(grid.shape[2]):
                x, y, z = low[0] + i * cell, low[1] + j * cell, low[2] + k * cell
                grid[k, j, i, 0], grid[k, j, i, 1], grid[k, j, i, 2] = chart_coordinates(
                    x, y, z, displacement, steps
                )
    half = 0.5 * cell
    for k in range(is_exact.shape[0]):
        for j in range(is_exact.shape[1]):
            for i in range(is_exact.shape[2]):
                x, y, z = low[0] + i * cell + half, low[1] + j * cell + half, low[2] + k * cell + half
                middle = chart_coordinates(x, y, z, displacement, steps)
                is_exact[k, j, i] = False
                for c in range(3):
                    mean = 0.0
                    for n in range(8):
                        mean += grid[k + (n >> 2), j + ((n >> 1) & 1), i + (n & 1), c] / 8
                    if abs(mean - middle[c]) > tolerance[c]:
                        is_exact[k, j, i] = True


@njit(forceinline=True, fastmath=FAST, error_model="numpy", _nrt=False)
@no_type_check
def look_up(points, grid, is_exact, low, cell, displacement, radius, steps, places):
    """Write the `coordinates` [N, 3] of points at rest [N, 3]."""
    for m in range(points.shape[0]):
        places[m, 0], places[m, 1], places[m, 2] = coordinates(
            points[m, 0], points[m, 1], points[m, 2], grid, is_exact, low, cell, displacement, radius, steps
        )
