"""How far eyes and lips are open and where eyes look: the driver's own range carried to the source's."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.animation.face_regions import GAZE_ALONG
from mien.animation.motion import Motion
from mien.core.arkit import ARKIT_INDEX

Array = NDArray[np.float64]

AWAKE_LIMIT: Final = 0.2
"""Largest eyeBlink that still may be somebody's open eye."""
CLOSED: Final = 0.5
"""eyeBlink from which a tracker's number means a closed eye, whatever the person's open eye gives."""
LEAST_BLINK: Final = 0.25
"""How much more than its open eye a driver's eyeBlink must show for a blink to be known."""
WINK: Final = (0.25, 0.55)
"""Difference of both eyeBlink up to which both eyes do the same, and from which on one of them winks."""
SHUT_QUANTILE: Final = 0.98
BLINKS: Final = tuple(ARKIT_INDEX[f"eyeBlink{side}"] for side in ("Left", "Right"))
JAW: Final = ARKIT_INDEX["jawOpen"]
LIPS_CLOSED: Final = ARKIT_INDEX["mouthClose"]
REST_QUANTILE: Final = 0.1
REST_LIMIT: Final = 0.25
"""Largest jawOpen that still may be somebody's closed mouth."""
WIDE_QUANTILE: Final = 0.98
LEAST_RANGE: Final = 0.05


def awake_lids(motion: Motion) -> Array:
    """eyeBlink of the driver's open eyes, left and right, [2]: what they show half of the time, but never
    more than an open eye can give: who sleeps all the time has no open eyes to count from."""
    return np.minimum(np.median(_known(motion)[:, list(BLINKS)], axis=0), AWAKE_LIMIT).astype(np.float64)


def shut_lids(motion: Motion) -> Array:
    """eyeBlink of the driver's closed eyes, [2]: the highest it shows, or 1 where it never blinks."""
    shut = np.quantile(_known(motion)[:, list(BLINKS)], SHUT_QUANTILE, axis=0, method="higher")
    return np.where(shut >= awake_lids(motion) + LEAST_BLINK, shut, 1.0).astype(np.float64)


def paired_lids(coefficients: Array) -> Array:
    """Coefficients [T, 52] with both lids closed alike, unless one eye winks.

    Lids of both eyes move together (Hering's law). Of eyes that look down, or of a turned face, a tracker
    sees one lid further closed than the other, by up to a third; a wink differs by more.
    """
    result = coefficients.copy()
    left, right = (coefficients[:, column] for column in BLINKS)
    low, high = WINK
    share = np.clip((np.abs(left - right) - low) / (high - low), 0.0, 1.0)
    taken = 0.5 * (left - right) * (1 - share * share * (3 - 2 * share))
    result[:, BLINKS[0]] -= taken
    result[:, BLINKS[1]] += taken
    return result


def own_lids(coefficients: Array, awake_driver: Array, awake_source: Array) -> Array:
    """Coefficients [T, 52] with eyeBlink carried so that the driver's open eye [2] is the source's [2].

    Piecewise linear and rising: shifted up to the driver's open eye, unchanged from `CLOSED` on.
    """
    result = coefficients.copy()
    for column, driver, source in zip(
        BLINKS, awake_driver, np.minimum(awake_source, AWAKE_LIMIT), strict=True
    ):
        result[:, column] = carried(coefficients[:, column], (driver, CLOSED, 1.0), (source, CLOSED, 1.0))
    return result


def matched_lids(coefficients: Array, motion: Motion, awake_source: Array) -> Array:
    """Coefficients [T, 52] with eyeBlink carried from the driver's range, from its open to its closed eyes,
    to the source's: from its own open eyes [2] to closed ones (1)."""
    result = coefficients.copy()
    ranges = zip(
        BLINKS, awake_lids(motion), shut_lids(motion), np.minimum(awake_source, AWAKE_LIMIT), strict=True
    )
    for column, awake, shut, source in ranges:
        result[:, column] = np.minimum(carried(coefficients[:, column], (awake, shut), (source, 1.0)), 1.0)
    return result


def resting_gaze(motion: Motion) -> float:
    """How far up rather than down the driver's eyes look half of the time, from -1 to 1."""
    return float(np.median(_upward(_known(motion).astype(np.float64)).mean(1)))


def own_gaze(coefficients: Array, rest_driver: float, source: Array) -> Array:
    """Coefficients [T, 52] with eyes raised or lowered so that the driver's rest is the source's [52].

    A head that is thrown back looks down at the camera; carried to a head that is not, its eyes would look
    down at the chest with half-closed lids.
    """
    up, down = GAZE_ALONG
    raised = _upward(coefficients) - rest_driver + _upward(source[None]).mean()
    result = coefficients.copy()
    result[:, up], result[:, down] = np.clip(raised, 0, 1), np.clip(-raised, 0, 1)
    return result


def _upward(coefficients: Array) -> Array:
    """How far each eye looks up rather than down, [T, 2]."""
    return np.asarray(coefficients[:, GAZE_ALONG[0]] - coefficients[:, GAZE_ALONG[1]])


def lip_range(motion: Motion) -> tuple[float, float]:
    """jawOpen of the driver's closed mouth, never more than a closed mouth can give, and of its widest."""
    jaw = _known(motion)[:, JAW].astype(np.float64)
    rest = min(float(np.quantile(jaw, REST_QUANTILE)), REST_LIMIT)
    return rest, max(float(np.quantile(jaw, WIDE_QUANTILE)), rest + LEAST_RANGE)


def matched_lips(
    coefficients: Array, motion: Motion, jaw_source: float, widest: float | None = None
) -> Array:
    """Coefficients [T, 52] with jawOpen carried from the driver's range, from its closed mouth to its widest,
    to the source's: from its own jaw (if its mouth is closed, else 0) to `widest`, None for the driver's.

    Lips close as large a part of the opening as before.
    """
    rest, wide = lip_range(motion)
    source = jaw_source if jaw_source <= REST_LIMIT else 0.0
    jaw = coefficients[:, JAW]
    opened = np.minimum(carried(jaw, (rest, wide), (source, wide if widest is None else widest)), 1.0)
    result = coefficients.copy()
    result[:, JAW] = opened
    share = np.minimum(coefficients[:, LIPS_CLOSED] / np.maximum(jaw, 1e-6), 1.0)
    result[:, LIPS_CLOSED] = np.where(jaw > 0, share * opened, coefficients[:, LIPS_CLOSED])
    return result


def carried(values: Array, knots: tuple[float, ...], targets: tuple[float, ...]) -> Array:
    """Values [T] through the piecewise linear curve from knots to targets, never below 0.

    Below the first knot it runs parallel; above the last one it goes on as steeply as before it.
    """
    x, y = np.array([knots[0] - 1.0, *knots]), np.array([targets[0] - 1.0, *targets])
    slope = (y[-1] - y[-2]) / max(x[-1] - x[-2], 1e-9)
    beyond = np.maximum(values - x[-1], 0.0) * slope
    return np.maximum(np.interp(values, x, y) + beyond, 0.0)


def _known(motion: Motion) -> NDArray[np.float32]:
    """The coefficients of the frames where a face was found, or of all if it never was."""
    return motion.coefficients[motion.found] if motion.found.any() else motion.coefficients
