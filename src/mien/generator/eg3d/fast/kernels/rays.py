"""EG3D's two passes along each ray, skipping what does not count.

Samples lie exactly where the reference puts them. A gap between samples is skipped if both ends are in empty
cells of the grid; the ray ends when hardly any light passes on; colours are decoded only where they weigh.
"""

# mypy: disable-error-code="no-untyped-def"
from typing import no_type_check

import numpy as np
from numba import njit

from mien.generator.eg3d.fast.kernels.carry import carry
from mien.generator.eg3d.fast.kernels.field import COLOURS, HIDDEN, add_colours, density, look_up
from mien.generator.eg3d.fast.kernels.functions import decayed, softplus
from mien.generator.eg3d.sampling import PDF_FLOOR, WEIGHT_FLOOR

ZERO, ONE, HALF = np.float32(0), np.float32(1), np.float32(0.5)
PASSING = np.float32(1e-10)
FLOOR, PDF_LEAST = np.float32(WEIGHT_FLOOR), np.float32(PDF_FLOOR)


@njit(inline="always", fastmath=True)
@no_type_check
def _is_occupied(grid, limit, point):
    """Whether a point lies in a cell of the grid that may hold something; beyond the grid as at its edge."""
    size = grid.shape[0]
    scale = np.float32(size) / (limit + limit)
    x = min(max(int((point[0] + limit) * scale), 0), size - 1)
    y = min(max(int((point[1] + limit) * scale), 0), size - 1)
    z = min(max(int((point[2] + limit) * scale), 0), size - 1)
    return grid[z, y, x] != 0


@njit(inline="always")
@no_type_check
def _opacity(middle, gap):
    """Opacity of a gap whose ends have this mean raw density."""
    return ONE - decayed(softplus(middle - ONE) * gap)


@njit(inline="always")
@no_type_check
def _place(ray, t, warp, point, scratch):
    """Where in the field a sample is."""
    for k in range(3):
        point[k] = ray[0][k] + ray[1][k] * t
    if warp[0][0]:
        carry(point, warp, scratch[0], scratch[1])


@njit(inline="always")
@no_type_check
def _weigh(count, t, slots, occupied, known, sigma, points, field, stop, weights, hidden):
    """Weights of the gaps of one ray; densities are found when first needed. Returns the gaps visited."""
    tables, pairs, scale, bias, weight, bias_sigma = field
    passing = ONE
    for g in range(count - 1):
        weights[g] = ZERO
        one, other = slots[g], slots[g + 1]
        if not (occupied[one] or occupied[other]):
            continue
        for slot in (one, other):
            if not known[slot]:
                look_up(tables, pairs, points[slot], scale, bias, hidden, slot)
                sigma[slot] = density(hidden, slot, weight, bias_sigma)
                known[slot] = True
        alpha = _opacity((sigma[one] + sigma[other]) * HALF, t[g + 1] - t[g])
        weights[g] = alpha * passing
        passing *= ONE - alpha + PASSING
        if passing < stop:
            return g + 1
    return count - 1


@njit(inline="always")
@no_type_check
def _place_fine(t, weights, coarse, fine, pdf, cdf, out):
    """Distances of the second pass: `importance_distances` at evenly spaced quantiles, for one ray."""
    bins = coarse - 3
    total = 0.0
    for k in range(bins):
        before, here, after = weights[k], weights[k + 1], weights[k + 2]
        pdf[k] = (max(before, here) + max(here, after)) * HALF + FLOOR + PDF_LEAST
        total += pdf[k]
    run = 0.0
    cdf[0] = ZERO
    for k in range(bins):
        run += pdf[k] / total
        cdf[k + 1] = np.float32(run)
    above = 0
    for j in range(fine):
        u = np.float32(j) / np.float32(max(fine - 1, 1))
        while above <= bins and cdf[above] <= u:
            above += 1
        low, high = max(above - 1, 0), min(above, bins)
        start, end = (t[low] + t[low + 1]) * HALF, (t[high] + t[high + 1]) * HALF
        gap = cdf[high] - cdf[low]
        fraction = u - cdf[low] if gap < PDF_LEAST else (u - cdf[low]) / gap
        out[j] = start + fraction * (end - start)


