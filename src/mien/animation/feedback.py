"""Feedback: some frames of a motion are drawn and tracked, and what is seen amiss is corrected.

A tracker does not measure on a picture of a head what was sent: it takes an open jaw or raised brows for a
nod, and a turning head for a shift, compresses turns, and sees a head beside the picture's centre turned
towards it. All of that depends on the person and the framing, and goes for the driver as well. So what is
measured on the avatar is brought to what is measured on the driver: the difference at some frames, explained
linearly by the turn, the shift and the expression sent, is taken off everywhere. Explained so, the correction
is as smooth as the motion. Of the expression the same is done with what the avatar's response, which was
measured in one pose and on few mixes, does not foresee of this motion.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.animation.measures import SEEN, model_measures, observed_measures
from mien.animation.place import place_of_head
from mien.animation.retarget import DrivenMotion, head_offset
from mien.animation.rotations import rotation_exp, rotation_log
from mien.animation.smoothing import blurred_in_time
from mien.animation.translate import Translation
from mien.core.arkit import ARKIT_NAMES
from mien.core.camera import ORBIT_RADIUS
from mien.tracking.faces import FaceTracker

Array = NDArray[np.float64]
Draw = Callable[[DrivenMotion, Iterable[int]], Iterable[NDArray[np.uint8]]]
"""Draws the frames of a motion with the given indices, in order."""

POSE_RIDGE: Final = 2e-3  # rad^2, or EG3D units^2
EXPRESSION_RIDGE: Final = 0.05
LIMIT_RAD: Final = float(np.radians(8.0))
LIMIT_SHIFT: Final = 0.1
"""No correction is larger."""
REACH_RIDGE: Final = 1e-4
"""Squared change of a measure, in distances of the eyes' corners, below which nothing is learned of it."""
REACH_LIMITS: Final = (0.7, 1.6)
BIAS_LIMIT: Final = 0.4
"""No coefficient's forecast is corrected by more."""
POSE_CALM_S: Final = 0.08
"""Standard deviation of the blur over time of what turns and shifts are corrected by, seconds: a jaw that
opens quickly is not to make the head start."""
BLOCK_ROWS: Final = 256
"""Rows that are multiplied out at once."""
LEAST_SEEN: Final = 4
"""Frames with a face that are needed to learn anything."""


@dataclass(frozen=True)
class Feedback:
    """How much is drawn to correct a motion."""

    keys: int = 24
    """Frames drawn in each pass, spread evenly over the clip; never more than a quarter of its frames."""
    passes: int = 3
    """How often what is left is measured: on three portraits two passes left 1.3 times what three did."""


