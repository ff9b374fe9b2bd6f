"""Structural similarity.

SSIM = (2 mx my + C1)(2 sxy + C2) / ((mx^2 + my^2 + C1)(sx^2 + sy^2 + C2)) per pixel and channel, with local
means, variances and covariance under a Gaussian of 1.5 px, C1 = (0.01 * 255)^2, C2 = (0.03 * 255)^2; the mean
over channels and pixels. Range: -1 to 1, 1 only for equal pictures; no unit; higher is better. Source: Wang,
Bovik, Sheikh, Simoncelli 2004, there on grey pictures. Computed by scikit-image.
"""

from typing import Final

import numpy as np
from jaxtyping import Float, UInt8

from mien.core.errors import InputError
from mien.evaluation.metrics.shapes import same_picture

SIGMA_PX: Final = 1.5
LEAST_PX: Final = 11
"""Side of the window: pictures must be as large."""
REACH_PX: Final = LEAST_PX // 2
"""How far the window reaches from its middle."""


def ssim(
    picture: UInt8[np.ndarray, "height width channel"],
    reference: UInt8[np.ndarray, "height2 width2 channel2"],
    *,
    weight: Float[np.ndarray, "height width"] | None = None,
) -> float:
    """SSIM of two pictures; with a weight its mean over the pixels is weighted.

    Windows reach 5 px beyond the weighted pixels. Raises InputError for pictures of different shape or
    smaller than 11 px, and for a weight that is zero everywhere.
    """
    same_picture(picture, reference)
    if min(picture.shape[:2]) < LEAST_PX:
        raise InputError(
            f"SSIM needs pictures of {LEAST_PX} px a side, these have {picture.shape[:2]}; give larger ones."
        )
    if weight is None:
        return structure(picture, reference)[0]
    total = float(weight.sum())
    if total <= 0:
        raise InputError("The mask of an SSIM is empty; give one with at least one pixel.")
    box = (weighted_part(weight, axis=0), weighted_part(weight, axis=1))
    found = np.zeros(weight.shape)
    found[box] = structure(picture[box], reference[box])[1].mean(-1)
    return float((found * weight).sum() / total)


def structure(
    picture: UInt8[np.ndarray, "height width channel"], reference: UInt8[np.ndarray, "height width channel"]
) -> tuple[float, Float[np.ndarray, "height width channel"]]:
    """SSIM over the pictures without the border that windows cross, and of every pixel and channel."""
    from skimage.metrics import structural_similarity

    mean, found = structural_similarity(
        picture, reference, gaussian_weights=True, sigma=SIGMA_PX, use_sample_covariance=False,
        channel_axis=-1, data_range=255, full=True,
    )  # fmt: skip
    return float(mean), np.asarray(found)


def weighted_part(weight: Float[np.ndarray, "height width"], *, axis: int) -> slice:
    """The rows (axis 0) or columns (1) that windows around pixels with weight reach, at least `LEAST_PX`."""
    there, side = np.flatnonzero(weight.any(axis=1 - axis)), weight.shape[axis]
    first = min(max(int(there[0]) - REACH_PX, 0), side - LEAST_PX)
    end = max(min(int(there[-1]) + REACH_PX + 1, side), first + LEAST_PX)
    return slice(first, end)
