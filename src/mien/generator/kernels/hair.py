"""March of single rays through the hair's shell; the steps are those of `shellmarch._march`.

Each step is taken by a block of rays together, so that LLVM makes vector instructions of it, see `vector`.
Steps have no `_nrt`: numba would count references to arrays, with locked instructions, in the loops.
"""

# mypy: disable-error-code="no-untyped-def"
import math
from typing import Final, no_type_check

import numpy as np
from numba import njit

from mien.generator.kernels.carry import HIGHEST, LOWEST, at_rest, rigid_part
from mien.generator.kernels.haircolour import HALF, ZERO, add_colours, colours_of, logistic
from mien.generator.kernels.lookup import FAST, ONE
from mien.generator.kernels.restgrid import look_up
from mien.generator.kernels.vector import FAST as VECTOR
from mien.generator.kernels.vector import looked_up, put, taken
from mien.morphable.kernels.scan import next_fragment

ENOUGH: Final = np.float32(0.005)
"""What passes at most where the hair is taken as opaque, before an interval ends."""
TOGETHER: Final = np.float32(0.1)
"""Samples that follow each other take one colour, that of the last, until they weigh so much."""
BLOCK: Final = 256
"""Rays that take each step together."""
RANGE: Final = (np.float32(LOWEST), np.float32(HIGHEST))


@njit(inline="always", fastmath=FAST)
@no_type_check
def _passing(x):
    """exp(-x) for x from 0 to 2, off by less than 1e-5: the eighth power of a polynomial."""
    y = x * np.float32(-0.125)
    p = ONE + y * (ONE + y * (np.float32(1 / 2) + y * (np.float32(1 / 6) + y * np.float32(1 / 24))))
    p *= p
    p *= p
    return p * p


@njit(forceinline=True, fastmath=FAST, error_model="numpy", _nrt=False)
@no_type_check
def _enter(
    active, count, reached, pixels, origin, directions, body_depth, newest, before, face_of, distance_of,
    away, motion, neck_steps, interval, farthest, spans, entered, points,
):  # fmt: skip
    """Keep the active rays that meet more of the shell before the body; how many, and how many enter it.

    Writes for each the distances between which it is looked at, spans [ray, 2], the end's point at rest,
    points [2 * BLOCK, 3], and which of these is where it enters (-1: it goes on where its last one ended).
    """
    kept = entering = 0
    for m in range(count):
        r = active[m]
        p, start = pixels[r], reached[r]
        at = next_fragment(newest[p], start, before, face_of, distance_of)
        if at < 0:
            continue
        is_inside = away[face_of[at]] and start > 0
        begin = start if is_inside else np.float64(distance_of[at])
        far = min(body_depth[r], farthest)
        if begin >= far:
            continue
        end = min(begin + interval, far)
        dx, dy, dz = directions[r, 0], directions[r, 1], directions[r, 2]
        ray = rigid_part(origin, dx, dy, dz, motion)
        active[kept], reached[r], spans[kept, 0], spans[kept, 1] = r, end, begin, end
        points[kept, 0], points[kept, 1], points[kept, 2] = at_rest(
            origin, dx, dy, dz, end, ray, motion, neck_steps
        )
        entered[kept] = -1
        if not is_inside:
            e = BLOCK + entering
            points[e, 0], points[e, 1], points[e, 2] = at_rest(
                origin, dx, dy, dz, begin, ray, motion, neck_steps
            )
            entered[kept] = e
            entering += 1
        kept += 1
    return kept, entering


