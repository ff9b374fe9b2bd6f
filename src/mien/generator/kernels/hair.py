"""March of single rays through the hair's shell; the steps are those of `shellmarch._march`.

Where a point lies in the planes is looked up in a grid around the head at rest, see `hairtables.RestGrid`.
"""

# mypy: disable-error-code="no-untyped-def"
import math
from typing import Final, no_type_check

import numpy as np
from numba import njit

from mien.generator.kernels.carry import HIGHEST, LOWEST, at_rest, plane_coordinates, wrapped_u
from mien.generator.kernels.lookup import FADED, ONE, corners, logistic
from mien.morphable.kernels.scan import next_fragment

ENOUGH: Final = 0.005
"""What passes at most where the hair is taken as opaque, before an interval ends."""
TOGETHER: Final = 0.1
"""Samples that follow each other take one colour, that of the last, until they weigh so much."""


@njit(inline="always", fastmath=True)
@no_type_check
def _passing(x):
    """exp(-x) for x from 0 to 2, off by less than 1e-5: the eighth power of a polynomial."""
    y = x * np.float32(-0.125)
    p = ONE + y * (ONE + y * (np.float32(1 / 2) + y * (np.float32(1 / 6) + y * np.float32(1 / 24))))
    p *= p
    p *= p
    return p * p


@njit(inline="always", fastmath=True)
@no_type_check
def _colour(u, v, h, below, uv, uh, vh, mixed, weight, out):
    """Add `HairColours` of one point, `below` the table's first depth, to `out` [5], times `weight`."""
    below, weight = np.float32(below), np.float32(weight)
    j, j2, i, i2, a, b, c, d = corners(wrapped_u(u, uv.shape[1]), v, uv)
    for k in range(8):
        mixed[k] = a * uv[j, i, k] + b * uv[j, i2, k] + c * uv[j2, i, k] + d * uv[j2, i2, k]
    for k in range(3):
        mixed[k] += below * mixed[4 + k]
    j, j2, i, i2, a, b, c, d = corners(wrapped_u(u, uh.shape[1]), h, uh)
    for k in range(3):
        mixed[k] += a * uh[j, i, k] + b * uh[j, i2, k] + c * uh[j2, i, k] + d * uh[j2, i2, k]
    j, j2, i, i2, a, b, c, d = corners(v, h, vh)
    for k in range(3):
        mixed[k] += a * vh[j, i, k] + b * vh[j, i2, k] + c * vh[j2, i, k] + d * vh[j2, i2, k]
    for k in range(3):
        out[k] += weight * logistic(mixed[k])


