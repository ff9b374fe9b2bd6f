"""From the driver's motion to the source's: what the avatar's head and face shall do at every frame."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mien.animation.motion import Motion, MotionSource
from mien.animation.rotations import head_angles, head_rotation, rotation_exp, rotation_log
from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import ORBIT_RADIUS

Mode = Literal["absolute", "relative"]
Neutral = Literal["quantile", "first"]
Array = NDArray[np.float64]

NEUTRAL_QUANTILE: Final = 0.1
AWAKE_LIMIT: Final = 0.2
"""Largest eyeBlink that still may be somebody's open eye."""
CLOSED: Final = 0.5
"""eyeBlink from which a tracker's number means a closed eye, whatever the person's open eye gives."""
BLINKS: Final = tuple(ARKIT_INDEX[f"eyeBlink{side}"] for side in ("Left", "Right"))


@dataclass(frozen=True)
class PoseLimits:
    """How far a head may turn and move; far below the limits nothing is changed."""

    yaw_deg: float = 60.0
    """Limit of looking to either side."""
    pitch_deg: float = 35.0
    """Limit of looking up and down."""
    roll_deg: float = 40.0
    """Limit of leaning to either side."""
    shift: float = 0.35
    """Limit of the head's shift across the view, EG3D units."""
    zoom: float = 0.35
    """Limit of coming closer or going away, as a share of the distance."""
    untouched_share: float = 0.7
    """Share of every limit up to which the value is exactly kept."""

    @property
    def angles_rad(self) -> Array:
        """Limits of yaw, pitch, roll in rad, [3]."""
        return np.radians([self.yaw_deg, self.pitch_deg, self.roll_deg])


@dataclass(frozen=True)
class Retargeting:
    """Choices of a retargeting."""

    expression_mode: Mode = "absolute"
    """absolute: the driver's; relative: the source's plus the driver's change from its neutral."""
    own_lids: bool = True
    """In the absolute mode, count lids from the person's own open eye: a driver's narrow or heavy eyes do not
    half close the source's, and closed eyes stay closed."""
    pose_mode: Mode = "relative"
    """relative: the source's, turned by the driver's change since its first frame; absolute: the driver's."""
    neutral: Neutral = "quantile"
    """The driver's neutral for relative expressions: a low quantile per coefficient, or the first frame."""
    use_expression: bool = True
    """False keeps the source's expression."""
    use_pose: bool = True
    """False keeps the source's pose and place."""
    expression_strength: float = 1.0
    """Factor on the expressions (absolute) or on their change (relative)."""
    pose_strength: float = 1.0
    """Factor on the turn and shift of the head in the relative mode."""
    limits: PoseLimits = field(default_factory=PoseLimits)
    """Plausible poses."""


@dataclass(frozen=True, eq=False)
class DrivenMotion:
    """What the avatar shall do at T frames."""

    time_s: NDArray[np.float64]
    """[T] as in the driver."""
    expression: NDArray[np.float32]
    """[T, 52] in [0, 1], in the order of ARKIT_NAMES."""
    R_camera_head: NDArray[np.float32]
    """[T, 3, 3] head axes to camera axes (x right, y up, z towards the viewer)."""
    translation_offset: NDArray[np.float32]
    """[T, 3] shift of the head from the source head's place, in camera axes, EG3D units."""
    fps: Fraction
    """Frame rate for output."""
    source: MotionSource
    """Where the motion comes from."""

    def __len__(self) -> int:
        return len(self.time_s)


def retarget(
    motion: Motion,
    *,
    R_camera_head_source: NDArray[np.floating],
    expression_source: NDArray[np.floating],
    options: Retargeting | None = None,
    source_distance: float = ORBIT_RADIUS,
) -> DrivenMotion:
    """The driver's motion carried to a source with pose [3, 3] and expression [52].

    `source_distance` is the distance of the source's camera from its head in EG3D units. A constant motion
    gives an exactly constant result; the relative pose of the first frame is exactly the source's.
    """
    options = options or Retargeting()
    R_source = np.asarray(R_camera_head_source, np.float64)
    offset = np.zeros((len(motion), 3))
    R = np.broadcast_to(R_source, (len(motion), 3, 3))
    if options.use_pose:
        R = _turned(motion, R_source, options)
        offset = _soft_offset(
            options.pose_strength * head_offset(motion.translation_head, source_distance),
            options.limits,
            source_distance,
        )
    return DrivenMotion(
        time_s=motion.time_s,
        expression=_expression(motion, np.asarray(expression_source, np.float64), options).astype(np.float32),
        R_camera_head=R.astype(np.float32),
        translation_offset=offset.astype(np.float32),
        fps=motion.fps,
        source=motion.source,
    )


