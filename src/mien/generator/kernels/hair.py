"""March of single rays through the hair's shell; the steps are those of `shellmarch._march`."""

# mypy: disable-error-code="no-untyped-def"
import math
from typing import no_type_check

import numpy as np
from numba import njit

from mien.generator.kernels.carry import HIGHEST, LOWEST, at_rest, corners_of, plane_coordinates, wrapped_u
from mien.morphable.kernels.scan import next_fragment


@njit(inline="always", fastmath=True)
@no_type_check
def _add(table, y, x, out):
    """Add the bilinear values of a table [y, x, channel] to `out`."""
    i, i2, s = corners_of(x, table.shape[1])
    j, j2, t = corners_of(y, table.shape[0])
    a, b, c, d = (1 - t) * (1 - s), (1 - t) * s, t * (1 - s), t * s
    for k in range(table.shape[2]):
        out[k] += a * table[j, i, k] + b * table[j, i2, k] + c * table[j2, i, k] + d * table[j2, i2, k]


@njit(inline="always", fastmath=True)
@no_type_check
def _colour(u, v, h, uv, uh, vh, depth, wide, out):
    """`HairColours` of one point; `depth` is its place below the outer surface, minus the first of the
    table's."""
    wide[:] = 0
    out[:] = 0
    _add(uv, v, wrapped_u(u, uv.shape[1]), wide)
    _add(uh, h, wrapped_u(u, uh.shape[1]), out)
    _add(vh, h, v, out)
    for k in range(3):
        out[k] = 1 / (1 + math.exp(-(wide[k] + out[k] + wide[3 + k] + wide[6 + k] * depth)))


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
@no_type_check
def march(
    pixels, origin, directions, body_depth,
    offset, face_of, distance_of, away,
    motion, neck_steps, carry_steps, displacement, radius, shape, uv, uh, vh, outer, first_depth,
    samples, rounds, interval, farthest, opaque, unseen, sigma_full, softness,
    out,
):  # fmt: skip
    """Write premultiplied colour, alpha and weighted distance of the hair before `body_depth`, [N, 5].

    Fragments of pixel p stand from offset[p] to offset[p + 1]. Tables are [v, u, channel], those that wrap in
    u with a column of the other end on each side; shape: outer height and density, outer: [v, u + 2, 1].
    """
    wide, rgb, found, top = np.empty(9), np.empty(3), np.empty(2), np.empty(1)
    for n in range(pixels.shape[0]):
        p = pixels[n]
        far = min(body_depth[n], farthest)
        dx, dy, dz = directions[n, 0], directions[n, 1], directions[n, 2]
        passing, start, distance = 1.0, 0.0, 0.0
        u1 = v1 = h1 = 0.0
        for k in range(5):
            out[n, k] = 0
        for _ in range(rounds):
            at = next_fragment(offset[p], offset[p + 1], start, face_of, distance_of)
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
                u1, v1, h1 = plane_coordinates(x, y, z, displacement, radius, carry_steps)
            end = min(begin + interval, far)
            x, y, z = at_rest(
                origin[0] + dx * end, origin[1] + dy * end, origin[2] + dz * end, motion, neck_steps
            )
            u2, v2, h2 = plane_coordinates(x, y, z, displacement, radius, carry_steps)
            u_step = u2 - u1 - 2 * math.floor((u2 - u1 + 1) / 2)
            gap = (end - begin) / samples
            for k in range(samples):
                share = (k + 0.5) / samples
                u, v, h = u1 + share * u_step, v1 + share * (v2 - v1), h1 + share * (h2 - h1)
                height = LOWEST + (h + 1) / 2 * (HIGHEST - LOWEST)
                if not LOWEST < height < HIGHEST:
                    continue
                found[1] = 0
                found[0] = 0
                _add(shape, v, wrapped_u(u, shape.shape[1]), found)
                sigma = sigma_full / (1 + math.exp(-(found[0] - height) / softness)) * found[1]
                weight = passing * (1 - math.exp(-sigma * gap))
                passing -= weight
                distance += weight * (begin + (end - begin) * share)
                if weight > unseen:
                    top[0] = 0
                    _add(outer, v, wrapped_u(u, outer.shape[1]), top)
                    _colour(u, v, h, uv, uh, vh, top[0] - first_depth - height, wide, rgb)
                    for c in range(3):
                        out[n, c] += weight * rgb[c]
            if passing <= opaque:
                break
            start, u1, v1, h1 = end, u2, v2, h2
        out[n, 3] = 1 - passing
        out[n, 4] = distance
