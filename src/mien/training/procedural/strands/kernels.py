"""Compiled loops over strands; run-time shape checks, which numba cannot compile, stay out of them."""

# mypy: disable-error-code="no-untyped-def"
from typing import Final, no_type_check

import numpy as np
from numba import njit

TAPER: Final = np.float32(0.55)
"""Share of its width that a strand loses towards the tip."""
NEAREST: Final = np.float32(0.05)
BURIED: Final = np.float32(0.012)
"""Depth behind other strands at which one is no longer looked for, EG3D units."""


@njit(inline="always")
@no_type_check
def _hash(a, b):
    """Number in [0, 1) of two whole numbers."""
    h = (np.int64(a) * 0x9E3779B1 + np.int64(b) * 0x85EBCA6B) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    h = ((h ^ (h >> 12)) * 0x297A2D39) & 0xFFFFFFFF
    return np.float32((h ^ (h >> 15)) & 0xFFFFFF) * np.float32(1 / 16777216)


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def project(points, eye, axes, fx, fy, cx, cy, px, distance):
    """Pixel coordinates [S, P, 2] (centres whole) and distance from the eye [S, P]; negative behind it."""
    for s in range(points.shape[0]):
        for k in range(points.shape[1]):
            x, y, z = points[s, k, 0] - eye[0], points[s, k, 1] - eye[1], points[s, k, 2] - eye[2]
            a = axes[0, 0] * x + axes[1, 0] * y + axes[2, 0] * z
            b = axes[0, 1] * x + axes[1, 1] * y + axes[2, 1] * z
            c = axes[0, 2] * x + axes[1, 2] * y + axes[2, 2] * z
            if c < NEAREST:
                distance[s, k] = -1
                continue
            px[s, k, 0] = fx * a / c + cx
            px[s, k, 1] = fy * b / c + cy
            distance[s, k] = np.sqrt(x * x + y * y + z * z)


@njit(inline="always", fastmath=True)
@no_type_check
def _buried(x, y, distance, depth):
    """Whether what is drawn at a pixel lies well before a point, or the pixel outside of the picture."""
    i, j = int(y + np.float32(0.5)), int(x + np.float32(0.5))
    if x < 0 or y < 0 or i >= depth.shape[0] or j >= depth.shape[1]:
        return True
    return distance > depth[i, j] + BURIED


