"""Softplus and sigmoid of many numbers at once, by polynomials that vectorise; errors below 3e-6."""

# mypy: disable-error-code="no-untyped-def"
from typing import Final, no_type_check

import numpy as np
from numba import njit

POWER: Final = 16
"""exp(-a) is the 16th power of exp(-a / 16), which four squarings give."""
FAR: Final = np.float32(20)


def _fitted(function, end: float, degree: int) -> tuple[np.float32, ...]:
    """Coefficients, lowest first, of the polynomial through Chebyshev's points of [0, end]."""
    fit = np.polynomial.chebyshev.Chebyshev.interpolate(function, degree, [0, end])
    return tuple(np.float32(c) for c in fit.convert(kind=np.polynomial.Polynomial).coef)


E0, E1, E2, E3, E4, E5, E6 = _fitted(lambda a: np.exp(-a), float(FAR) / POWER, 6)
L0, L1, L2, L3, L4, L5, L6, L7 = _fitted(np.log1p, 1.0, 7)
ZERO, ONE = np.float32(0), np.float32(1)
SCALE = np.float32(1 / POWER)


@njit(inline="always", fastmath=True)
@no_type_check
def decayed(x):
    """exp(-|x|), for |x| beyond 20 as at 20."""
    a = min(abs(x), FAR) * SCALE
    e = E0 + a * (E1 + a * (E2 + a * (E3 + a * (E4 + a * (E5 + a * E6)))))
    e *= e
    e *= e
    e *= e
    return e * e


@njit(inline="always", fastmath=True)
@no_type_check
def softplus(x):
    """log(1 + exp(x))."""
    e = decayed(x)
    log = L0 + e * (L1 + e * (L2 + e * (L3 + e * (L4 + e * (L5 + e * (L6 + e * L7))))))
    return max(x, ZERO) + log


@njit(inline="always", fastmath=True)
@no_type_check
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    e = decayed(x)
    return (ONE if x >= ZERO else e) / (ONE + e)
