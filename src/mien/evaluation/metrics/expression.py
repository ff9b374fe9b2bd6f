"""Average expression distance.

AED = mean |delta| over frames and coefficients, an L1 mean. Lower is better; for mien's 52 coefficients the
range is 0 to 1 and there is no unit. Papers take the 64 coefficients of BFM (Deep3DFaceRecon) or 50 to 100 of
FLAME (DECA); no such network ships with mien, but the functions take the coefficients of any. Figures of
different coefficients cannot be compared. Source: the scripts around StyleHEAT and Next3D.
"""

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mien.evaluation.metrics.shapes import same_length

Array = NDArray[np.floating]


def expression_distance(coefficients: Array, coefficients_driver: Array) -> float:
    """AED of coefficients [T, K]."""
    same_length(coefficients, coefficients_driver)
    return float(np.abs(np.asarray(coefficients, np.float64) - coefficients_driver).mean())


def static_expression_distance(
    coefficients_photo: Float[np.ndarray, " coefficient"], coefficients_driver: Array
) -> float:
    """AED of an output that does nothing: the photo's own coefficients in every frame."""
    still = np.broadcast_to(coefficients_photo, np.shape(coefficients_driver))
    return expression_distance(still, coefficients_driver)