@njit(fastmath=True)
@no_type_check
def coordinates(x, y, z, grid, is_exact, low, cell, displacement, radius, steps):
    """Plane coordinates of a point at rest: trilinear between the grid's nodes, or exact where that is not
    near enough or beside the grid."""
    px, py, pz = (x - low[0]) / cell, (y - low[1]) / cell, (z - low[2]) / cell
    i, j, k = math.floor(px), math.floor(py), math.floor(pz)
    if i < 0 or j < 0 or k < 0 or k >= is_exact.shape[0] or j >= is_exact.shape[1] or i >= is_exact.shape[2]:
        return plane_coordinates(x, y, z, displacement, radius, steps)
    if is_exact[k, j, i]:
        return plane_coordinates(x, y, z, displacement, radius, steps)
    r, s, t = np.float32(px - i), np.float32(py - j), np.float32(pz - k)
    u = v = h = np.float32(0)
    for dk in range(2):
        for dj in range(2):
            side = (t if dk else ONE - t) * (s if dj else ONE - s)
            first, second = side * (ONE - r), side * r
            u += first * grid[k + dk, j + dj, i, 0] + second * grid[k + dk, j + dj, i + 1, 0]
            v += first * grid[k + dk, j + dj, i, 1] + second * grid[k + dk, j + dj, i + 1, 1]
            h += first * grid[k + dk, j + dj, i, 2] + second * grid[k + dk, j + dj, i + 1, 2]
    return np.float64(u), np.float64(v), np.float64(h)


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
@no_type_check
def fill_grid(low, cell, displacement, radius, steps, tolerance, grid, is_exact):
    """Write the nodes' plane coordinates [z, y, x, 3] and in which cells [z - 1, y - 1, x - 1] the middle is
    off the mean of the corners by more than `tolerance` [3]."""
    for k in range(grid.shape[0]):
        for j in range(grid.shape[1]):
            for i in range(grid.shape[2]):
                x, y, z = low[0] + i * cell, low[1] + j * cell, low[2] + k * cell
                grid[k, j, i, 0], grid[k, j, i, 1], grid[k, j, i, 2] = plane_coordinates(
                    x, y, z, displacement, radius, steps
                )
    half = 0.5 * cell
    for k in range(is_exact.shape[0]):
        for j in range(is_exact.shape[1]):
            for i in range(is_exact.shape[2]):
                x, y, z = low[0] + i * cell + half, low[1] + j * cell + half, low[2] + k * cell + half
                middle = plane_coordinates(x, y, z, displacement, radius, steps)
                is_exact[k, j, i] = False
                for c in range(3):
                    mean = 0.0
                    for n in range(8):
                        mean += grid[k + (n >> 2), j + ((n >> 1) & 1), i + (n & 1), c] / 8
                    if abs(mean - middle[c]) > tolerance[c]:
                        is_exact[k, j, i] = True


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
@no_type_check
def march(
    pixels, origin, directions, body_depth,
    newest, before, face_of, distance_of, away,
    motion, neck_steps, grid, is_exact, low, cell,
    carry_steps, displacement, radius, shape, uv, uh, vh, first_depth,
    samples, rounds, interval, farthest, opaque, unseen, sigma_full, softness,
    out,
):  # fmt: skip
    """Write premultiplied colour, alpha and weighted distance of the hair before `body_depth`, [N, 5].

    Fragments of a pixel are chained, see `scan`. Tables are [v, u, channel], those that wrap in
    u with a column of the other end on each side; shape: outer height and density; uv: see `HairTables`.
    """
    mixed = np.empty(8, np.float32)
    for n in range(pixels.shape[0]):
        p = pixels[n]
        far = min(body_depth[n], farthest)
        dx, dy, dz = directions[n, 0], directions[n, 1], directions[n, 2]
        passing, start, distance, waiting = 1.0, 0.0, 0.0, 0.0
        u1 = v1 = h1 = u = v = h = below = 0.0
        for k in range(5):
            out[n, k] = 0
        for _ in range(rounds):
            at = next_fragment(newest[p], start, before, face_of, distance_of)
            if at < 0:
                break
            is_inside = away[face_of[at]] and start > 0
            begin = start if is_inside else np.float64(distance_of[at])
            if begin >= far:
                break
            if not is_inside:
                x, y, z = at_rest(
                    origin[0] + dx * begin, origin[1] + dy * begin, origin[2] + dz * begin, motion, neck_steps
                )
                u1, v1, h1 = coordinates(
                    x, y, z, grid, is_exact, low, cell, displacement, radius, carry_steps
                )
            end = min(begin + interval, far)
            x, y, z = at_rest(
                origin[0] + dx * end, origin[1] + dy * end, origin[2] + dz * end, motion, neck_steps
            )
            u2, v2, h2 = coordinates(x, y, z, grid, is_exact, low, cell, displacement, radius, carry_steps)
            u_step = u2 - u1 - 2 * math.floor((u2 - u1 + 1) / 2)
            gap = np.float32(sigma_full * (end - begin) / samples)
            for k in range(samples):
                share = (k + 0.5) / samples
                hs = h1 + share * (h2 - h1)
                height = LOWEST + (hs + 1) / 2 * (HIGHEST - LOWEST)
                if not LOWEST < height < HIGHEST:
                    continue
                us, vs = u1 + share * u_step, v1 + share * (v2 - v1)
                j, j2, i, i2, a, b, c, d = corners(wrapped_u(us, shape.shape[1]), vs, shape)
                top = a * shape[j, i, 0] + b * shape[j, i2, 0] + c * shape[j2, i, 0] + d * shape[j2, i2, 0]
                under = np.float32((top - height) / softness)
                if under < -FADED:  # above all hair
                    continue
                full = a * shape[j, i, 1] + b * shape[j, i2, 1] + c * shape[j2, i, 1] + d * shape[j2, i2, 1]
                weight = passing * (ONE - _passing(gap * full * logistic(under)))
                if passing - weight <= ENOUGH:
                    weight = passing
                passing -= weight
                distance += weight * (begin + (end - begin) * share)
                waiting += weight
                u, v, h, below = us, vs, hs, top - first_depth - height
                if passing <= 0:
                    break
                if waiting > TOGETHER:
                    _colour(u, v, h, below, uv, uh, vh, mixed, waiting, out[n])
                    waiting = 0.0
            if passing <= opaque:
                break
            start, u1, v1, h1 = end, u2, v2, h2
        if waiting > unseen:
            _colour(u, v, h, below, uv, uh, vh, mixed, waiting, out[n])
        out[n, 3] = 1 - passing
        out[n, 4] = distance