@njit(forceinline=True, fastmath=FAST, error_model="numpy", _nrt=False)
@no_type_check
def _draw_lines(active, count, spans, entered, places, held, rows, columns, sigma_full, samples, lines):
    """Write of each interval, lines [7, ray]: where it starts (texels of a table [rows, columns + 2], height)
    and the step to its end, and how much a sample of the densest hair stops."""
    across, down = np.float32(columns), np.float32(rows)
    for m in range(count):
        r, e = active[m], entered[m]
        u, v, h = held[r, 0], held[r, 1], held[r, 2]
        if e >= 0:
            u, v, h = places[e, 0], places[e, 1], places[e, 2]
        u -= 2 * np.float32(math.floor(HALF * (u + ONE)))
        u_step = places[m, 0] - u
        u_step -= 2 * np.float32(math.floor(HALF * (u_step + ONE)))
        lines[0, m], lines[1, m] = HALF * (u * across + across + ONE), HALF * ((v + ONE) * down - ONE)
        lines[2, m], lines[3, m] = h, HALF * u_step * across
        lines[4, m], lines[5, m] = HALF * (places[m, 1] - v) * down, places[m, 2] - h
        lines[6, m] = sigma_full * (spans[m, 1] - spans[m, 0]) / samples
        held[r, 0], held[r, 1], held[r, 2] = places[m, 0], places[m, 1], places[m, 2]


@njit(forceinline=True, fastmath=VECTOR, error_model="numpy", _nrt=False)
@no_type_check
def _thin(count, share, lines, shape, rows, columns, first_depth, near, through, below):
    """Write what samples at a share of their intervals let pass and how far they are below the first depth.

    shape: flat [rows * (columns + 2) * 2].
    """
    last_row, seam, turn = np.float32(rows - 1), np.float32(columns + 0.5), np.float32(columns)
    for m in range(count):
        height = taken(lines[2], m) + share * taken(lines[5], m)
        s = taken(lines[0], m) + share * taken(lines[3], m)
        t = taken(lines[1], m) + share * taken(lines[4], m)
        s = s + turn if s < HALF else s
        s = s - turn if s >= seam else s
        t = min(max(t, ZERO), last_row)
        i, j = np.int32(s), np.int32(t)
        s, t = s - np.float32(i), t - np.float32(j)
        a, b, c, d = (ONE - t) * (ONE - s), (ONE - t) * s, t * (ONE - s), t * s
        p = (j * (columns + 2) + i) * 2
        q = p + np.int32(j < rows - 1) * (columns + 2) * 2
        top = a * looked_up(shape, p) + b * looked_up(shape, p + 2)
        top += c * looked_up(shape, q) + d * looked_up(shape, q + 2)
        full = a * looked_up(shape, p + 1) + b * looked_up(shape, p + 3)
        full += c * looked_up(shape, q + 1) + d * looked_up(shape, q + 3)
        full = full if height > RANGE[0] else ZERO
        full = full if height < RANGE[1] else ZERO
        put(below, m, top - first_depth - height)
        put(through, m, _passing(taken(lines[6], m) * full * logistic((top - height) * near)))


@njit(forceinline=True, fastmath=FAST, error_model="numpy", _nrt=False)
@no_type_check
def _compose(
    active, count, spans, lines, through, below, rows, columns, passing, opaque, waiting, last, out, rays,
    found_at,
):  # fmt: skip
    """Add the intervals' distances to `out`; keep the rays that are not opaque: how many.

    What is seen of them goes to rays [some] and found_at [4, some]: u, v, depth below the first one and
    weight; how many. What weighs too little waits: weight [ray] and place, last [4, ray].
    """
    samples = through.shape[0]
    part = np.float32(1 / samples)
    kept = found = 0
    for m in range(count):
        r = active[m]
        left, held_back = passing[r], waiting[r]
        seen = moment = ZERO
        for k in range(samples):
            share = (np.float32(k) + HALF) * part
            rest = left * through[k, m]
            rest = rest if rest > ENOUGH else ZERO
            weight = left - rest
            left = rest
            seen += weight
            moment += weight * share
            held_back += weight
            if held_back > TOGETHER or k == samples - 1 or left == 0:
                column, row = lines[0, m] + share * lines[3, m], lines[1, m] + share * lines[4, m]
                q, to = (found_at, found) if held_back > TOGETHER else (last, r)
                q[0, to] = (2 * column - ONE) / np.float32(columns) - ONE
                q[1, to] = (2 * row + ONE) / np.float32(rows) - ONE
                q[2, to] = below[k, m]
                if held_back > TOGETHER:
                    rays[found], found_at[3, found] = r, held_back
                    held_back = ZERO
                    found += 1
                if left == 0:
                    break
        begin, length = np.float32(spans[m, 0]), np.float32(spans[m, 1] - spans[m, 0])
        out[r, 4] += seen * begin + moment * length
        passing[r], waiting[r] = left, held_back
        active[kept] = r
        kept += left > opaque
    return kept, found


