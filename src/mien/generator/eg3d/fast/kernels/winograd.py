"""Winograd's transforms of 6 x 6 tiles around a batched matrix product (Lavin and Gray 2016, F(4x4, 3x3)).

The interpolation points are 0, +-2/3, +-3/2 and infinity: with bfloat16 products they err half as much as
the usual 0, +-1, +-2. Maps are channels-last and bfloat16 (as bits).
"""

# mypy: disable-error-code="no-untyped-def"
from typing import no_type_check

import numpy as np
from numba import njit

from mien.generator.eg3d.fast.kernels.lanes import (
    LANES,
    PATCH,
    TILE,
    analyse_half,
    analyse_whole,
    colour_half,
    colour_whole,
    keep_colour_half,
    keep_colour_whole,
    keep_half,
    keep_whole,
)

ZERO = np.float32(0)


@njit(inline="always")
@no_type_check
def _copy_edge(x, top, left, patch):
    """A patch that reaches over the edge of x, with zeros beyond it."""
    height, width, _ = x.shape
    for i in range(PATCH):
        for j in range(PATCH):
            row, column = top + i, left + j
            if 0 <= row < height and 0 <= column < width:
                patch[i, j] = x[row, column]
            else:
                patch[i, j] = 0


@njit(nogil=True, fastmath=True, cache=True, error_model="numpy")
@no_type_check
def analyse_tiles(x, first_row, out):
    """Transformed patches.

    x: uint16 [height, width, channel]; out: uint16 (bfloat16) or float32 [36, tile, channel] for whole rows
    of tiles, the first of which starts at row 4 * first_row of x. Outside x is zero.
    """
    height, width, channels = x.shape
    across, size = width // TILE, out.itemsize
    patch = np.empty((PATCH, PATCH, channels), np.uint16)
    for tile in range(out.shape[1]):
        top = TILE * (first_row + tile // across) - 1
        left = TILE * (tile % across) - 1
        if top >= 0 and left >= 0 and top + PATCH <= height and left + PATCH <= width:
            source, row, column = x[top, left].ctypes.data, x.strides[0], x.strides[1]
        else:
            _copy_edge(x, top, left, patch)
            source, row, column = patch.ctypes.data, patch.strides[0], patch.strides[1]
        into = out[0, tile].ctypes.data
        for block in range(0, channels, LANES):
            if size == 2:
                analyse_half(source + 2 * block, row, column, into + 2 * block, out.strides[0])
            else:
                analyse_whole(source + 2 * block, row, column, into + 4 * block, out.strides[0])


@njit(nogil=True, fastmath=True, cache=True, error_model="numpy")
@no_type_check
def synthesise_tiles(m, first_row, bias, clamp, to_rgb, out, rgb, keep):
    """Outputs with bias, leaky ReLU (gain sqrt 2) and clamp, and their projection to three colours.

    m: uint16 or float32 [36, tile, phase^2 * channel], products; out: uint16 [height, width, channel], where
    output (phase * row + a, phase * column + b) comes from the channels of phase (a, b); bias: [channel];
    to_rgb: [3, channel]; rgb: float32 [height, width, 3], to which the colours are added. `keep` False
    leaves `out` alone: only colours are wanted.
    """
    channels, width = bias.shape[0], rgb.shape[1]
    phases = 1 if m.shape[2] == channels else 2
    across = width // (TILE * phases)
    coloured = to_rgb.shape[1] == channels
    seen = np.empty((TILE * TILE * 3, LANES), np.float32)
    lanes, weights, weight = seen.ctypes.data, to_rgb.ctypes.data, to_rgb.strides[0]
    row, column = phases * out.strides[0], phases * out.strides[1]
    step, size = m.strides[0], m.itemsize
    for tile in range(m.shape[1]):
        top = TILE * (first_row + tile // across)
        left = TILE * (tile % across)
        seen[:] = ZERO
        source = m[0, tile].ctypes.data
        for start in range(0, m.shape[2], LANES):
            phase, block = start // channels, start % channels
            into = 0
            if keep:
                into = out[phases * top + phase // phases, phases * left + phase % phases].ctypes.data
            at, from_, into = source + size * start, bias.ctypes.data + 4 * block, into + 2 * block
            colours = weights + 4 * block
            if size == 2:
                if not coloured:
                    keep_half(at, step, from_, clamp, into, row, column, 0, 0, 0)
                elif keep:
                    keep_colour_half(at, step, from_, clamp, into, row, column, colours, weight, lanes)
                else:
                    colour_half(at, step, from_, clamp, 0, 0, 0, colours, weight, lanes)
            elif not coloured:
                keep_whole(at, step, from_, clamp, into, row, column, 0, 0, 0)
            elif keep:
                keep_colour_whole(at, step, from_, clamp, into, row, column, colours, weight, lanes)
            else:
                colour_whole(at, step, from_, clamp, 0, 0, 0, colours, weight, lanes)
        if coloured:
            for k in range(TILE * TILE * 3):
                total = ZERO
                for c in range(LANES):
                    total += seen[k, c]
                rgb[top + k // (3 * TILE), left + k // 3 % TILE, k % 3] += total
