"""Scan conversion of triangles for `pixels.CompiledPixelScene`; the formulas are those of `PixelScene`."""

# mypy: disable-error-code="no-untyped-def"
import math
from typing import Final, no_type_check

import numpy as np
from numba import njit

FLAT: Final = 1e-14


@njit(inline="always")
@no_type_check
def weights_of(a, b, c, pixel_ray, nearest, w):
    """Fill `w` [3, 3], what gives a pixel's w by corner and (column, row, 1), of a triangle in camera axes;
    whether it is met from behind. The weights of a triangle that cannot be seen are 0."""
    volume = 0.0
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        w[0, k] = b[i] * c[j] - b[j] * c[i]
        w[1, k] = c[i] * a[j] - c[j] * a[i]
        w[2, k] = a[i] * b[j] - a[j] * b[i]
        volume += a[k] * w[0, k]
    seen = min(a[2], b[2], c[2]) > nearest and abs(volume) >= FLAT
    scale = 1 / volume if seen else 0.0
    for k in range(3):
        x, y, z = w[k, 0] * scale, w[k, 1] * scale, w[k, 2] * scale
        for m in range(3):
            w[k, m] = x * pixel_ray[0, m] + y * pixel_ray[1, m] + z * pixel_ray[2, m]
    return volume > 0


@njit(inline="always")
@no_type_check
def _box_of(a, b, c, width, height):
    """First and last column, first and last row with pixels' middles in the triangle's box."""
    return (
        int(max(math.ceil(min(a[0], b[0], c[0])), 0.0)),
        int(min(math.floor(max(a[0], b[0], c[0])), width - 1.0)),
        int(max(math.ceil(min(a[1], b[1], c[1])), 0.0)),
        int(min(math.floor(max(a[1], b[1], c[1])), height - 1.0)),
    )


@njit(inline="always")
@no_type_check
def _columns_of(w, row, left, right, edge_px):
    """First and last column of a row in the triangle, and sum and slope of the weights there."""
    first, last, total, slope = float(left), float(right), 0.0, 0.0
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
    return math.ceil(first), math.floor(last), total, slope


@njit(nogil=True, cache=True)
@no_type_check
def sum_wanted(wanted, sums):
    """Write how many pixels are wanted above and left of each corner: wanted [h, w], sums [h + 1, w + 1]."""
    sums[0, :] = 0
    for row in range(wanted.shape[0]):
        total = 0
        sums[row + 1, 0] = 0
        for column in range(wanted.shape[1]):
            total += wanted[row, column]
            sums[row + 1, column + 1] = sums[row, column + 1] + total


