"""Scan conversion of triangles for `zbuffer.CompiledPixelScene`; the formulas are those of `PixelScene`."""

# mypy: disable-error-code="no-untyped-def"
import math
from typing import Final, no_type_check

import numpy as np
from numba import njit

FLAT: Final = 1e-14


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def weights_of(xyz, faces, pixel_ray, nearest, weights, away):
    """Fill `weights` [F, 3, 3], what gives a pixel's w by corner and (column, row, 1), and `away` [F].

    xyz: float64 [V, 3] in camera axes. The weights of triangles that cannot be seen are 0.
    """
    normals = np.empty((3, 3))
    for f in range(faces.shape[0]):
        a, b, c = xyz[faces[f, 0]], xyz[faces[f, 1]], xyz[faces[f, 2]]
        for k in range(3):
            i, j = (k + 1) % 3, (k + 2) % 3
            normals[0, k] = b[i] * c[j] - b[j] * c[i]
            normals[1, k] = c[i] * a[j] - c[j] * a[i]
            normals[2, k] = a[i] * b[j] - a[j] * b[i]
        volume = a[0] * normals[0, 0] + a[1] * normals[0, 1] + a[2] * normals[0, 2]
        away[f] = volume > 0
        seen = min(a[2], b[2], c[2]) > nearest and abs(volume) >= FLAT
        for k in range(3):
            for m in range(3):
                total = 0.0
                if seen:
                    for n in range(3):
                        total += normals[k, n] * pixel_ray[n, m]
                    total /= volume
                weights[f, k, m] = total


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def scan(px, faces, weights, pixel_ray, width, height, wanted, edge_px, place, face_of, distance_of):
    """Meet the wanted pixels of a picture with all triangles.

    px: float64 [V, 2] column and row of the vertices; wanted: bool [P], or empty for all. With empty
    `face_of` the fragments are only counted into `place` [P]; otherwise they are written where `place` says,
    which moves on.
    """
    is_counting = face_of.shape[0] == 0
    is_limited = wanted.shape[0] > 0
    for f in range(faces.shape[0]):
        w = weights[f]
        if w[0, 2] == 0 and w[1, 2] == 0 and w[2, 2] == 0:
            continue
        a, b, c = px[faces[f, 0]], px[faces[f, 1]], px[faces[f, 2]]
        left, right = max(math.ceil(min(a[0], b[0], c[0])), 0.0), min(max(a[0], b[0], c[0]), width - 1.0)
        top, bottom = max(math.ceil(min(a[1], b[1], c[1])), 0.0), min(max(a[1], b[1], c[1]), height - 1.0)
        for row in range(int(top), math.floor(bottom) + 1):
            first, last, total, slope = left, math.floor(right), 0.0, 0.0
            for k in range(3):
                step, here = w[k, 0], w[k, 1] * row + w[k, 2]
                total += here
                slope += step
                if step > 0:
                    first = max(first, -here / step - edge_px)
                elif step < 0:
                    last = min(last, -here / step + edge_px)
                elif here < 0:
                    last = first - 2
            for column in range(math.ceil(first), math.floor(last) + 1):
                pixel = row * width + column
                if is_limited and not wanted[pixel]:
                    continue
                at = place[pixel]
                place[pixel] = at + 1
                if is_counting:
                    continue
                x = pixel_ray[0, 0] * column + pixel_ray[0, 1] * row + pixel_ray[0, 2]
                y = pixel_ray[1, 0] * column + pixel_ray[1, 1] * row + pixel_ray[1, 2]
                face_of[at] = f
                distance_of[at] = math.sqrt(x * x + y * y + 1) / (total + slope * column)


@njit(inline="always")
@no_type_check
def next_fragment(start, end, after, face_of, distance_of):
    """The fragment from `start` to `end` nearest behind a distance, -1 if there is none; of equal ones that
    of the first triangle."""
    best = -1
    for at in range(start, end):
        d = distance_of[at]
        if d > after and (
            best < 0 or d < distance_of[best] or (d == distance_of[best] and face_of[at] < face_of[best])
        ):
            best = at
    return best


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def nearest_fragments(pixels, after, offset, face_of, distance_of, face, distance):
    """Triangle (-1: none) and distance of what is met behind `after` [N] at each of `pixels` [N]."""
    for n in range(pixels.shape[0]):
        p = pixels[n]
        best = next_fragment(offset[p], offset[p + 1], after[n], face_of, distance_of)
        if best >= 0:
            face[n], distance[n] = face_of[best], distance_of[best]
        else:
            face[n] = -1


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def barycentric_of(pixels, face, weights, width, out):
    """Barycentric coordinates float32 [N, 3] of pixels' middles in their triangles, 0 without one."""
    for n in range(pixels.shape[0]):
        if face[n] < 0:
            out[n, 0] = out[n, 1] = out[n, 2] = 0
            continue
        w = weights[face[n]]
        row = pixels[n] // width
        column = pixels[n] - row * width
        u = w[0, 0] * column + w[0, 1] * row + w[0, 2]
        v = w[1, 0] * column + w[1, 1] * row + w[1, 2]
        t = w[2, 0] * column + w[2, 1] * row + w[2, 2]
        total = u + v + t
        out[n, 0] = min(max(u / total, 0.0), 1.0)
        out[n, 1] = min(max(v / total, 0.0), 1.0)
        out[n, 2] = min(max(t / total, 0.0), 1.0)
