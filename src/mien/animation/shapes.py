"""From what a tracker's landmarks measure to coefficients that make the head model go as far as the driver.

The driver's measures less those of its coefficients, counted from its quiet frames, are what the coefficients
do not tell. Coefficients are then changed as little as needed to tell it too: a bounded least squares problem
with a prior on every coefficient, solved by coordinate descent, row by row alike.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.animation.measures import LEVELLED, MEASURE_INDEX, MEASURES, SEEN, model_measures
from mien.animation.motion import Motion
from mien.animation.neutral import found_frames, quiet_frames
from mien.core.arkit import ARKIT_INDEX, ARKIT_NAMES

Array = NDArray[np.float64]

DEVIATION: Final = {
    "jawOpen": 0.2, "mouthClose": 0.15, "mouthSmile": 0.2, "mouthStretch": 0.5, "mouthUpperUp": 0.5,
    "mouthLowerDown": 1.0, "mouthFrown": 0.4, "mouthDimple": 0.25, "mouthPucker": 0.2, "mouthFunnel": 0.1,
    "browInnerUp": 0.6, "browOuterUp": 0.6, "browDown": 0.5, "eyeWide": 0.5, "eyeBlink": 0.12,
}  # fmt: skip
"""How far a coefficient is likely to be off, by how its name starts; others stay. Those are largest whose
displacement in the head model is small beside what faces do."""
HIGHEST: Final = {
    "jawOpen": 1.15, "mouthSmile": 1.2, "mouthStretch": 1.5, "mouthUpperUp": 1.6, "mouthLowerDown": 2.5,
    "mouthPucker": 1.8, "browInnerUp": 1.4, "browOuterUp": 1.4, "browDown": 1.2, "eyeWide": 1.5,
}  # fmt: skip
"""What coefficients may reach beyond 1, their utmost on the average head."""
BROW_NOISE: Final = 0.05
NOISE: Final = {"chin": 0.05, "upper lip": 0.03} | {
    measure.name: BROW_NOISE for measure in MEASURES if measure.name.endswith("side")
}
"""Deviation of measures, in distances of the eyes' outer corners: of a chin a tracker guesses most, a raised
upper lip is also seen in its coefficients, and its landmarks of brows hardly follow their inner ends."""
OTHER_NOISE: Final = 0.012
"""The same of all others."""
NOTICE: Final = 0.03
"""Change of a coefficient that a tracker sees which weighs as much as the noise of a measure."""
SWEEPS: Final = 25
FACING: Final = (0.6, 0.85)
"""Cosine of the angle between face and camera below which measures do not count, and from which on fully."""
LIDS_FALL: Final = (0.3, 0.5)
"""eyeBlink from which on lids are the coefficient's own affair, from wide to half shut."""


def _by_name(values: dict[str, float], otherwise: float) -> Array:
    return np.array(
        [
            next((value for start, value in values.items() if name.startswith(start)), otherwise)
            for name in ARKIT_NAMES
        ]
    )


_DEVIATION: Final = _by_name(DEVIATION, 0.0)
REACH: Final = _by_name(HIGHEST, 1.0)
"""[52] highest coefficients."""
_NOISE: Final = np.array([NOISE.get(name, OTHER_NOISE) for name in MEASURE_INDEX])
_OPEN: Final = MEASURE_INDEX["open"]


def shaped_motion(motion: Motion) -> Motion:
    """The motion with coefficients, up to `REACH`, that make the head model's shape follow the driver's; the
    motion itself if nothing was measured."""
    if motion.measures is None:
        return motion
    goal = model_measures().changes(motion.coefficients) + beyond_coefficients(motion)
    coefficients = shaped(motion.coefficients, goal).astype(np.float32)
    return replace(motion, coefficients=coefficients, measures=None, highest=float(REACH.max()))


def beyond_coefficients(motion: Motion) -> Array:
    """How far the driver's face goes beyond what its coefficients make of the head model, [T, M].

    Counted from the median of the quiet frames, as faces differ, but for the gap between the lips, which is
    none in every closed mouth. Turned away faces are measured badly, and count less.
    """
    assert motion.measures is not None
    model = model_measures()
    seen = motion.measures.astype(np.float64) / SEEN
    beyond = seen - model.changes(motion.coefficients)
    rest = np.median(beyond[quiet_frames(motion)], axis=0)
    rest[LEVELLED] = np.median(beyond[found_frames(motion)], axis=0)[LEVELLED]
    rest[_OPEN] = model.rest[_OPEN]
    low, high = FACING
    facing = np.clip((motion.R_camera_head[:, 2, 2].astype(np.float64) - low) / (high - low), 0.0, 1.0)
    beyond = (beyond - rest) * facing[:, None]
    low, high = LIDS_FALL
    for side in ("Left", "Right"):
        blink = motion.coefficients[:, ARKIT_INDEX[f"eyeBlink{side}"]]
        beyond[:, MEASURE_INDEX[f"{side.lower()} lids"]] *= np.clip((high - blink) / (high - low), 0.0, 1.0)
    return beyond


def shaped(
    coefficients: NDArray[np.floating],
    goal: Array,
    *,
    kept: NDArray[np.bool_] | None = None,
    noticed: NDArray[np.floating] | None = None,
) -> Array:
    """Coefficients [T, 52] near the given ones at which the head model's measures less those at rest are near
    `goal` [T, M]; columns that are `kept` [52] stay. Equal rows give equal bits.

    Minimises |measures - goal|^2 over their noise, |change|^2 over `DEVIATION`, and |noticed change|^2 over
    `NOTICE`, where `noticed` [52, 52] is what a tracker sees (row) per unit of each coefficient (column).
    """
    model = model_measures()
    free = _DEVIATION > 0 if kept is None else (_DEVIATION > 0) & ~kept
    start = np.asarray(coefficients, np.float64)
    result = start.copy()
    highest = np.maximum(start, REACH)
    rates = model.rates / _NOISE[:, None]
    left = (goal - model.changes(start)) / _NOISE
    if noticed is not None:
        rates = np.concatenate([rates, noticed / NOTICE])
        left = np.concatenate([left, np.zeros((len(left), len(noticed)))], 1)
    stiff = np.where(free, 1 / np.maximum(_DEVIATION, 1e-9) ** 2, 0.0)
    for _ in range(SWEEPS):
        for k in np.flatnonzero(free):
            own = result[:, k] - start[:, k]
            pull = (left * rates[:, k]).sum(1) - own * stiff[k]
            moved = np.clip(result[:, k] + pull / ((rates[:, k] ** 2).sum() + stiff[k]), 0.0, highest[:, k])
            left -= (moved - result[:, k])[:, None] * rates[:, k]
            result[:, k] = moved
    return result