@njit(inline="always")
@no_type_check
def _is_empty(sums, left, right, top, bottom):
    """Whether no pixel of a box is wanted; its sides are in it."""
    if left > right or top > bottom:
        return True
    if sums.shape[0] == 0:
        return False
    inside = sums[bottom + 1, right + 1] - sums[top, right + 1] - sums[bottom + 1, left] + sums[top, left]
    return inside == 0


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def scan(
    px,
    xyz,
    faces,
    pixel_ray,
    nearest,
    width,
    height,
    wanted,
    sums,
    edge_px,
    newest,
    away,
    before,
    face_of,
    distance_of,
):
    """Meet the wanted pixels of a picture with all triangles; how many meetings (fragments) there are.

    px, xyz: float64 [V, 2] column and row, [V, 3] in camera axes, of the vertices; wanted: bool [P], or empty
    for all; sums: see `sum_wanted`. Fragments are written while there is room: newest [P] is the last one of
    each pixel (-1: none), before [room] the one before it. away [F]: which triangles are met from behind.
    """
    is_limited = wanted.shape[0] > 0
    room, count = face_of.shape[0], 0
    w = np.empty((3, 3))
    newest[:] = -1
    for f in range(faces.shape[0]):
        one, two, three = faces[f, 0], faces[f, 1], faces[f, 2]
        left, right, top, bottom = _box_of(px[one], px[two], px[three], width, height)
        if _is_empty(sums, left, right, top, bottom):
            continue
        away[f] = weights_of(xyz[one], xyz[two], xyz[three], pixel_ray, nearest, w)
        if w[0, 2] == 0 and w[1, 2] == 0 and w[2, 2] == 0:
            continue
        for row in range(top, bottom + 1):
            first, last, total, slope = _columns_of(w, row, left, right, edge_px)
            for column in range(first, last + 1):
                pixel = row * width + column
                if is_limited and not wanted[pixel]:
                    continue
                if count < room:
                    x = pixel_ray[0, 0] * column + pixel_ray[0, 1] * row + pixel_ray[0, 2]
                    y = pixel_ray[1, 0] * column + pixel_ray[1, 1] * row + pixel_ray[1, 2]
                    face_of[count] = f
                    distance_of[count] = math.sqrt(x * x + y * y + 1) / (total + slope * column)
                    before[count] = newest[pixel]
                    newest[pixel] = count
                count += 1
    return count


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def scan_first(px, xyz, faces, pixel_ray, nearest, width, height, wanted, sums, edge_px, face_of, inverse_of):
    """Of every wanted pixel [P] the nearest triangle (-1: none, of equally near ones the first) and 1 / z."""
    is_limited = wanted.shape[0] > 0
    w = np.empty((3, 3))
    face_of[:] = -1
    inverse_of[:] = 0
    for f in range(faces.shape[0]):
        one, two, three = faces[f, 0], faces[f, 1], faces[f, 2]
        left, right, top, bottom = _box_of(px[one], px[two], px[three], width, height)
        if _is_empty(sums, left, right, top, bottom):
            continue
        weights_of(xyz[one], xyz[two], xyz[three], pixel_ray, nearest, w)
        if w[0, 2] == 0 and w[1, 2] == 0 and w[2, 2] == 0:
            continue
        for row in range(top, bottom + 1):
            first, last, total, slope = _columns_of(w, row, left, right, edge_px)
            for column in range(first, last + 1):
                pixel = row * width + column
                inverse = np.float32(total + slope * column)
                if inverse > inverse_of[pixel] and not (is_limited and not wanted[pixel]):
                    face_of[pixel], inverse_of[pixel] = f, inverse


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def hits_of(pixels, width, xyz, faces, pixel_ray, nearest, face_of, face, barycentric, distance):
    """What `scan_first` found of some pixels [N]: triangle, barycentric coordinates [N, 3] and distance."""
    w = np.empty((3, 3))
    for n in range(pixels.shape[0]):
        f = face_of[pixels[n]]
        face[n] = f
        if f < 0:
            barycentric[n, 0] = barycentric[n, 1] = barycentric[n, 2] = 0
            continue
        weights_of(xyz[faces[f, 0]], xyz[faces[f, 1]], xyz[faces[f, 2]], pixel_ray, nearest, w)
        row = pixels[n] // width
        column = pixels[n] - row * width
        one = w[0, 0] * column + w[0, 1] * row + w[0, 2]
        two = w[1, 0] * column + w[1, 1] * row + w[1, 2]
        three = w[2, 0] * column + w[2, 1] * row + w[2, 2]
        total = one + two + three
        barycentric[n, 0] = min(max(one / total, 0.0), 1.0)
        barycentric[n, 1] = min(max(two / total, 0.0), 1.0)
        barycentric[n, 2] = min(max(three / total, 0.0), 1.0)
        x = pixel_ray[0, 0] * column + pixel_ray[0, 1] * row + pixel_ray[0, 2]
        y = pixel_ray[1, 0] * column + pixel_ray[1, 1] * row + pixel_ray[1, 2]
        distance[n] = math.sqrt(x * x + y * y + 1) / total


@njit(inline="always")
@no_type_check
def next_fragment(newest, after, before, face_of, distance_of):
    """Of the fragments of a pixel, from the newest back, that nearest behind a distance, -1 if there is none;
    of equal ones that of the first triangle."""
    best, at = -1, newest
    while at >= 0:
        d = distance_of[at]
        if d > after and (
            best < 0 or d < distance_of[best] or (d == distance_of[best] and face_of[at] < face_of[best])
        ):
            best = at
        at = before[at]
    return best


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def nearest_fragments(pixels, after, newest, before, face_of, distance_of, face, distance):
    """Triangle (-1: none) and distance of what is met behind `after` [N] at each of `pixels` [N]."""
    for n in range(pixels.shape[0]):
        best = next_fragment(newest[pixels[n]], after[n], before, face_of, distance_of)
        if best >= 0:
            face[n], distance[n] = face_of[best], distance_of[best]
        else:
            face[n] = -1
