"""Bilinear lookups in tables with channels last, in single floats."""

# mypy: disable-error-code="no-untyped-def"
from typing import Final, no_type_check

import numpy as np
from numba import njit

FAST: Final = {"contract", "nsz", "arcp"}
"""Liberties of arithmetic. With the freedom to reassociate, LLVM fails on the march through the hair."""
ONE: Final = np.float32(1)
FADED: Final = np.float32(12)
"""Where the logistic function is taken as 0 or 1."""
STEPS: Final = 2048
LOGISTIC: Final = (1 / (1 + np.exp(-np.linspace(-FADED, FADED, STEPS + 1)))).astype(np.float32)
RISE: Final = np.diff(LOGISTIC)
POSITIVE: Final = 0x7FFFFFFF
"""Whatever is masked by this is not negative, which spares arrays the look whether an index counts from the
end."""


@njit(inline="always", fastmath=True)
@no_type_check
def corners(x, y, table):
    """First and second rows and columns and the shares of the four texels around a place in [-1, 1]."""
    rows, columns = table.shape[0], table.shape[1]
    px = min(max(((x + 1) * columns - 1) * 0.5, 0.0), columns - 1.0)
    py = min(max(((y + 1) * rows - 1) * 0.5, 0.0), rows - 1.0)
    i, j = int(px) & POSITIVE, int(py) & POSITIVE
    s, t = np.float32(px - i), np.float32(py - j)
    return (
        j, j + (j < rows - 1), i, i + (i < columns - 1),
        (ONE - t) * (ONE - s), (ONE - t) * s, t * (ONE - s), t * s,
    )  # fmt: skip


@njit(inline="always", fastmath=True)
@no_type_check
def logistic(x):
    """1 / (1 + exp(-x)) of a single float; off by less than 1e-5."""
    place = (min(max(x, -FADED), FADED) + FADED) * np.float32(STEPS / 24)
    first = np.uint32(min(int(place), STEPS - 1))
    return LOGISTIC[first] + (place - np.float32(first)) * RISE[first]
