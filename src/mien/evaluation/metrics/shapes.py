"""What can be compared with what."""

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import InputError


def same_length(one: NDArray[np.floating], other: NDArray[np.floating]) -> None:
    """Refuse arrays of different shape or without a frame: InputError."""
    if np.shape(one) != np.shape(other) or len(one) == 0:
        raise InputError(
            f"Numbers of shape {np.shape(one)} and {np.shape(other)} cannot be compared; expected two of the "
            "same shape with at least one frame."
        )


def same_picture(picture: NDArray[np.generic], reference: NDArray[np.generic]) -> None:
    """Refuse pictures of different shape: InputError."""
    if picture.shape != reference.shape:
        raise InputError(
            f"Pictures of shape {picture.shape} and {reference.shape} cannot be compared; resize one."
        )
