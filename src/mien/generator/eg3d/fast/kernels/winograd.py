"""Winograd's transforms of 6 x 6 tiles around a batched matrix product (Lavin and Gray 2016, F(4x4, 3x3)).

The interpolation points are 0, +-2/3, +-3/2 and infinity: with bfloat16 products they err half as much as
the usual 0, +-1, +-2. Maps are channels-last and bfloat16 (as bits).
"""

# mypy: disable-error-code="no-untyped-def"
from typing import Final, no_type_check

import numpy as np
from numba import njit

from mien.generator.eg3d.fast.kernels.numbers import bfloat_to_float, float_to_bfloat

TILE: Final = 4
"""Side of the outputs of a tile."""
PATCH: Final = 6
LANES: Final = 16
"""Channels worked on at a time; all maps have a multiple of them."""
A, B = np.float32(2 / 3), np.float32(3 / 2)
A2, B2 = A * A, B * B
SUM2 = A2 + B2
A3, B3 = A2 * A, B2 * B
GAIN = np.float32(2**0.5)
SLOPE = np.float32(0.2)
ZERO = np.float32(0)


@njit(inline="always", fastmath=True)
@no_type_check
def _analyse(source, into, start, stride):
    """B^T of six rows of LANES numbers: a linear form of them per point."""
    for c in range(LANES):
        k = start + c
        d0, d1, d2 = source[k], source[k + stride], source[k + 2 * stride]
        d3, d4, d5 = source[k + 3 * stride], source[k + 4 * stride], source[k + 5 * stride]
        even, odd = d4 - B2 * d2, A * (d3 - B2 * d1)
        into[k] = d4 - SUM2 * d2 + d0
        into[k + stride] = even + odd
        into[k + 2 * stride] = even - odd
        even, odd = d4 - A2 * d2, B * (d3 - A2 * d1)
        into[k + 3 * stride] = even + odd
        into[k + 4 * stride] = even - odd
        into[k + 5 * stride] = d5 - SUM2 * d3 + d1


@njit(inline="always", fastmath=True)
@no_type_check
def _synthesise(source, into, start, stride):
    """A^T of six rows of LANES numbers, the values at the points: the four outputs."""
    for c in range(LANES):
        k = start + c
        m0, m5 = source[k], source[k + 5 * stride]
        m1, m2 = source[k + stride], source[k + 2 * stride]
        m3, m4 = source[k + 3 * stride], source[k + 4 * stride]
        even_a, odd_a, even_b, odd_b = m1 + m2, m1 - m2, m3 + m4, m3 - m4
        into[k] = m0 + even_a + even_b
        into[k + stride] = A * odd_a + B * odd_b
        into[k + 2 * stride] = A2 * even_a + B2 * even_b
        into[k + 3 * stride] = A3 * odd_a + B3 * odd_b + m5


@njit(nogil=True, fastmath=True, cache=True, error_model="numpy")
@no_type_check
def analyse_tiles(x, first_row, out):
    """Transformed patches.

    x: uint16 [height, width, channel]; out: uint16 [36, tile, channel] for whole rows of tiles, the first of
    which starts at row 4 * first_row of x. Outside x is zero.
    """
    height, width, channels = x.shape
    across = width // TILE
    one = np.empty(PATCH * PATCH * LANES, np.float32)
    two = np.empty(PATCH * PATCH * LANES, np.float32)
    for tile in range(out.shape[1]):
        top = TILE * (first_row + tile // across) - 1
        left = TILE * (tile % across) - 1
        for block in range(0, channels, LANES):
            for i in range(PATCH):
                for j in range(PATCH):
                    row, column, k = top + i, left + j, (i * PATCH + j) * LANES
                    if 0 <= row < height and 0 <= column < width:
                        for c in range(LANES):
                            one[k + c] = bfloat_to_float(x[row, column, block + c])
                    else:
                        for c in range(LANES):
                            one[k + c] = ZERO
            for i in range(PATCH):
                _analyse(one, two, i * PATCH * LANES, LANES)
            for j in range(PATCH):
                _analyse(two, one, j * LANES, PATCH * LANES)
            for k in range(PATCH * PATCH):
                for c in range(LANES):
                    out[k, tile, block + c] = float_to_bfloat(one[k * LANES + c])


@njit(nogil=True, fastmath=True, cache=True, error_model="numpy")
@no_type_check
def synthesise_tiles(m, first_row, bias, clamp, to_rgb, out, rgb, keep):
    """Outputs with bias, leaky ReLU (gain sqrt 2) and clamp, and their projection to three colours.

    m: uint16 [36, tile, phase^2 * channel], products; out: uint16 [height, width, channel], where output
    (phase * row + a, phase * column + b) comes from the channels of phase (a, b); bias: [channel];
    to_rgb: [3, channel]; rgb: float32 [height, width, 3], to which the colours are added. `keep` False
    leaves `out` (whose size still counts) alone: only colours are wanted.
    """
    channels, width = bias.shape[0], rgb.shape[1]
    phases = 1 if m.shape[2] == channels else 2
    across = width // (TILE * phases)
    coloured = to_rgb.shape[1] == channels
    one = np.empty(PATCH * PATCH * LANES, np.float32)
    two = np.empty(PATCH * PATCH * LANES, np.float32)
    seen = np.empty(TILE * TILE * 3 * LANES, np.float32)
    for tile in range(m.shape[1]):
        top = TILE * (first_row + tile // across)
        left = TILE * (tile % across)
        seen[:] = ZERO
        for start in range(0, m.shape[2], LANES):
            phase, block = start // channels, start % channels
            a, b = phase // phases, phase % phases
            for k in range(PATCH * PATCH):
                for c in range(LANES):
                    one[k * LANES + c] = bfloat_to_float(m[k, tile, start + c])
            for i in range(PATCH):
                _synthesise(one, two, i * PATCH * LANES, LANES)
            for j in range(TILE):
                _synthesise(two, one, j * LANES, PATCH * LANES)
            for i in range(TILE):
                for j in range(TILE):
                    row, column = phases * (top + i) + a, phases * (left + j) + b
                    k = (i * PATCH + j) * LANES
                    for c in range(LANES):
                        y = one[k + c] + bias[block + c]
                        y = max(y, SLOPE * y) * GAIN
                        one[k + c] = min(max(y, -clamp), clamp)
                    if keep:
                        for c in range(LANES):
                            out[row, column, block + c] = float_to_bfloat(one[k + c])
                    if coloured:
                        place = (i * TILE + j) * 3 * LANES
                        for c in range(LANES):
                            y = one[k + c]
                            seen[place + c] += y * to_rgb[0, block + c]
                            seen[place + LANES + c] += y * to_rgb[1, block + c]
                            seen[place + 2 * LANES + c] += y * to_rgb[2, block + c]
        if coloured:
            for k in range(TILE * TILE * 3):
                total = ZERO
                for c in range(LANES):
                    total += seen[k * LANES + c]
                rgb[top + k // (3 * TILE), left + k // 3 % TILE, k % 3] += total
