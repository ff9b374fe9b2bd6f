"""Colours of hair points, by `haircolours.HairColours`, and lookups in flat tables, in vectors."""

# mypy: disable-error-code="no-untyped-def"
import math
from typing import Final, no_type_check

import numpy as np
from numba import njit

from mien.generator.kernels.lookup import FADED, FAST, LOGISTIC, ONE, RISE, STEPS
from mien.generator.kernels.vector import FAST as VECTOR
from mien.generator.kernels.vector import looked_up, put, taken

ZERO: Final = np.float32(0)
HALF: Final = np.float32(0.5)


@njit(inline="always", fastmath=VECTOR)
@no_type_check
def _corners(x, y, rows, columns):
    """Flat places of the four texels around texel coordinates, which are clamped, and their shares."""
    s, t = min(max(x, ZERO), np.float32(columns - 1)), min(max(y, ZERO), np.float32(rows - 1))
    i, j = np.int32(s), np.int32(t)
    s, t = s - np.float32(i), t - np.float32(j)
    p, right = j * columns + i, np.int32(i < columns - 1)
    q = p + np.int32(j < rows - 1) * columns
    return p, p + right, q, q + right, (ONE - t) * (ONE - s), (ONE - t) * s, t * (ONE - s), t * s


@njit(inline="always", fastmath=VECTOR)
@no_type_check
def _mixed(table, channels, k, p, p2, q, q2, a, b, c, d):
    """One channel of a flat table at `_corners`."""
    one = a * looked_up(table, p * channels + k) + b * looked_up(table, p2 * channels + k)
    return one + c * looked_up(table, q * channels + k) + d * looked_up(table, q2 * channels + k)


@njit(inline="always", fastmath=VECTOR)
@no_type_check
def _wrapped(u, columns):
    """u of any turn as the texel of a table with a column of the other end on each side."""
    u -= 2 * np.float32(math.floor(HALF * (u + ONE)))
    return HALF * (u * np.float32(columns) + np.float32(columns + 1))


@njit(inline="always", fastmath=VECTOR)
@no_type_check
def logistic(x):
    place = (min(max(x, -FADED), FADED) + FADED) * np.float32(STEPS / 24)
    first = min(np.int32(place), np.int32(STEPS - 1))
    return looked_up(LOGISTIC, first) + (place - np.float32(first)) * looked_up(RISE, first)


@njit(forceinline=True, fastmath=VECTOR, error_model="numpy", _nrt=False)
@no_type_check
def colours_of(found, found_at, table, rows, columns, rgb):
    """Write `HairColours` of places, found_at [4, some]: u, v, depth below the first one, weight; times
    their weights: rgb [3, some]. The table is flat, [rows, columns + 2, 8].
    """
    for m in range(found):
        u, v = taken(found_at[0], m), taken(found_at[1], m)
        below, weight = taken(found_at[2], m), taken(found_at[3], m)
        row = HALF * ((v + ONE) * np.float32(rows) - ONE)
        p, p2, q, q2, a, b, c, d = _corners(_wrapped(u, columns), row, rows, columns + 2)
        red = _mixed(table, 8, 0, p, p2, q, q2, a, b, c, d)
        green = _mixed(table, 8, 1, p, p2, q, q2, a, b, c, d)
        blue = _mixed(table, 8, 2, p, p2, q, q2, a, b, c, d)
        red += below * _mixed(table, 8, 4, p, p2, q, q2, a, b, c, d)
        green += below * _mixed(table, 8, 5, p, p2, q, q2, a, b, c, d)
        blue += below * _mixed(table, 8, 6, p, p2, q, q2, a, b, c, d)
        put(rgb[0], m, weight * logistic(red))
        put(rgb[1], m, weight * logistic(green))
        put(rgb[2], m, weight * logistic(blue))


@njit(forceinline=True, fastmath=FAST, _nrt=False)
@no_type_check
def add_colours(found, rays, rgb, out):
    for m in range(found):
        for k in range(3):
            out[rays[m], k] += rgb[k, m]
