"""How high brows stand: a driver's are carried to another person's only as far as those go.

Where brows rest is a person's own, and a tracker takes much of it for expression: high arches count as raised
brows all along, low ones as a constant frown. Carried over as they are, they would leave somebody with low
brows with thin arcs high on the forehead, and with another's face.
"""

from typing import Final

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mien.core.arkit import ARKIT_INDEX

Array = NDArray[np.float64]

SIDES: Final = ("Left", "Right")
RAISED: Final = (ARKIT_INDEX["browInnerUp"], *(ARKIT_INDEX[f"browOuterUp{side}"] for side in SIDES))
LOWERED: Final = tuple(ARKIT_INDEX[f"browDown{side}"] for side in SIDES)
FURTHEST: Final = 1.0
"""How far from where a person's brows are in the photo they may stand half of the time: as far as the average
head's go at their utmost. Of brows that are low in the photo that is less than the coefficient's 1."""


def highest_level(own: Float[np.ndarray, "52"]) -> Array:
    """How high the inner ends and the left and right outer ends of brows may stand half of the time, [3], of
    a person with these coefficients in the photo; at least as high as there."""
    own = np.asarray(own, np.float64)
    lowered = own[list(LOWERED)]
    raised = own[list(RAISED)]
    return np.maximum(raised, raised - np.array([lowered.mean(), *lowered]) + FURTHEST)


def levelled_brows(
    coefficients: Float[np.ndarray, "frame 52"], highest: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "frame 52"]:
    """Coefficients whose brows stand no higher than `highest` (see `highest_level`) half of the time: what is
    above is taken off in all frames alike, down to 0, so that they still move as they did."""
    result = coefficients.copy()
    for column, limit in zip(RAISED, highest, strict=True):
        above = np.median(coefficients[:, column]) - limit
        if above > 0:
            result[:, column] = np.maximum(coefficients[:, column] - above, 0.0)
    return result


def brow_level(coefficients: Float[np.ndarray, "frame 52"]) -> Array:
    """How high the inner, left and right outer ends of brows stand half of the time, [3]."""
    return np.median(coefficients[:, list(RAISED)].astype(np.float64), axis=0)
