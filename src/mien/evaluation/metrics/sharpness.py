"""Sharpness of a picture against a reference.

Ratio of the variances of the Laplacian (4 neighbours) of the grey values. 1: as much fine detail as the
reference; below: blurred; above: noise or sharper. Range 0 to infinity, no unit. Noise counts as detail.
Source: the focus measure of Pech-Pacheco et al. 2000.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mien.core.errors import InputError
from mien.evaluation.metrics.shapes import same_picture


def laplacian_variance(
    rgb: UInt8[np.ndarray, "height width 3"], *, weight: Float[np.ndarray, "height width"] | None = None
) -> float:
    """Variance of the Laplacian in squared grey levels, over the pixels with weight."""
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float64)
    values = np.asarray(cv2.Laplacian(grey, cv2.CV_64F))
    weight = np.ones(grey.shape) if weight is None else weight
    total = float(weight.sum())
    if total <= 0:
        raise InputError("The mask of a sharpness is empty; give one with at least one pixel.")
    mean = (values * weight).sum() / total
    return float(((values - mean) ** 2 * weight).sum() / total)


def sharpness_ratio(
    picture: UInt8[np.ndarray, "height width 3"],
    reference: UInt8[np.ndarray, "height2 width2 3"],
    *,
    weight: Float[np.ndarray, "height width"] | None = None,
) -> float:
    """The picture's over the reference's. Raises InputError if the reference has no detail at all."""
    same_picture(picture, reference)
    against = laplacian_variance(reference, weight=weight)
    if against <= 0:
        raise InputError("The reference is flat, so nothing can be sharp against it; give another picture.")
    return laplacian_variance(picture, weight=weight) / against
