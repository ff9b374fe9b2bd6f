"""Peak signal to noise ratio.

PSNR = 10 log10(255^2 / MSE) in dB, with MSE the mean squared difference of 8-bit values over pixels and
channels. Range: 0 (black against white) to infinity (equal); higher is better. Within a mask the mean is that
of its pixels, weighted. Source: standard (e.g. ITU-T J.340).
"""

from typing import Final

import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import NDArray

from mien.core.errors import InputError
from mien.evaluation.metrics.shapes import same_picture

PEAK: Final = 255.0
MOST_DB: Final = 60.0
"""What a perfect picture counts as where figures are averaged: errors below half a level cannot be seen."""


def mean_squared_error(
    picture: UInt8[np.ndarray, "*shape"],
    reference: UInt8[np.ndarray, "*shape2"],
    *,
    weight: Float[np.ndarray, "height width"] | None = None,
) -> float:
    """Mean squared difference in grey levels of 8-bit pictures or stacks of them; of one [H, W, C], weighted.

    Raises InputError for pictures of different shape and for a weight that is zero everywhere.
    """
    same_picture(picture, reference)
    squared = (picture.astype(np.float64) - reference.astype(np.float64)) ** 2
    if weight is None:
        return float(np.mean(squared))
    total = float(weight.sum())
    if weight.shape != picture.shape[:2] or total <= 0:
        raise InputError(
            f"The mask has shape {weight.shape} and sum {total:g}; expected {picture.shape[:2]} with at "
            "least one pixel."
        )
    return float((squared.mean(-1) * weight).sum() / total)


def psnr_of_error_db(squared_error: NDArray[np.floating]) -> NDArray[np.float64]:
    """PSNR of mean squared errors in squared grey levels; infinite for 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(10.0 * np.log10(PEAK**2 / np.asarray(squared_error, np.float64)))


def psnr_db(
    picture: UInt8[np.ndarray, "*shape"],
    reference: UInt8[np.ndarray, "*shape2"],
    *,
    weight: Float[np.ndarray, "height width"] | None = None,
) -> float:
    """PSNR of 8-bit pictures; infinite if they are equal. See `mean_squared_error` for the weight."""
    return float(psnr_of_error_db(np.array(mean_squared_error(picture, reference, weight=weight))))