@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
@no_type_check
def draw(px, distance, width, order, focal_px, index, along, depth):
    """Ribbons that face the camera, nearest first, into index, along and depth [H, W].

    Each segment is scanned along its longer screen axis. Where the ribbon is narrower than a sample it covers
    one with a probability that equals its width: the mean over samples is right, and the same every time.
    Strands come in the given order, best nearest first: segments whose ends and middle are all buried deeper
    than `BURIED` are left out.
    """
    height, breadth = depth.shape
    last = px.shape[1] - 1
    step_along = np.float32(1) / np.float32(last)
    for s in order:
        hidden_before = False
        for k in range(last):
            d0, d1 = distance[s, k], distance[s, k + 1]
            if d0 < 0 or d1 < 0:
                hidden_before = False
                continue
            if k == 0:
                hidden_before = _buried(px[s, 0, 0], px[s, 0, 1], d0, depth)
            hidden = _buried(px[s, k + 1, 0], px[s, k + 1, 1], d1, depth)
            if hidden and hidden_before:
                half = np.float32(0.5)
                x, y = half * (px[s, k, 0] + px[s, k + 1, 0]), half * (px[s, k, 1] + px[s, k + 1, 1])
                if _buried(x, y, half * (d0 + d1), depth):
                    continue
            hidden_before = hidden
            x0, y0, x1, y1 = px[s, k, 0], px[s, k, 1], px[s, k + 1, 0], px[s, k + 1, 1]
            dx, dy = x1 - x0, y1 - y0
            flat = abs(dx) > abs(dy)
            if not flat:
                x0, y0, x1, y1, dx, dy = y0, x0, y1, x1, dy, dx
            if dx == 0:
                continue
            across, down = (breadth, height) if flat else (height, breadth)
            t = (np.float32(k) + np.float32(0.5)) * step_along
            wide = width[s] * focal_px / d0 * (np.float32(1) - TAPER * t * t)
            wide *= np.sqrt(np.float32(1) + (dy / dx) * (dy / dx))
            first = max(int(np.ceil(min(x0, x1))), 0)
            end = min(int(np.ceil(max(x0, x1))), across)
            inverse = np.float32(1) / dx
            for i in range(first, end):
                f = (np.float32(i) - x0) * inverse
                middle, d = y0 + f * dy, d0 + f * (d1 - d0)
                if wide < 1:
                    if _hash(s * last + k, i) >= wide:
                        continue
                    low = int(np.floor(middle + np.float32(0.5)))
                    high = low
                else:
                    low = int(np.ceil(middle - np.float32(0.5) * wide))
                    high = int(np.floor(middle + np.float32(0.5) * wide))
                for j in range(max(low, 0), min(high, down - 1) + 1):
                    row, column = (j, i) if flat else (i, j)
                    if d < depth[row, column]:
                        depth[row, column] = d
                        index[row, column] = s
                        along[row, column] = (np.float32(k) + f) * step_along


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def tangents(points, index, along, out):
    """Unit tangents [N, 3], towards the tip, of strands `index` [N] at `along` [N], smooth."""
    last = points.shape[1] - 1
    for n in range(index.shape[0]):
        s = index[n]
        at = along[n] * last
        k = min(int(at), last - 1)
        f = at - k
        before, after = max(k - 1, 0), min(k + 2, last)
        x = (1 - f) * (points[s, k + 1, 0] - points[s, before, 0]) + f * (
            points[s, after, 0] - points[s, k, 0]
        )
        y = (1 - f) * (points[s, k + 1, 1] - points[s, before, 1]) + f * (
            points[s, after, 1] - points[s, k, 1]
        )
        z = (1 - f) * (points[s, k + 1, 2] - points[s, before, 2]) + f * (
            points[s, after, 2] - points[s, k, 2]
        )
        scale = 1 / (np.sqrt(x * x + y * y + z * z) + np.float32(1e-9))
        out[n, 0], out[n, 1], out[n, 2] = x * scale, y * scale, z * scale


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def between(values, index, along, out):
    """Values [S, P, C] of strands `index` [N] at `along` [N], linear between points, into out [N, C]."""
    last = values.shape[1] - 1
    for n in range(index.shape[0]):
        s, at = index[n], along[n] * np.float32(last)
        k = min(int(at), last - 1)
        f = at - np.float32(k)
        for c in range(values.shape[2]):
            out[n, c] = values[s, k, c] + f * (values[s, k + 1, c] - values[s, k, c])


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def first_depth(points, axes, origin, scale, per_segment, depth):
    """Least distance [R, R] from a light's plane per texel, of points along all strands."""
    side = depth.shape[0]
    last = points.shape[1] - 1
    for s in range(points.shape[0]):
        for k in range(last):
            for q in range(per_segment):
                f = (np.float32(q) + np.float32(0.5)) / np.float32(per_segment)
                x = y = z = np.float32(0)
                for c in range(3):
                    p = points[s, k, c] * (1 - f) + points[s, k + 1, c] * f - origin[c]
                    x, y, z = x + axes[0, c] * p, y + axes[1, c] * p, z + axes[2, c] * p
                i, j = int(y * scale), int(x * scale)
                if i >= 0 and j >= 0 and i < side and j < side and z < depth[i, j]:
                    depth[i, j] = z


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def deposit(points, width, axes, origin, scale, per_segment, depth, bounds, layers):
    """Add the strands' share of a texel's area to layers [R, R, L] behind the first depth, bilinear."""
    side = depth.shape[0]
    last = points.shape[1] - 1
    for s in range(points.shape[0]):
        for k in range(last):
            length = np.float32(0)
            for c in range(3):
                length += (points[s, k + 1, c] - points[s, k, c]) ** 2
            t = np.float32(k) / np.float32(last)
            area = width[s] * (1 - TAPER * t * t) * np.sqrt(length) * scale * scale / per_segment
            for q in range(per_segment):
                f = (np.float32(q) + np.float32(0.5)) / np.float32(per_segment)
                x = y = z = np.float32(0)
                for c in range(3):
                    p = points[s, k, c] * (1 - f) + points[s, k + 1, c] * f - origin[c]
                    x, y, z = x + axes[0, c] * p, y + axes[1, c] * p, z + axes[2, c] * p
                x, y = x * scale - np.float32(0.5), y * scale - np.float32(0.5)
                i, j = int(np.floor(y)), int(np.floor(x))
                if i < 0 or j < 0 or i >= side - 1 or j >= side - 1:
                    continue
                a, b = x - j, y - i
                for di in range(2):
                    for dj in range(2):
                        behind = z - depth[i + di, j + dj]
                        layer = 0
                        while layer < bounds.shape[0] - 1 and behind > bounds[layer]:
                            layer += 1
                        w = (b if di else 1 - b) * (a if dj else 1 - a)
                        layers[i + di, j + dj, layer] += area * w


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def covered(xyz, axes, origin, scale, depth, bounds, layers, out):
    """Strand area per area [N] between the light and points [N, 3]; layers [R, R, L] are running sums.

    Equal to `covered_plainly` to the last bit: the search for the layer begins at that of the point before,
    and indices without sign need no check for negative ones.
    """
    side, one, none = depth.shape[0], np.uint64(1), np.uint64(0)
    flat, sums, count = depth.ravel(), layers.ravel(), np.uint64(bounds.shape[0])
    layer, last = none, count - one
    for n in range(xyz.shape[0]):
        x = y = z = np.float32(0)
        for c in range(3):
            p = xyz[n, c] - origin[c]
            x, y, z = x + axes[0, c] * p, y + axes[1, c] * p, z + axes[2, c] * p
        x, y = x * scale - np.float32(0.5), y * scale - np.float32(0.5)
        i, j = int(np.floor(y)), int(np.floor(x))
        total = np.float32(0)
        if i >= 0 and j >= 0 and i < side - 1 and j < side - 1:
            a, b = x - j, y - i
            for di in range(2):
                for dj in range(2):
                    texel = np.uint64((i + di) * side + j + dj)
                    behind = z - flat[texel]
                    if behind <= 0:
                        continue
                    while layer < last and behind > bounds[layer]:
                        layer += one
                    while layer > none and behind <= bounds[layer - one]:
                        layer -= one
                    low, below, at = np.float32(0), np.float32(0), texel * count + layer
                    if layer > none:
                        low, below = bounds[layer - one], sums[at - one]
                    share = min((behind - low) / (bounds[layer] - low), np.float32(1))
                    w = (b if di else 1 - b) * (a if dj else 1 - a)
                    total = np.float32(total + w * (below + share * (sums[at] - below)))
        out[n] = total


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def covered_plainly(xyz, axes, origin, scale, depth, bounds, layers, out):
    """The reference of `covered`."""
    side = depth.shape[0]
    for n in range(xyz.shape[0]):
        x = y = z = np.float32(0)
        for c in range(3):
            p = xyz[n, c] - origin[c]
            x, y, z = x + axes[0, c] * p, y + axes[1, c] * p, z + axes[2, c] * p
        x, y = x * scale - np.float32(0.5), y * scale - np.float32(0.5)
        i, j = int(np.floor(y)), int(np.floor(x))
        out[n] = 0
        if i < 0 or j < 0 or i >= side - 1 or j >= side - 1:
            continue
        a, b = x - j, y - i
        for di in range(2):
            for dj in range(2):
                behind = z - depth[i + di, j + dj]
                if behind <= 0:
                    continue
                layer, low, below = 0, np.float32(0), np.float32(0)
                while layer < bounds.shape[0] - 1 and behind > bounds[layer]:
                    low = bounds[layer]
                    below = layers[i + di, j + dj, layer]
                    layer += 1
                share = min((behind - low) / (bounds[layer] - low), np.float32(1))
                w = (b if di else 1 - b) * (a if dj else 1 - a)
                out[n] += w * (below + share * (layers[i + di, j + dj, layer] - below))
