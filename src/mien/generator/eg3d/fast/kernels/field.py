"""The decoder on the hidden tables: lookup, softplus and density in one go, colours apart."""

# mypy: disable-error-code="no-untyped-def"
from typing import Final, no_type_check

import numpy as np
from numba import njit

from mien.generator.eg3d.fast.kernels.functions import sigmoid, softplus
from mien.generator.eg3d.fast.kernels.numbers import half_to_float

HIDDEN: Final = 64
COLOURS: Final = 32
ZERO, ONE, HALF = np.float32(0), np.float32(1), np.float32(0.5)
COLOUR_GAIN, COLOUR_SHIFT = np.float32(1.002), np.float32(0.001)


@njit(inline="always", fastmath=True)
@no_type_check
def place(coordinate, scale, side):
    """Texel left of (or above) a coordinate in a padded table, and the fraction beyond it."""
    at = (coordinate * scale + ONE) * (HALF * side) + HALF
    at = min(max(at, ZERO), side + ONE)
    first = min(int(at), int(side))
    return first, at - np.float32(first)


@njit(inline="always", fastmath=True)
@no_type_check
def look_up(tables, pairs, point, scale, bias, hidden, slot):
    """Hidden activations (after softplus) of a point, into hidden[slot]."""
    side = np.float32(tables.shape[1] - 2)
    for c in range(HIDDEN):
        hidden[slot, c] = bias[c]
    for k in range(tables.shape[0]):
        column, right = place(point[pairs[k, 0]], scale, side)
        row, down = place(point[pairs[k, 1]], scale, side)
        w11 = right * down
        w01, w10 = right - w11, down - w11
        w00 = ONE - right - w10
        for c in range(HIDDEN):
            hidden[slot, c] += (
                w00 * half_to_float(tables[k, row, column, c])
                + w01 * half_to_float(tables[k, row, column + 1, c])
                + w10 * half_to_float(tables[k, row + 1, column, c])
                + w11 * half_to_float(tables[k, row + 1, column + 1, c])
            )
    for c in range(HIDDEN):
        hidden[slot, c] = softplus(hidden[slot, c])


@njit(inline="always", fastmath=True)
@no_type_check
def density(hidden, slot, weight, bias):
    """Raw density from hidden activations."""
    total = ZERO
    for c in range(HIDDEN):
        total += hidden[slot, c] * weight[c]
    return total + bias


@njit(inline="always", fastmath=True)
@no_type_check
def add_colours(hidden, slot, weight, bias, share, scratch, seen):
    """Add `share` of a sample's colour features to `seen`. weight: [HIDDEN, COLOURS]."""
    for o in range(COLOURS):
        scratch[o] = bias[o]
    for c in range(0, HIDDEN, 4):  # four at a time: fewer loads and stores of the sums
        h0, h1, h2, h3 = hidden[slot, c], hidden[slot, c + 1], hidden[slot, c + 2], hidden[slot, c + 3]
        for o in range(COLOURS):
            scratch[o] += (
                h0 * weight[c, o] + h1 * weight[c + 1, o] + h2 * weight[c + 2, o] + h3 * weight[c + 3, o]
            )
    for o in range(COLOURS):
        seen[o] += share * (sigmoid(scratch[o]) * COLOUR_GAIN - COLOUR_SHIFT)


@njit(nogil=True, fastmath=True, cache=True, error_model="numpy")
@no_type_check
def lattice_density(lattices, pairs, bias, weight, bias_out, first, last, out):
    """Raw density [z, y, x] at the points of a lattice, for z from `first` to before `last`.

    lattices: [table, row, column, HIDDEN], the tables at the lattice's coordinates.
    """
    size = out.shape[0]
    index = np.empty(3, np.int64)
    for z in range(first, last):
        index[2] = z
        for y in range(size):
            index[1] = y
            for x in range(size):
                index[0] = x
                total = ZERO
                if lattices.shape[0] == 2:
                    a, b = index[pairs[0, 1]], index[pairs[0, 0]]
                    d, e = index[pairs[1, 1]], index[pairs[1, 0]]
                    for c in range(HIDDEN):
                        total += weight[c] * softplus(lattices[0, a, b, c] + lattices[1, d, e, c] + bias[c])
                else:
                    a, b = index[pairs[0, 1]], index[pairs[0, 0]]
                    d, e = index[pairs[1, 1]], index[pairs[1, 0]]
                    f, g = index[pairs[2, 1]], index[pairs[2, 0]]
                    for c in range(HIDDEN):
                        total += weight[c] * softplus(
                            lattices[0, a, b, c] + lattices[1, d, e, c] + lattices[2, f, g, c] + bias[c]
                        )
                out[z, y, x] = total + bias_out