def correct_motion(
    driven: DrivenMotion,
    draw: Draw,
    config: Feedback | None = None,
    *,
    translation: Translation | None = None,
    with_pose: bool = True,
    source_distance: float = ORBIT_RADIUS,
) -> DrivenMotion:
    """A motion whose turns and shifts since its first frame are measured on the drawn frames as `driven` has
    them, and, with a translation, its expressions as that wants them.

    The first frame's pose is kept. Constant motions, and clips too short to learn from, are returned as they
    are; equal frames give equal results.
    """
    config = config or Feedback()
    count = min(config.keys, len(driven) // 4)
    if count < LEAST_SEEN or _is_still(driven):
        return driven
    wanted = _changes(driven)
    keys = np.unique(np.linspace(0, len(driven) - 1, count).round().astype(int))
    bias, reach = ResponseBias(), ShapeReach()
    for _ in range(config.passes):
        seen = _tracked(driven, draw, keys)
        if len(seen.frames) < LEAST_SEEN:
            break
        expression = driven.expression
        if translation is not None:
            bias.learn(translation, driven, seen)
            reach.learn(translation, seen)
            expression = translation.sent(bias.at(driven), reach.gain)
        if with_pose and seen.frames[0] == 0:
            driven = _turned_back(driven, seen, wanted, source_distance)
        driven = replace(driven, expression=expression)
    return driven


@dataclass(frozen=True, eq=False)
class Seen:
    """What is seen of K drawn frames, those of them that show a face."""

    frames: NDArray[np.int64]
    R_camera_head: Array
    """[K, 3, 3]"""
    place: Array
    """[K, 3], see `place_of_head`."""
    coefficients: Array
    """[K, 52]"""
    measures: Array
    """[K, M] of the face's shape, see `mien.animation.measures`."""


class ShapeReach:
    """How much further than the driver the head model must go to be seen to go as far, learned from drawn
    frames: of every measure the slope of what is seen by what should be, drawn to 1."""

    def __init__(self) -> None:
        self.gain: Array = np.ones(len(SEEN))
        """[M]"""

    def learn(self, translation: Translation, seen: Seen) -> None:
        """Take what is seen of some frames drawn with the gain as it is."""
        if not translation.is_shaped:
            return
        wanted = SEEN * model_measures().changes(translation.plain.expression[seen.frames])
        wanted, found = wanted - wanted.mean(0), seen.measures - seen.measures.mean(0)
        slope = ((wanted * found).mean(0) + REACH_RIDGE) / ((wanted**2).mean(0) + REACH_RIDGE)
        self.gain = np.clip(self.gain / np.maximum(slope, 0.5), *REACH_LIMITS)


class ResponseBias:
    """How much more is measured of each coefficient than a response predicts, learned from drawn frames.

    Ridge least squares with an offset, on the turn and the expression that were sent. Summed row by row, so
    that equal rows are exactly equal.
    """

    def __init__(self) -> None:
        self._features: list[Array] = []
        self._amiss: list[Array] = []

    def learn(self, translation: Translation, driven: DrivenMotion, seen: Seen) -> None:
        """Take what is seen of some frames of a motion."""
        sent = driven.expression[seen.frames].astype(np.float64)
        self._features.append(_bias_features(driven)[seen.frames])
        self._amiss.append(seen.coefficients - translation.response.predict(sent))

    def at(self, driven: DrivenMotion) -> Array:
        """The bias at all frames of a motion, [T, 52]."""
        known, amiss = np.concatenate(self._features), np.concatenate(self._amiss)
        middle, mean = known.mean(0), amiss.mean(0)
        known = known - middle
        weights = np.linalg.solve(
            known.T @ known / len(known) + _ridge(known.shape[1]), known.T @ (amiss - mean) / len(known)
        )
        bias = row_products(_bias_features(driven) - middle, weights)
        bias += mean
        return np.clip(bias, -BIAS_LIMIT, BIAS_LIMIT, out=bias)


def _bias_features(driven: DrivenMotion) -> Array:
    return np.concatenate([_changes(driven), driven.expression.astype(np.float64)], 1)


def _ridge(count: int) -> Array:
    return np.diag(np.r_[np.full(6, POSE_RIDGE), np.full(count - 6, EXPRESSION_RIDGE)])


def _turned_back(driven: DrivenMotion, seen: Seen, wanted: Array, source_distance: float) -> DrivenMotion:
    """The motion with what is amiss of turns and shifts taken off."""
    offset = head_offset(seen.place, source_distance)
    amiss = np.concatenate([turns_since_first(seen.R_camera_head), offset], 1) - wanted[seen.frames]
    sent = _changes(driven)
    features = np.concatenate([sent, driven.expression.astype(np.float64) - driven.expression[:1]], 1)
    correction = blurred_in_time(explained(features, seen.frames, amiss), driven.time_s, POSE_CALM_S)
    correction -= correction[:1]
    turns = sent[:, :3] - soft_norm(correction[:, :3], LIMIT_RAD)
    shifts = sent[:, 3:] - soft_norm(correction[:, 3:], LIMIT_SHIFT)
    R = rotation_exp(turns) @ driven.R_camera_head[0].astype(np.float64)
    place = driven.translation_offset[:1] + shifts
    return replace(driven, R_camera_head=R.astype(np.float32), translation_offset=place.astype(np.float32))


def _changes(driven: DrivenMotion) -> Array:
    """Turns (rad) and shifts (EG3D units) since the first frame, camera axes, [T, 6]."""
    offset = driven.translation_offset.astype(np.float64)
    return np.concatenate([turns_since_first(driven.R_camera_head), offset - offset[:1]], 1)


def _is_still(driven: DrivenMotion) -> bool:
    return all(
        (values == values[:1]).all()
        for values in (driven.expression, driven.R_camera_head, driven.translation_offset)
    )


def turns_since_first(R: NDArray[np.floating]) -> Array:
    """Tangent vectors [T, 3] in camera axes, rad, of rotations [T, 3, 3] since the first of them."""
    R = np.asarray(R, np.float64)
    return rotation_log(R @ R[0].T)


def explained(features: Array, frames: NDArray[np.int64], amiss: Array) -> Array:
    """The part [T, C] of what is amiss at some frames [K, C] that features [T, 6 + 52] explain, everywhere.

    Ridge least squares without an offset: where the features are those of the first frame there is nothing to
    correct. Summed row by row, so that equal rows are exactly equal.
    """
    known = features[frames]
    gram = known.T @ known / len(known) + _ridge(features.shape[1])
    weights = np.linalg.solve(gram, known.T @ amiss / len(known))
    return row_products(features, weights)


def row_products(rows: Array, weights: NDArray[np.floating]) -> Array:
    """`rows @ weights` of [T, N] and [N, C], each row summed alone and in the same order, as a matrix product
    does not promise: equal rows are exactly equal. In blocks, as what is summed is [T, N, C]."""
    out = np.empty((len(rows), weights.shape[1]))
    for start in range(0, len(rows), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        out[part] = (rows[part, :, None] * weights).sum(1)
    return out


def soft_norm(vectors: Array, limit: float) -> Array:
    """Vectors [N, 3] shortened smoothly to less than `limit`; short ones are nearly kept."""
    size = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors * (limit * np.tanh(size / limit) / np.maximum(size, 1e-12))


def _tracked(driven: DrivenMotion, draw: Draw, keys: NDArray[np.int64]) -> Seen:
    """What is seen of the key frames when they are drawn."""
    frames, rotations, places, coefficients, measures = [], [], [], [], []
    # Several faces make video mode track each picture by itself, see `mien.animation.track.ClipTracker`.
    with FaceTracker(running="video", num_faces=4) as tracker:
        for key, picture in zip(keys.tolist(), draw(driven, keys.tolist()), strict=True):
            faces = tracker.detect(picture, float(driven.time_s[key]))
            if faces:
                frames.append(key)
                rotations.append(faces[0].R_camera_head)
                places.append(place_of_head(faces[0], picture.shape))
                coefficients.append(faces[0].coefficients)
                measures.append(observed_measures(faces[0]))
    return Seen(
        np.array(frames, np.int64),
        np.asarray(rotations, np.float64).reshape(-1, 3, 3),
        np.asarray(places, np.float64).reshape(-1, 3),
        np.asarray(coefficients, np.float64).reshape(-1, len(ARKIT_NAMES)),
        np.asarray(measures, np.float64).reshape(-1, len(SEEN)),
    )