@njit(nogil=True, cache=True, fastmath=FAST, error_model="numpy")
@no_type_check
def march(
    pixels, origin, directions, body_depth,
    newest, before, face_of, distance_of, away,
    motion, neck_steps, grid, is_exact, low, cell,
    carry_steps, displacement, radius, shape, colours, first_depth,
    samples, rounds, interval, farthest, opaque, unseen, sigma_full, softness,
    out,
):  # fmt: skip
    """Write premultiplied colour, alpha and weighted distance of the hair before `body_depth`, [N, 5].

    Fragments of a pixel are chained, see `scan`. Tables are [v, u, channel], those that wrap in
    u with a column of the other end on each side; shape: outer height and density; colours: see `HairTables`.
    """
    active, entered = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)
    spans, reached, passing = np.empty((BLOCK, 2)), np.empty(BLOCK), np.empty(BLOCK, np.float32)
    points, places = np.empty((2 * BLOCK, 3)), np.empty((2 * BLOCK, 3), np.float32)
    held, lines = np.empty((BLOCK, 3), np.float32), np.empty((7, BLOCK), np.float32)
    through, below = np.empty((samples, BLOCK), np.float32), np.empty((samples, BLOCK), np.float32)
    waiting, last = np.empty(BLOCK, np.float32), np.empty((4, BLOCK), np.float32)
    rays, found_at = np.empty(BLOCK * samples, np.int64), np.empty((4, BLOCK * samples), np.float32)
    rgb = np.empty((3, BLOCK * samples), np.float32)
    table = (colours.ravel(), colours.shape[0], colours.shape[1] - 2)
    flat, rows, columns = shape.ravel(), shape.shape[0], shape.shape[1] - 2
    first_depth, near = np.float32(first_depth), np.float32(1 / softness)
    for first in range(0, pixels.shape[0], BLOCK):
        part = slice(first, min(first + BLOCK, pixels.shape[0]))
        p, towards, far, drawn = pixels[part], directions[part], body_depth[part], out[part]
        drawn[:] = 0
        count = 0
        for r in range(p.shape[0]):
            active[count], reached[r], passing[r], waiting[r] = r, 0, 1, 0
            count += newest[p[r]] >= 0
        for _ in range(rounds):
            count, entering = _enter(
                active, count, reached, p, origin, towards, far, newest, before, face_of, distance_of, away,
                motion, neck_steps, interval, farthest, spans, entered, points,
            )  # fmt: skip
            if count == 0:
                break
            for start, size in ((0, count), (BLOCK, entering)):
                some = slice(start, start + size)
                look_up(
                    points[some], grid, is_exact, low, cell, displacement, radius, carry_steps, places[some]
                )
            _draw_lines(
                active, count, spans, entered, places, held, rows, columns, sigma_full, samples, lines
            )
            for k in range(samples):
                share = np.float32((k + 0.5) / samples)
                _thin(count, share, lines, flat, rows, columns, first_depth, near, through[k], below[k])
            count, found = _compose(
                active, count, spans, lines, through, below, rows, columns, passing, opaque, waiting, last,
                drawn, rays, found_at,
            )  # fmt: skip
            colours_of(found, found_at, *table, rgb)
            add_colours(found, rays, rgb, drawn)
        found = 0
        for r in range(p.shape[0]):
            drawn[r, 3] = ONE - passing[r]
            if waiting[r] > unseen:
                last[3, r] = waiting[r]
                rays[found], found_at[:, found] = r, last[:, r]
                found += 1
        colours_of(found, found_at, *table, rgb)
        add_colours(found, rays, rgb, drawn)
