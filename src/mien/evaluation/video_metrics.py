"""Measures of an animated portrait against its driver and its photo, as pure functions of tracked numbers.

Names: T frames, coefficients [T, 52] in the order of ARKIT_NAMES, rotations [T, 3, 3] from head to camera
axes, landmarks [T, L, 2] in pixels. Callers pass only frames in which both faces were found.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.core.arkit import ARKIT_INDEX
from mien.core.errors import InputError

Array = NDArray[np.floating]

SAME_PERSON: Final = 0.6
"""Distance of dlib's 128 numbers below which two faces are the same person."""
MOVING_STD: Final = 0.05
"""A driver whose coefficient varies less than this does not move it; there is nothing to correlate."""

EXPRESSION_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "jawOpen": ("jawOpen",),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
}
"""What is correlated with the driver, as means of coefficients."""


def relative_rotations(R: Array) -> NDArray[np.float64]:
    """Turns since the first frame in camera axes, `R_t R_0^T`."""
    R = np.asarray(R, np.float64)
    return R @ R[0].T


def rotation_angles_deg(R: Array) -> NDArray[np.float64]:
    """Geodesic angle in degrees of rotations [..., 3, 3]; accurate near 0, where the cosine alone is not."""
    R = np.asarray(R, np.float64)
    skew = np.stack(
        [R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], -1
    )
    sine, cosine = np.linalg.norm(skew, axis=-1) / 2, (np.trace(R, axis1=-2, axis2=-1) - 1) / 2
    return np.degrees(np.arctan2(sine, cosine))


def pose_errors_deg(R_output: Array, R_driver: Array) -> NDArray[np.float64]:
    """Angle per frame between the output's and the driver's turn since the first frame, [T]."""
    _same_length(R_output, R_driver)
    return rotation_angles_deg(
        np.swapaxes(relative_rotations(R_driver), -1, -2) @ relative_rotations(R_output)
    )


def expression_distance(coefficients: Array, coefficients_driver: Array) -> float:
    """AED: mean absolute difference over frames and the 52 coefficients."""
    _same_length(coefficients, coefficients_driver)
    return float(np.abs(np.asarray(coefficients, np.float64) - coefficients_driver).mean())


def static_expression_distance(coefficients_photo: Array, coefficients_driver: Array) -> float:
    """AED of an output that does nothing: the photo's own coefficients [52] in every frame."""
    still = np.broadcast_to(coefficients_photo, np.shape(coefficients_driver))
    return expression_distance(still, coefficients_driver)


def correlation(signal: Array, signal_driver: Array, *, moving_std: float = MOVING_STD) -> float | None:
    """Pearson correlation of two signals [T]; None if the driver is still, 0 if only the output is."""
    _same_length(signal, signal_driver)
    one, other = np.asarray(signal, np.float64), np.asarray(signal_driver, np.float64)
    if other.std() <= moving_std:
        return None
    if one.std() < 1e-9:
        return 0.0
    return float(np.mean((one - one.mean()) * (other - other.mean())) / (one.std() * other.std()))


def expression_correlations(coefficients: Array, coefficients_driver: Array) -> dict[str, float | None]:
    """Correlation with the driver of every group in EXPRESSION_GROUPS."""
    return {
        group: correlation(group_signal(coefficients, group), group_signal(coefficients_driver, group))
        for group in EXPRESSION_GROUPS
    }


def group_signal(coefficients: Array, group: str) -> NDArray[np.float64]:
    """Mean of a group's coefficients over time, [T]."""
    columns = [ARKIT_INDEX[name] for name in EXPRESSION_GROUPS[group]]
    return np.asarray(coefficients, np.float64)[:, columns].mean(1)


def same_person_share(distances: Array) -> float:
    """Share of the frames whose identity distance is below 0.6."""
    return float(np.mean(np.asarray(distances) < SAME_PERSON))


def mean_squared_error(picture: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """Mean squared difference in grey levels of 8-bit pictures or stacks of them."""
    if picture.shape != reference.shape:
        raise InputError(
            f"Pictures of shape {picture.shape} and {reference.shape} cannot be compared; resize one."
        )
    return float(np.mean((picture.astype(np.float64) - reference.astype(np.float64)) ** 2))


def psnr_of_error_db(squared_error: Array) -> NDArray[np.float64]:
    """Peak signal to noise ratio of mean squared errors in squared grey levels; infinite for 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(10.0 * np.log10(255.0**2 / np.asarray(squared_error, np.float64)))


def psnr_db(picture: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """PSNR of 8-bit pictures or stacks of them; infinite if they are equal."""
    return float(psnr_of_error_db(np.array(mean_squared_error(picture, reference))))


def landmark_jerk(landmarks_px: Array, fps: float) -> float:
    """Temporal jitter: RMS third derivative of the landmarks in face sizes per s^3.

    The face's size is the median over time of the RMS distance of its landmarks to their mean.
    """
    points = np.asarray(landmarks_px, np.float64)
    if len(points) < 4:
        return 0.0
    size_px = np.median(np.sqrt(((points - points.mean(1, keepdims=True)) ** 2).sum(-1).mean(-1)))
    jerk = np.diff(points, 3, axis=0) * fps**3 / max(float(size_px), 1e-9)
    return float(np.sqrt((jerk**2).sum(-1).mean()))


def largest_change(pictures: Iterable[NDArray[np.uint8]]) -> float:
    """Largest mean absolute difference in grey levels of any picture to the first; 0 only if all are equal.

    Holds two pictures. Decoded video of one repeated picture changes by a fraction of a level at first.
    """
    first, change = None, 0.0
    for picture in pictures:
        if first is None:
            first = picture.astype(np.int16)
        else:
            change = max(change, float(np.abs(picture - first).mean()))
    return change


def _same_length(one: Array, other: Array) -> None:
    if np.shape(one) != np.shape(other) or len(one) == 0:
        raise InputError(
            f"Numbers of shape {np.shape(one)} and {np.shape(other)} cannot be compared; expected two of the "
            "same shape with at least one frame."
        )
