"""Regions of the face by coefficient, their gains, and left and right of a motion."""

from dataclasses import dataclass, fields, replace
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mien.animation.motion import Motion
from mien.core.arkit import ARKIT_INDEX, ARKIT_NAMES
from mien.core.errors import InputError

FaceRegion = Literal["eyes", "gaze", "brows", "mouth", "jaw"]
FACE_REGIONS: Final[tuple[FaceRegion, ...]] = get_args(FaceRegion)
Side = Literal["same", "mirrored", "symmetric"]
SIDES: Final[tuple[Side, ...]] = get_args(Side)
MAX_GAIN: Final = 3.0

Array = NDArray[np.float64]


def region_of(name: str) -> FaceRegion:
    """Region of a coefficient: lids are eyes; cheeks, nose and tongue move with the mouth; closing the lips
    over an open jaw goes with the jaw."""
    if name.startswith("eyeLook"):
        return "gaze"
    if name.startswith("eye"):
        return "eyes"
    if name.startswith("brow"):
        return "brows"
    return "jaw" if name.startswith("jaw") or name == "mouthClose" else "mouth"


REGION_COLUMNS: Final[dict[FaceRegion, NDArray[np.int64]]] = {
    region: np.array([k for k, name in enumerate(ARKIT_NAMES) if region_of(name) == region])
    for region in FACE_REGIONS
}


@dataclass(frozen=True)
class RegionGains:
    """Factor on what the driver does in each region, 0 to 3; None leaves the region as the source has it."""

    eyes: float | None = 1.0
    """Blinks, squints, wide eyes."""
    gaze: float | None = 1.0
    """Where the eyes look."""
    brows: float | None = 1.0
    mouth: float | None = 1.0
    """Lips, cheeks, nose and tongue."""
    jaw: float | None = 1.0
    """Jaw, and lips closed over it."""

    def __post_init__(self) -> None:
        for field in fields(self):
            gain = getattr(self, field.name)
            if gain is not None and not 0 <= gain <= MAX_GAIN:
                raise InputError(
                    f"The gain of {field.name} is {gain:g}, expected 0 to {MAX_GAIN:g}; 1 is the "
                    "driver's own, off keeps the source's."
                )

    def of_coefficients(self) -> tuple[Array, NDArray[np.bool_]]:
        """Factors [52], and which coefficients [52] are the source's own."""
        factors, kept = np.ones(len(ARKIT_NAMES)), np.zeros(len(ARKIT_NAMES), bool)
        for region, columns in REGION_COLUMNS.items():
            gain: float | None = getattr(self, region)
            kept[columns] = gain is None
            factors[columns] = 1.0 if gain is None else gain
        return factors, kept


def _other_side(name: str) -> str:
    for one, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(one):
            return name.removesuffix(one) + other
    return name


OTHER_SIDE: Final = np.array([ARKIT_INDEX[_other_side(name)] for name in ARKIT_NAMES])
"""[52] place of the same coefficient of the other side; eyeLookIn of one eye mirrors that of the other."""
SIDEWAYS: Final = np.array(
    [ARKIT_INDEX[f"{part}{side}"] for part in ("jaw", "mouth") for side in ("Left", "Right")]
)
"""What moves the whole jaw or mouth to a side: none is left where both sides do the same."""
GAZE_ACROSS: Final = tuple(
    tuple(ARKIT_INDEX[f"eyeLook{way}{side}"] for way, side in pair)
    for pair in ((("Out", "Left"), ("In", "Right")), (("In", "Left"), ("Out", "Right")))
)
"""Both eyes to the person's left; both to the right."""
GAZE_ALONG: Final = tuple(
    tuple(ARKIT_INDEX[f"eyeLook{way}{side}"] for side in ("Left", "Right")) for way in ("Up", "Down")
)
"""Both eyes up; both down."""


def mirrored_coefficients(coefficients: Array) -> Array:
    """Coefficients [T, 52] with left and right exchanged; twice gives them back."""
    return coefficients[:, OTHER_SIDE]


def symmetric_coefficients(coefficients: Array) -> Array:
    """Coefficients [T, 52] with the mean of both sides on each. Jaw and mouth stay in the middle; both eyes
    look where they look on average."""
    result = 0.5 * (coefficients + mirrored_coefficients(coefficients))
    result[:, SIDEWAYS] = 0.0
    for pair in GAZE_ACROSS:
        result[:, pair] = coefficients[:, pair].mean(1, keepdims=True)
    return result


def sided(motion: Motion, side: Side) -> Motion:
    """The motion as it is, as a mirror shows it (the head's yaw, roll and shift across change their sign), or
    with a symmetric face (the head is as it is)."""
    if side == "same":
        return motion
    coefficients = motion.coefficients.astype(np.float64)
    if side == "symmetric":
        return replace(motion, coefficients=symmetric_coefficients(coefficients).astype(np.float32))
    across = np.array([-1.0, 1.0, 1.0], np.float32)
    return replace(
        motion,
        coefficients=mirrored_coefficients(coefficients).astype(np.float32),
        R_camera_head=across[:, None] * motion.R_camera_head * across,
        translation_head=motion.translation_head * across,
    )
