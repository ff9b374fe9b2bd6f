"""From the driver's motion to the source's: what the avatar's head and face shall do at every frame."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.animation.brows import highest_level, levelled_brows
from mien.animation.edits import Edits
from mien.animation.face_regions import RegionGains, Side, sided
from mien.animation.motion import Motion, MotionSource
from mien.animation.neutral import Neutral, neutral_coefficients, neutral_pose
from mien.animation.openings import (
    BLINKS,
    JAW,
    awake_lids,
    matched_lids,
    matched_lips,
    own_gaze,
    own_lids,
    paired_lids,
    resting_gaze,
)
from mien.animation.rotations import head_angles, head_rotation, rotation_exp, rotation_log
from mien.animation.shapes import REACH
from mien.core.camera import ORBIT_RADIUS
from mien.core.errors import InputError

Mode = Literal["absolute", "relative"]
Array = NDArray[np.float64]


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

    def __post_init__(self) -> None:
        angles = {"yaw": self.yaw_deg, "pitch": self.pitch_deg, "roll": self.roll_deg}
        for name, limit in {**angles, "shift": self.shift, "zoom": self.zoom}.items():
            highest = 90.0 if name in angles else 0.9
            if not 0 <= limit <= highest:
                raise InputError(
                    f"The limit of {name} is {limit:g}, expected 0 to {highest:g}; "
                    f"{'degrees' if name in angles else 'EG3D units, or a share of the distance'}."
                )

    @property
    def angles_rad(self) -> Array:
        """Limits of yaw, pitch, roll in rad, [3]."""
        return np.radians([self.yaw_deg, self.pitch_deg, self.roll_deg])


@dataclass(frozen=True)
class Retargeting:
    """Choices of a retargeting."""

    expression_mode: Mode = "absolute"
    """absolute: the driver's; relative: the source's plus the driver's change from its neutral."""
    pose_mode: Mode = "relative"
    """relative: the source's, turned by the driver's change from its neutral; absolute: the driver's."""
    neutral: Neutral = "clip"
    """The driver's neutral face in the relative mode: that of its quiet frames, or the first frame."""
    pose_neutral: Neutral = "first"
    """The driver's neutral head in the relative mode: the first frame, so that the clip begins as the photo,
    or where the head usually is in the clip."""
    side: Side = "same"
    """mirrored: left and right exchanged, of the face and the head; symmetric: both sides of the face do the
    mean of both."""
    gains: RegionGains = field(default_factory=RegionGains)
    """Factors on the regions of the face, or None to keep the source's."""
    own_lids: bool = True
    """In the absolute mode, count lids from the person's own open eye: a driver's narrow or heavy eyes do not
    half close the source's, and closed eyes stay closed; and both lids close alike unless one eye winks."""
    own_gaze: bool = True
    """In the absolute mode, with a relative pose, count how far eyes look up or down from where they mostly
    look: the head's nod is counted from its own rest too. Across, eyes look where the driver's do."""
    own_brows: bool = True
    """Let a driver's brows stand no further from the person's own, half of the time, than brows go."""
    match_eyes: bool = False
    """In the absolute mode, carry the driver's range of lids to the source's: its closed eyes close the
    source's, however little the tracker sees of its blinks."""
    match_lips: bool = False
    """In the absolute mode, carry the driver's range of the jaw to the source's: a driver's closed mouth is
    the source's."""
    use_expression: bool = True
    """False keeps the source's expression."""
    use_pose: bool = True
    """False keeps the source's pose and place."""
    expression_strength: float = 1.0
    """Factor on the expressions (absolute) or on their change (relative), on top of the gains."""
    pose_strength: float = 1.0
    """Factor on the turn and shift of the head from its neutral, or, absolute, from straight ahead."""
    edits: Edits | None = None
    """Offsets on the result, inside [0, 1] and the limits."""
    limits: PoseLimits = field(default_factory=PoseLimits)
    """Plausible poses."""