def neutral_coefficients(motion: Motion, neutral: Neutral) -> Array:
    """The driver's neutral face, [52]: the 10 % quantile of every coefficient over the frames where a face
    was found, or the first frame."""
    if neutral == "first":
        return motion.coefficients[0].astype(np.float64)
    found = motion.coefficients[motion.found] if motion.found.any() else motion.coefficients
    return np.quantile(found, NEUTRAL_QUANTILE, axis=0, method="lower").astype(np.float64)


def awake_lids(motion: Motion) -> Array:
    """eyeBlink of the driver's open eyes, left and right, [2]: what they show half of the time, but never
    more than an open eye can give: who sleeps all the time has no open eyes to count from."""
    found = motion.coefficients[motion.found] if motion.found.any() else motion.coefficients
    return np.minimum(np.median(found[:, list(BLINKS)], axis=0), AWAKE_LIMIT).astype(np.float64)


def own_lids(coefficients: Array, awake_driver: Array, awake_source: Array) -> Array:
    """Coefficients [T, 52] with eyeBlink carried so that the driver's open eye [2] is the source's [2].

    Piecewise linear and rising: shifted up to the driver's open eye, unchanged from `CLOSED` on.
    """
    result = coefficients.copy()
    for column, driver, source in zip(
        BLINKS, awake_driver, np.minimum(awake_source, AWAKE_LIMIT), strict=True
    ):
        carried = np.interp(
            coefficients[:, column], [driver - 1.0, driver, CLOSED, 1.0], [source - 1.0, source, CLOSED, 1.0]
        )
        result[:, column] = np.maximum(carried, 0.0)
    return result


def head_offset(translation_head: NDArray[np.floating], source_distance: float) -> Array:
    """Shift of the source's head that moves it across the picture and scales it as the driver's, [T, 3].

    With the driver at p_t = (x, y, z), z < 0, the head at distance D keeps its size ratio if its distance is
    D z_t / z_0, and its shift in units of head size if x and y shift by x_t - x_0 z_t / z_0: whatever the two
    fields of view, the shift against the head's own size is the same in both pictures.
    """
    place = np.asarray(translation_head, np.float64)
    ratio = place[:, 2:] / place[:1, 2:]
    across = place[:, :2] - place[:1, :2] * ratio
    return np.concatenate([across, -source_distance * (ratio - 1.0)], axis=1)


def soft_limit(value: Array, limit: Array | float, untouched: Array | float) -> Array:
    """The value itself up to +-untouched, then a smooth (tanh) approach to +-limit, never beyond; odd."""
    room = np.maximum(np.asarray(limit) - untouched, 1e-12)
    over = np.maximum(np.abs(value) - untouched, 0.0)
    return np.where(over > 0, np.sign(value) * (untouched + room * np.tanh(over / room)), value)


def _expression(motion: Motion, source: Array, options: Retargeting) -> Array:
    if not options.use_expression:
        return np.broadcast_to(source, motion.coefficients.shape)
    driver = motion.coefficients.astype(np.float64)
    if options.expression_mode == "absolute":
        if options.own_lids:
            driver = own_lids(driver, awake_lids(motion), source[list(BLINKS)])
        return np.clip(options.expression_strength * driver, 0.0, 1.0)
    change = driver - neutral_coefficients(motion, options.neutral)
    return np.clip(source + options.expression_strength * change, 0.0, 1.0)


def _turned(motion: Motion, R_source: Array, options: Retargeting) -> Array:
    R_driver = motion.R_camera_head.astype(np.float64)
    if options.pose_mode == "absolute":
        return _limited(R_driver, np.zeros(3), options.limits)
    turn = np.stack([_turn(R, R_driver[0], options.pose_strength) for R in R_driver])
    return _limited(turn @ R_source, head_angles(R_source), options.limits)


def _turn(R: Array, R_first: Array, strength: float) -> Array:
    """Turn since the first frame in camera axes; exactly the identity where nothing has turned."""
    if np.array_equal(R, R_first):
        return np.eye(3)
    return rotation_exp(strength * rotation_log(R @ R_first.T))


def _limited(R: Array, kept_rad: Array, limits: PoseLimits) -> Array:
    """Rotations within the limits; the limits are widened so that the angles `kept_rad` are kept exactly."""
    angles = head_angles(R)
    untouched = np.maximum(limits.untouched_share * limits.angles_rad, np.abs(kept_rad) * (1 + 1e-6))
    limit = np.maximum(limits.angles_rad, untouched + np.radians(5.0))
    limited = soft_limit(angles, limit, untouched)
    outside = (limited != angles).any(-1)
    return np.where(outside[:, None, None], head_rotation(limited), R)


def _soft_offset(offset: Array, limits: PoseLimits, source_distance: float) -> Array:
    limit = np.array([limits.shift, limits.shift, limits.zoom * source_distance])
    return soft_limit(offset, limit, limits.untouched_share * limit)