@njit(inline="always")
@no_type_check
def _merge(coarse, fine, t, t_fine, slots, merged):
    """All samples by distance; slots count the coarse ones first."""
    i = j = 0
    for k in range(coarse + fine):
        if j >= fine or (i < coarse and t[i] <= t_fine[j]):
            merged[k], slots[k] = t[i], i
            i += 1
        else:
            merged[k], slots[k] = t_fine[j], coarse + j
            j += 1


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def march_rays(
    first_ray, last_ray, origins, directions, t_coarse, fine, warp, field, colour, grid, limit, stop, least,
    together, seen, sums, used
):  # fmt: skip
    """Composite the rays from `first_ray` to before `last_ray`.

    origins, directions: [ray, 3]; t_coarse: [ray or 1, sample]; warp: see `described`; field: (tables, pairs,
    scale, bias, weight and bias of the density); colour: (weight [HIDDEN, COLOURS], bias); seen: [ray,
    COLOURS] sums of weighted colours in [0, 1]; sums: [ray, 2] of weights and weighted distances; used:
    [ray, 2] densities and colours that were decoded.
    """
    coarse = t_coarse.shape[1]
    total = coarse + fine
    hidden = np.empty((total, HIDDEN), np.float32)
    sigma, t_fine = np.empty(total, np.float32), np.empty(max(fine, 1), np.float32)
    merged, weights = np.empty(total, np.float32), np.empty(total, np.float32)
    slots, first = np.empty(total, np.int64), np.arange(total)
    occupied, known = np.empty(total, np.bool_), np.empty(total, np.bool_)
    pdf, cdf = np.empty(total, np.float32), np.empty(total, np.float32)
    points, moved = np.empty((total, 3), np.float32), np.empty((2, 3), np.float32)
    scratch = np.empty(COLOURS, np.float32)
    mean = np.zeros((1, HIDDEN), np.float32)
    for r in range(first_ray, last_ray):
        ray = (origins[r], directions[r])
        t = t_coarse[min(r, len(t_coarse) - 1)]
        known[:] = False
        for i in range(coarse):
            _place(ray, t[i], warp, points[i], moved)
            occupied[i] = _is_occupied(grid, limit, points[i])
        end = _weigh(coarse, t, first, occupied, known, sigma, points, field, stop, weights, hidden)
        distances, order, count = t, first, coarse
        if fine > 0:
            weights[end:coarse] = ZERO
            _place_fine(t, weights, coarse, fine, pdf, cdf, t_fine)
            for j in range(fine):
                _place(ray, t_fine[j], warp, points[coarse + j], moved)
                occupied[coarse + j] = _is_occupied(grid, limit, points[coarse + j])
            _merge(coarse, fine, t, t_fine, slots, merged)
            distances, order, count = merged, slots, total
            end = _weigh(count, merged, slots, occupied, known, sigma, points, field, stop, weights, hidden)
        before = gathered = ZERO
        for g in range(end + 1):
            weight = weights[g] if g < end else ZERO
            share = (before + weight) * HALF
            before = weight
            if share > least:  # neighbours whose weights add up to little are decoded together
                slot = order[g]
                for c in range(HIDDEN):
                    mean[0, c] += share * hidden[slot, c]
                gathered += share
            if gathered > together or (g == end and gathered > ZERO):
                for c in range(HIDDEN):
                    mean[0, c] /= gathered
                add_colours(mean, 0, colour[0], colour[1], gathered, scratch, seen[r])
                used[r, 1] += 1
                gathered = ZERO
                mean[:] = ZERO
            if g < end:
                sums[r, 0] += weight
                sums[r, 1] += weight * (distances[g] + distances[g + 1]) * HALF
        for i in range(total):
            used[r, 0] += known[i]
