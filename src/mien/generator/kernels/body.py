"""The body behind the hair: what the rays of a picture show of the mesh, see `fastrays`."""

# mypy: disable-error-code="no-untyped-def"
import math
from typing import no_type_check

import numpy as np
from numba import njit

from mien.generator.kernels.carry import wrapped_u
from mien.generator.kernels.lookup import ONE, corners, logistic


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def directions_of(pixels, width, ray, out):
    """Unit directions [N, 3] of the rays through pixels; ray [3, 3] takes (column, row, 1) to the world."""
    for n in range(pixels.shape[0]):
        row = pixels[n] // width
        column = pixels[n] - row * width
        x = ray[0, 0] * column + ray[0, 1] * row + ray[0, 2]
        y = ray[1, 0] * column + ray[1, 1] * row + ray[1, 2]
        z = ray[2, 0] * column + ray[2, 1] * row + ray[2, 2]
        scale = 1 / math.sqrt(x * x + y * y + z * z)
        out[n, 0], out[n, 1], out[n, 2] = x * scale, y * scale, z * scale


@njit(inline="always", fastmath=True)
@no_type_check
def add_at(table, x, y, out):
    j, j2, i, i2, a, b, c, d = corners(x, y, table)
    for k in range(table.shape[2]):
        out[k] += a * table[j, i, k] + b * table[j, i2, k] + c * table[j2, i, k] + d * table[j2, i2, k]


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
@no_type_check
def compose(
    face, barycentric, depth, hair, corner_places, faces, carried, uv, uh, vh, residual, body, same, unseen,
    missed, out, index, features, added,
):  # fmt: skip
    """Write the columns `out` [N, 9 + C] of `render._hair_before_body` and what is carried, but for the
    body's colours where they are not in the table `body` (see `tabulate_body`); how many rays show such.

    hair [N, 5]: see `march`; same: how far heights of the table may be off. The rays whose body's colours are
    missing are written to index [N], the planes' features there to [N, channel], the residual to `added`
    [N, 3].
    """
    count = 0
    tabled = np.empty(4, np.float32)
    for n in range(face.shape[0]):
        f, covered = face[n], hair[n, 3]
        rest = ONE - covered if f >= 0 else np.float32(0)
        alpha = covered + rest
        distance = hair[n, 4] + rest * depth[n] if f >= 0 else hair[n, 4]
        for k in range(out.shape[1]):
            out[n, k] = 0
        for k in range(3):
            out[n, k] = hair[n, k]
        out[n, 3], out[n, 8] = alpha, covered
        if alpha > missed:
            out[n, 4] = distance / alpha
        if f < 0:
            continue
        for c in range(3):
            share = barycentric[n, c]
            for k in range(3):
                out[n, 5 + k] += share * corner_places[f, c, k]
            for k in range(carried.shape[1]):
                out[n, 9 + k] += share * carried[faces[f, c], k]
        if rest > unseen:
            u, v, h = np.float64(out[n, 5]), np.float64(out[n, 6]), np.float64(out[n, 7])
            if body.shape[0] > 0:
                tabled[:] = 0
                add_at(body, wrapped_u(u, body.shape[1]), v, tabled)
                if abs(tabled[3] - h) < same:
                    for k in range(3):
                        out[n, k] += rest * logistic(tabled[k])
                    continue
            index[count] = n
            for k in range(features.shape[1]):
                features[count, k] = 0
            for k in range(3):
                added[count, k] = 0
            add_at(uv, wrapped_u(u, uv.shape[1]), v, features[count])
            add_at(uh, wrapped_u(u, uh.shape[1]), h, features[count])
            add_at(vh, v, h, features[count])
            add_at(residual, wrapped_u(u, residual.shape[1]), v, added[count])
            count += 1
    return count


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
@no_type_check
def colour(index, features, added, network, out):
    """Add the body's colours of some rays [S] to `out` [N, 9 + C]: decoder with its network's outputs."""
    for s in range(network.shape[0]):
        n = index[s]
        rest = out[n, 3] - out[n, 8]
        for k in range(3):
            out[n, k] += rest * logistic(features[s, k] + network[s, k] + added[s, k])


@njit(inline="always")
@no_type_check
def _differ(image, one, other, limits):
    a, b = image[one], image[other]
    if abs(a[3] - b[3]) > limits[0]:
        return True
    if abs(a[4] - b[4]) > limits[1] and a[3] > limits[0]:
        return True
    if 1 - a[8] <= limits[0] or 1 - b[8] <= limits[0]:
        return False
    step = abs(a[5] - b[5])
    return max(min(step, 2 - step), abs(a[6] - b[6])) > limits[2]  # u wraps


@njit(inline="always")
@no_type_check
def _near_body(image, width, one, least):
    """Whether a pixel or one of the eight around it shows the body."""
    row, column = one // width, one % width
    for j in range(max(row - 1, 0), min(row + 2, image.shape[0] // width)):
        for i in range(max(column - 1, 0), min(column + 2, width)):
            if image[j * width + i, 3] - image[j * width + i, 8] > least:
                return True
    return False


@njit(nogil=True, cache=True)
@no_type_check
def find_edges(image, width, known, limits, edges):
    """`render.edges_of`: image [P, 9 + C], known [P] or empty for all, limits: alpha, depth, chart, body."""
    edges[:] = False
    is_limited = known.shape[0] > 0
    for one in range(image.shape[0]):
        if is_limited and not known[one]:
            continue
        for k in range(2):
            other = one + (width if k else 1)
            if other >= image.shape[0] or (k == 0 and other % width == 0):
                continue
            if is_limited and not known[other]:
                continue
            if _differ(image, one, other, limits):
                edges[one] = edges[other] = True
    for one in range(image.shape[0]):
        if edges[one]:
            edges[one] = _near_body(image, width, one, limits[3])
