"""Means over the nearest points for all nodes of a grid: modified Shepard interpolation, see `bend`.

The same as asking a k-d tree for every node, but blocks of nodes share the search: of a block's points only
those are handed to its parts that can be among the nearest of one of their nodes.
"""

# mypy: disable-error-code="no-untyped-def"
from typing import Final, no_type_check

import numpy as np
from numba import njit

BLOCK: Final = 8
"""Nodes along a side of the largest blocks; each next size is half of it, down to one node."""
LEVELS: Final = 4
SLACK = np.float32(1 + 1e-5)
"""Against rounding of squared distances."""
ZERO = np.float32(0)
NOWHERE = np.float32(1e30)
"""Farther than any point; infinities and fast arithmetic do not go together."""


@njit(inline="always", fastmath=True)
@no_type_check
def _insert(nearest, value):
    """Put a value into an ascending row whose last falls out."""
    at = nearest.shape[0] - 1
    while at > 0 and nearest[at - 1] > value:
        nearest[at] = nearest[at - 1]
        at -= 1
    nearest[at] = value


@njit(forceinline=True, fastmath=True)
@no_type_check
def _cull(level, count, middle, half, reach, xyz, index, squares, nearest):
    """Hand those of a level's points to the next that can matter within `half` of `middle`; how many."""
    limit = reach + half
    nearest[:] = NOWHERE
    px, py, pz = xyz[level, 0], xyz[level, 1], xyz[level, 2]
    for i in range(count):
        dx, dy, dz = px[i] - middle[0], py[i] - middle[1], pz[i] - middle[2]
        squares[i] = dx * dx + dy * dy + dz * dz
    for i in range(count):
        if squares[i] < nearest[-1]:
            _insert(nearest, squares[i])
    limit = min(limit, np.sqrt(nearest[-1]) + half + half)
    limit = limit * limit * SLACK
    kept = 0
    for i in range(count):
        if squares[i] <= limit:
            for k in range(3):
                xyz[level + 1, k, kept] = xyz[level, k, i]
            index[level + 1, kept] = index[level, i]
            kept += 1
    return kept


@njit(forceinline=True, fastmath=True)
@no_type_check
def _mean(level, count, middle, near, far, xyz, index, squares, moves, nearest, chosen, out):
    """Write the mean of one node."""
    nearest[:] = far * far
    last = nearest.shape[0] - 1
    px, py, pz = xyz[level, 0], xyz[level, 1], xyz[level, 2]
    for i in range(count):
        dx, dy, dz = px[i] - middle[0], py[i] - middle[1], pz[i] - middle[2]
        squares[i] = dx * dx + dy * dy + dz * dz
    for i in range(count):
        square = squares[i]
        if square < nearest[last]:
            at = last
            while at > 0 and nearest[at - 1] > square:
                nearest[at], chosen[at] = nearest[at - 1], chosen[at - 1]
                at -= 1
            nearest[at], chosen[at] = square, index[level, i]
    if nearest[0] == far * far:
        out[:] = ZERO
        return
    found = 0
    while found <= last and nearest[found] < far * far:
        found += 1
    radius = np.sqrt(np.float64(nearest[found - 1])) * (1 + 1e-6) + 1e-9
    total = x = y = z = 0.0
    for j in range(found):
        d = max(np.sqrt(np.float64(nearest[j])), 1e-6)
        share = (radius - d) / (radius * d)
        share *= share
        total += share
        x += share * moves[chosen[j], 0]
        y += share * moves[chosen[j], 1]
        z += share * moves[chosen[j], 2]
    t = min(max((far - np.sqrt(np.float64(nearest[0]))) / (far - near), 0.0), 1.0)
    scale = t * t * (3 - 2 * t) / max(total, 1e-12)
    out[0], out[1], out[2] = np.float32(x * scale), np.float32(y * scale), np.float32(z * scale)


@njit(nogil=True, fastmath=True, cache=True, error_model="numpy")
@no_type_check
def mean_moves(points, moves, low, cell, first, neighbours, near, far, out):
    """Means for the BLOCK layers of nodes from `first` on.

    points, moves: [N, 3]; low: of the first node; out: float32 [z, y, x, 3]. Mean moves of the `neighbours`
    nearest points (the last weighs nothing) no farther than `far`, in full up to `near`.
    """
    size = points.shape[0]
    xyz = np.empty((LEVELS + 1, 3, size), np.float32)
    index = np.empty((LEVELS + 1, size), np.int32)
    squares, nearest = np.empty(size, np.float32), np.empty(neighbours, np.float32)
    chosen, middle = np.empty(neighbours, np.int32), np.empty(3, np.float32)
    counts = np.empty(LEVELS + 1, np.int64)
    for i in range(size):
        index[0, i] = i
        for k in range(3):
            xyz[0, k, i] = points[i, k]
    counts[0] = size
    nodes = out.shape
    for start_y in range(0, nodes[1], BLOCK):
        for start_x in range(0, nodes[2], BLOCK):
            # The parts of a block in order; part 0 of a level comes first, so its parent is always ready.
            for node in range(BLOCK**3):
                z = y = x = 0
                for bit in range(LEVELS - 1):  # the number's bits are those of x, y, z in turn
                    x |= ((node >> (3 * bit)) & 1) << bit
                    y |= ((node >> (3 * bit + 1)) & 1) << bit
                    z |= ((node >> (3 * bit + 2)) & 1) << bit
                inside = first + z < nodes[0] and start_y + y < nodes[1] and start_x + x < nodes[2]
                side = BLOCK
                for level in range(LEVELS - 1):
                    if node % (side**3) == 0:
                        reach = np.float32((side - 1) * cell * 0.5)
                        middle[0] = np.float32(low[0] + (start_x + x) * cell) + reach
                        middle[1] = np.float32(low[1] + (start_y + y) * cell) + reach
                        middle[2] = np.float32(low[2] + (first + z) * cell) + reach
                        half = reach * np.float32(3**0.5)
                        counts[level + 1] = _cull(
                            level, counts[level], middle, half, far, xyz, index, squares, nearest
                        )
                    side //= 2
                if inside:
                    middle[0] = np.float32(low[0] + (start_x + x) * cell)
                    middle[1] = np.float32(low[1] + (start_y + y) * cell)
                    middle[2] = np.float32(low[2] + (first + z) * cell)
                    _mean(
                        LEVELS - 1, counts[LEVELS - 1], middle, near, far, xyz, index, squares, moves,
                        nearest, chosen, out[first + z, start_y + y, start_x + x],
                    )  # fmt: skip