@dataclass(frozen=True, eq=False)
class DrivenMotion:
    """What the avatar shall do at T frames."""

    time_s: NDArray[np.float64]
    """[T] as in the driver."""
    expression: NDArray[np.float32]
    """[T, 52] in the order of ARKIT_NAMES, in [0, 1]; some further (`mien.animation.shapes.REACH`) where the
    driver goes beyond the utmost of the average head."""
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
    gives an exactly constant result; the relative pose of the neutral head is exactly the source's.
    """
    options = options or Retargeting()
    motion = sided(motion, options.side)
    R_source = np.asarray(R_camera_head_source, np.float64)
    track = None if options.edits is None else options.edits.at(motion.time_s - motion.time_s[0])
    R = np.broadcast_to(R_source, (len(motion), 3, 3))
    offset = np.zeros((len(motion), 3))
    if options.use_pose:
        R = _turned(motion, R_source, options)
        place = neutral_pose(motion, options.pose_neutral)[1]
        offset = options.pose_strength * head_offset(
            motion.translation_head, source_distance, reference=place
        )
    if track is not None:
        R = track.R @ R
    if options.use_pose or track is not None:
        R = _limited(R, _kept_angles(R_source, options), options.limits)
        offset = _soft_offset(offset, options.limits, source_distance)
    expression = _expression(motion, np.asarray(expression_source, np.float64), options)
    if track is not None:
        expression = np.clip(expression + track.coefficients, 0.0, _highest(motion))
    return DrivenMotion(
        time_s=motion.time_s,
        expression=expression.astype(np.float32),
        R_camera_head=R.astype(np.float32),
        translation_offset=offset.astype(np.float32),
        fps=motion.fps,
        source=motion.source,
    )


def head_offset(
    translation_head: NDArray[np.floating],
    source_distance: float,
    *,
    reference: NDArray[np.floating] | None = None,
) -> Array:
    """Shift of the source's head that moves it across the picture and scales it as the driver's, [T, 3],
    from its place at rest [3], which is that of the first frame if not given.

    With the driver at p_t = (x, y, z), z < 0, the head at distance D keeps its size ratio if its distance is
    D z_t / z_0, and its shift in units of head size if x and y shift by x_t - x_0 z_t / z_0: whatever the two
    fields of view, the shift against the head's own size is the same in both pictures.
    """
    place = np.asarray(translation_head, np.float64)
    rest = place[0] if reference is None else np.asarray(reference, np.float64)
    ratio = place[:, 2:] / rest[2]
    across = place[:, :2] - rest[:2] * ratio
    return np.concatenate([across, -source_distance * (ratio - 1.0)], axis=1)


def soft_limit(value: Array, limit: Array | float, untouched: Array | float) -> Array:
    """The value itself up to +-untouched, then a smooth (tanh) approach to +-limit, never beyond; odd."""
    room = np.maximum(np.asarray(limit) - untouched, 1e-12)
    over = np.maximum(np.abs(value) - untouched, 0.0)
    return np.where(over > 0, np.sign(value) * (untouched + room * np.tanh(over / room)), value)


def _expression(motion: Motion, source: Array, options: Retargeting) -> Array:
    if not options.use_expression:
        return np.broadcast_to(source, motion.coefficients.shape)
    factors, kept = options.gains.of_coefficients()
    factors = options.expression_strength * factors
    driver = motion.coefficients.astype(np.float64)
    if options.expression_mode == "absolute":
        shown = factors * _opened(driver, motion, source, options)
    else:
        shown = source + factors * (driver - neutral_coefficients(motion, options.neutral))
    return np.where(kept, source, np.clip(shown, 0.0, _highest(motion)))


def _highest(motion: Motion) -> Array:
    """[52] what coefficients may reach: some beyond 1 in a motion that goes as far as the driver's shape."""
    return np.minimum(REACH, motion.highest)


def _opened(driver: Array, motion: Motion, source: Array, options: Retargeting) -> Array:
    """The driver's coefficients [T, 52] with lids, gaze, brows and jaw counted from the source's own."""
    awake_source = source[list(BLINKS)]
    if options.match_eyes:
        driver = matched_lids(driver, motion, awake_source)
    elif options.own_lids:
        driver = own_lids(paired_lids(driver), awake_lids(motion), awake_source)
    if options.own_gaze and options.pose_mode == "relative" and options.use_pose:
        driver = own_gaze(driver, resting_gaze(motion), source)
    if options.own_brows:
        driver = levelled_brows(driver, highest_level(source))
    return matched_lips(driver, motion, float(source[JAW])) if options.match_lips else driver


def _turned(motion: Motion, R_source: Array, options: Retargeting) -> Array:
    R_driver = motion.R_camera_head.astype(np.float64)
    if options.pose_mode == "absolute":
        if options.pose_strength == 1.0:
            return R_driver
        return rotation_exp(options.pose_strength * rotation_log(R_driver))
    rest = neutral_pose(motion, options.pose_neutral)[0]
    turn = np.stack([_turn(R, rest, options.pose_strength) for R in R_driver])
    return turn @ R_source


def _kept_angles(R_source: Array, options: Retargeting) -> Array:
    """The angles that the limits leave alone: the source's own, where the head is turned from there."""
    is_absolute = options.use_pose and options.pose_mode == "absolute"
    return np.zeros(3) if is_absolute else head_angles(R_source)


def _turn(R: Array, R_rest: Array, strength: float) -> Array:
    """Turn from the rest in camera axes; exactly the identity where nothing has turned."""
    if np.array_equal(R, R_rest):
        return np.eye(3)
    return rotation_exp(strength * rotation_log(R @ R_rest.T))


def _limited(R: Array, kept_rad: Array, limits: PoseLimits) -> Array:
    """Rotations within the limits; a limit that the angles `kept_rad` are beyond is widened, so that these
    are kept exactly."""
    angles, kept_rad = head_angles(R), np.abs(kept_rad) * (1 + 1e-6)
    untouched = np.maximum(limits.untouched_share * limits.angles_rad, kept_rad)
    limit = np.where(kept_rad > limits.angles_rad, kept_rad + np.radians(5.0), limits.angles_rad)
    limited = soft_limit(angles, limit, untouched)
    outside = (limited != angles).any(-1)
    return np.where(outside[:, None, None], head_rotation(limited), R)


def _soft_offset(offset: Array, limits: PoseLimits, source_distance: float) -> Array:
    limit = np.array([limits.shift, limits.shift, limits.zoom * source_distance])
    return soft_limit(offset, limit, limits.untouched_share * limit)
