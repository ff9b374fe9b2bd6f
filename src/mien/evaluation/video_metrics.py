"""How an animated portrait follows its driver, as pure functions of tracked numbers.

Names: T frames, coefficients [T, 52] in the order of ARKIT_NAMES, rotations [T, 3, 3] from head to camera
axes, landmarks [T, L, 2] in pixels. Callers pass only frames in which both faces were found.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.animation.measures import MEASURE_INDEX
from mien.core.arkit import ARKIT_INDEX
from mien.evaluation.metrics.shapes import same_length

Array = NDArray[np.floating]

SAME_PERSON: Final = 0.6
"""Distance of dlib's 128 numbers below which two faces are the same person."""
MOVING_STD: Final = 0.05
"""A driver whose coefficient varies less than this does not move it; there is nothing to correlate."""

MOVING_SHAPE: Final = 0.01
"""A driver whose measures vary less, in distances of the eyes' outer corners, does not move that part."""
SHAPE_PARTS: Final[dict[str, list[int]]] = {
    "mouth": [k for name, k in MEASURE_INDEX.items() if not name.endswith(("side", "lids"))],
    "brows": [k for name, k in MEASURE_INDEX.items() if name.endswith("side")],
    "lids": [k for name, k in MEASURE_INDEX.items() if name.endswith("lids")],
}
"""Which measures are of which part of the face."""
EXPRESSION_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "jawOpen": ("jawOpen",),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "gazeLeft": ("eyeLookOutLeft", "eyeLookInRight"),
    "gazeUp": ("eyeLookUpLeft", "eyeLookUpRight"),
}
"""What is correlated with the driver, as means of coefficients; of the gaze the opposites are taken off."""
OPPOSITES: Final[dict[str, tuple[str, ...]]] = {
    "gazeLeft": ("eyeLookInLeft", "eyeLookOutRight"),
    "gazeUp": ("eyeLookDownLeft", "eyeLookDownRight"),
}
"""What counts against a group: gaze is a direction, to the person's left and up, from -1 to 1."""


def correlation(signal: Array, signal_driver: Array, *, moving_std: float = MOVING_STD) -> float | None:
    """Pearson correlation of two signals [T]; None if the driver is still, 0 if only the output is."""
    same_length(signal, signal_driver)
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
    """Mean of a group's coefficients over time, less that of its opposites, [T]."""
    values = np.asarray(coefficients, np.float64)
    signal = values[:, [ARKIT_INDEX[name] for name in EXPRESSION_GROUPS[group]]].mean(1)
    opposites = [ARKIT_INDEX[name] for name in OPPOSITES.get(group, ())]
    return np.asarray(signal - values[:, opposites].mean(1) if opposites else signal)


def shape_ratios(measures: Array, measures_driver: Array) -> dict[str, float | None]:
    """Error of how far mouth, brows and lids go, as a share of what a still face has; None where the driver's
    hardly move.

    Of measures [T, M] (`mien.animation.measures`), each counted from its own median over time, root mean
    square over time and the measures of a part of the face: 0 is the driver's motion, 1 that of a still face.
    """
    same_length(measures, measures_driver)
    mine, theirs = (
        np.asarray(values, np.float64) - np.median(values, axis=0) for values in (measures, measures_driver)
    )
    ratios: dict[str, float | None] = {}
    for part, columns in SHAPE_PARTS.items():
        moved = np.sqrt(np.mean(theirs[:, columns] ** 2))
        wrong = np.sqrt(np.mean((mine - theirs)[:, columns] ** 2))
        ratios[part] = float(wrong / moved) if moved > MOVING_SHAPE else None
    return ratios


def same_person_share(distances: Array) -> float:
    """Share of the frames whose identity distance is below 0.6."""
    return float(np.mean(np.asarray(distances) < SAME_PERSON))


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
