"""The layers of a beard along the rays of a picture; plainly: `beardlayers.lay_beard`."""

# mypy: disable-error-code="no-untyped-def"
import math
from typing import no_type_check

import numpy as np
from numba import njit

from mien.generator.kernels.body import add_at
from mien.generator.kernels.carry import wrapped_u
from mien.generator.kernels.lookup import ONE, corners, logistic
from mien.morphable.kernels.scan import weights_of


@njit(inline="always")
@no_type_check
def _smooth(x):
    t = min(max(x, np.float32(0)), ONE)
    return t * t * (3 - 2 * t)


@njit(inline="always")
@no_type_check
def _place_in(xyz, corner, pixel_ray, nearest, row, column, w, share):
    """Fill the barycentric coordinates of a pixel in a triangle; the distance there."""
    weights_of(xyz[corner[0]], xyz[corner[1]], xyz[corner[2]], pixel_ray, nearest, w)
    total = 0.0
    for k in range(3):
        share[k] = w[k, 0] * column + w[k, 1] * row + w[k, 2]
        total += share[k]
    for k in range(3):
        share[k] = min(max(share[k] / total, 0.0), 1.0)
    x = pixel_ray[0, 0] * column + pixel_ray[0, 1] * row + pixel_ray[0, 2]
    y = pixel_ray[1, 0] * column + pixel_ray[1, 1] * row + pixel_ray[1, 2]
    return math.sqrt(x * x + y * y + 1) / total


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def weigh(
    pixels, picture, newest, before, face_of, distance_of, body_depth, hair, layers, corner_places, counts,
    strands, soft, least, carried, tables, out, rays, weights, features, added,
):  # fmt: skip
    """Make room in `out` [N, 9 + C], see `compose`, for the loose hairs of some layers; how many samples.

    The layers' triangles follow one another, each layer's as corner_places [F, 3, 3]; fragments of a pixel
    are chained, see `scan`. counts [V, 1]: how far strands count, strands [v, u, 1]: their lengths, carried
    [layers * V, C]. What samples show of the body's planes goes to features [some, channel] and added
    [some, 3], their rays and what they weigh to rays and weights [some].
    """
    xyz, faces, pixel_ray, nearest, width = picture
    uv, uh, vh, residual, _ = tables
    per_layer, vertices = corner_places.shape[0], counts.shape[0]
    met, w, share = np.empty(layers, np.int64), np.empty((3, 3)), np.empty(3)
    place, found = np.empty(3), 0
    for n in range(pixels.shape[0]):
        at = newest[pixels[n]]
        if at < 0:
            continue
        met[:] = -1
        while at >= 0:
            k = face_of[at] // per_layer
            if met[k] < 0 or distance_of[at] < distance_of[met[k]]:
                met[k] = at
            at = before[at]
        row = pixels[n] // width
        column = pixels[n] - row * width
        left, heaviest, moment = ONE, np.float32(0), np.float32(0)
        alone = out[n, 3] - hair[n, 3] <= 0
        through = ONE - hair[n, 3]
        for k in range(layers - 1, -1, -1):
            if met[k] < 0 or distance_of[met[k]] >= body_depth[n]:
                continue
            f = face_of[met[k]]
            distance = _place_in(xyz, faces[f], pixel_ray, nearest, row, column, w, share)
            count = 0.0
            place[:] = 0
            for c in range(3):
                count += share[c] * counts[faces[f, c] - k * vertices, 0]
                for m in range(3):
                    place[m] += share[c] * corner_places[f - k * per_layer, c, m]
            j, j2, i, i2, a, b, c2, d = corners(wrapped_u(place[0], strands.shape[1]), place[1], strands)
            reach = (
                a * strands[j, i, 0] + b * strands[j, i2, 0] + c2 * strands[j2, i, 0] + d * strands[j2, i2, 0]
            )
            alpha = _smooth((reach - np.float32((k + 1) / layers)) / soft + np.float32(0.5)) * np.float32(
                count
            )
            weight = left * alpha
            left *= ONE - alpha
            moment += weight * np.float32(distance)
            if alone and weight > heaviest:
                heaviest = weight
                out[n, 5], out[n, 6], out[n, 7] = place[0], place[1], place[2]
                for m in range(carried.shape[1]):
                    out[n, 9 + m] = 0
                    for c in range(3):
                        out[n, 9 + m] += share[c] * carried[faces[f, c], m]
            if weight > least:
                rays[found], weights[found] = n, through * weight
                features[found] = 0
                added[found] = 0
                u, v, h = place[0], place[1], place[2]
                add_at(uv, wrapped_u(u, uv.shape[1]), v, features[found])
                add_at(uh, wrapped_u(u, uh.shape[1]), h, features[found])
                add_at(vh, v, h, features[found])
                add_at(residual, wrapped_u(u, residual.shape[1]), v, added[found])
                found += 1
        if left == 1:
            continue
        for k in range(3):
            out[n, k] = hair[n, k] + left * (out[n, k] - hair[n, k])
        out[n, 3] = hair[n, 3] + left * (out[n, 3] - hair[n, 3]) + through * (ONE - left)
        if alone:
            out[n, 4] = (hair[n, 4] + through * moment) / max(out[n, 3], np.float32(1e-6))
    return found


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
@no_type_check
def lay(rays, weights, features, added, network, out):
    """Add the colours of the samples of `weigh` to `out`: decoder with its network's outputs."""
    for s in range(network.shape[0]):
        for k in range(3):
            out[rays[s], k] += weights[s] * logistic(features[s, k] + network[s, k] + added[s, k])
