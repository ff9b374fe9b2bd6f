"""The person's soft alpha: head, hair, shoulders and whatever of the body the photo shows.

A small network says roughly where the person is; what is connected to the chosen face is kept; a band around
its outline is left open and solved by closed-form matting, so that hair becomes partly transparent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from mien.tracking._closed_form import ClosedFormConfig, solve_alpha, upsample_alpha
from mien.tracking._color_cut import decide_by_color
from mien.tracking._person import person_probability
from mien.tracking._types import Alpha, Mask, Rgb
from mien.tracking.background import inpaint_background
from mien.tracking.colors import foreground_colors
from mien.tracking.observation import FaceObservation

__all__ = ["MattingConfig", "foreground_alpha", "foreground_colors", "inpaint_background"]


@dataclass(frozen=True)
class MattingConfig:
    """Sizes are in units of the face size, the longer side of the box around the landmarks."""

    working_px: int = 1024
    """Longest side at which the alpha is solved; larger photos get it upsampled along their own edges."""
    reach_side: float = 5.5
    """How far the person may reach to either side of the face's centre."""
    reach_up: float = 2.5
    """How far above it."""
    reach_down: float = 9.0
    """How far below it."""
    band_inside: float = 0.045
    """Width of the open band inside the outline that the network gives."""
    band_outside: float = 0.08
    """Width of the open band outside it, where loose hair is."""
    trust_known: float = 10.0
    """Weight of the prior where foreground or background is certain."""
    trust_outline: float = 0.01
    """Weight of the network's mask on its own outline."""
    trust_far: float = 0.3
    """Weight added at one `band_outside` from the outline; grows with the square of the distance."""
    haze: float = 0.06
    """Alpha below this becomes 0 and above one minus this 1; the rest is stretched."""
    closed_form: ClosedFormConfig = field(default_factory=ClosedFormConfig)
    """How the matting equation is solved."""


@dataclass(frozen=True)
class _Place:
    """A face in the pixels of some working copy of the photo."""

    hull_px: np.ndarray
    """Landmarks [478, 2]."""

    @property
    def center_px(self) -> tuple[float, float]:
        low, high = self.hull_px.min(axis=0), self.hull_px.max(axis=0)
        return float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2

    @property
    def size_px(self) -> float:
        return max(float(np.ptp(self.hull_px, axis=0).max()), 1.0)

    def mask(self, shape: tuple[int, int]) -> Mask:
        """The convex hull of the landmarks."""
        canvas = np.zeros(shape, dtype=np.uint8)
        hull = cv2.convexHull(np.round(self.hull_px).astype(np.int32))
        cv2.fillConvexPoly(canvas, hull, 1)
        return canvas.astype(bool)


def foreground_alpha(
    rgb: Rgb,
    face: FaceObservation,
    *,
    others: Sequence[FaceObservation] = (),
    config: MattingConfig | None = None,
) -> Alpha:
    """Soft alpha of the person whose face is `face`, at the photo's resolution.

    `others` are the further faces of the same photo: what is nearer to them, counted in face sizes, is
    background.
    """
    config = config or MattingConfig()
    turns = _quarter_turns(face)
    upright = np.ascontiguousarray(np.rot90(rgb, -turns))
    shape = (rgb.shape[0], rgb.shape[1])
    places = [_Place(_turn_points(entry.landmarks_px, shape, turns)) for entry in (face, *others)]
    x0, y0, x1, y1 = _reach(upright.shape, places[0], config)
    region = upright[y0:y1, x0:x1]
    scale = min(1.0, config.working_px / max(region.shape[:2]))
    size = (max(round(region.shape[1] * scale), 1), max(round(region.shape[0] * scale), 1))
    small = cv2.resize(region, size, interpolation=cv2.INTER_AREA) if scale < 1 else region
    small_places = [_Place((place.hull_px - [x0, y0]) * scale) for place in places]
    small_alpha = _solve(np.ascontiguousarray(small), small_places, config)
    alpha = np.zeros(upright.shape[:2], dtype=np.float32)
    alpha[y0:y1, x0:x1] = _stretch(upsample_alpha(region, small, small_alpha), config.haze)
    return np.ascontiguousarray(np.rot90(alpha, turns))


def _quarter_turns(face: FaceObservation) -> int:
    """By how many quarter turns, counter-clockwise, the head is tilted in the picture."""
    return round(face.roll_rad / (np.pi / 2)) % 4


def _turn_points(points_px: np.ndarray, shape: tuple[int, int], turns: int) -> np.ndarray:
    """Where points (x, y) of a picture of `shape` lie in np.rot90(picture, -turns)."""
    height_px, width_px = shape
    x, y = points_px[:, 0], points_px[:, 1]
    turned = {0: (x, y), 1: (height_px - y, x), 2: (width_px - x, height_px - y), 3: (y, width_px - x)}[turns]
    return np.stack(turned, axis=1)


def _reach(shape: tuple[int, ...], place: _Place, config: MattingConfig) -> tuple[int, int, int, int]:
    """The part of the picture that can belong to the person: x0, y0, x1, y1."""
    x, y = place.center_px
    side, up, down = (r * place.size_px for r in (config.reach_side, config.reach_up, config.reach_down))
    x0, x1 = max(0, int(x - side)), min(shape[1], int(np.ceil(x + side)))
    y0, y1 = max(0, int(y - up)), min(shape[0], int(np.ceil(y + down)))
    return x0, y0, x1, y1


def _solve(rgb: Rgb, places: Sequence[_Place], config: MattingConfig) -> Alpha:
    """Alpha of the person at places[0], at working resolution."""
    chosen = places[0]
    shape = (rgb.shape[0], rgb.shape[1])
    probability = person_probability(rgb, center_px=chosen.center_px, face_px=chosen.size_px)
    probability = decide_by_color(rgb, probability, face_px=chosen.size_px)
    probability[~_nearest_to_first(shape, places)] = 0
    # the landmarks' hull bulges over the cheeks and, in profile, over the background: trust its inside only
    hull = cv2.erode(chosen.mask(shape).astype(np.uint8), _disc(0.07 * chosen.size_px)).astype(bool)
    probability[hull] = 1
    person = _connected_person(probability, hull, chosen.size_px)
    prior, trust = _prior_and_trust(probability, person, hull, chosen.size_px, config)
    return solve_alpha(rgb, prior, trust, config=config.closed_form)


def _nearest_to_first(shape: tuple[int, int], places: Sequence[_Place]) -> Mask:
    """Pixels that are nearer to the first place than to any other, in face sizes.

    Height counts less than width, because bodies hang below their faces.
    """
    y, x = np.ogrid[: shape[0], : shape[1]]

    def distance(place: _Place) -> np.ndarray:
        center_x, center_y = place.center_px
        return np.hypot((x - center_x) / place.size_px, 0.4 * (y - center_y) / place.size_px)

    first = distance(places[0])
    nearest = np.ones(shape, dtype=bool)
    for place in places[1:]:
        nearest &= first <= distance(place)
    return nearest


def _connected_person(probability: Alpha, hull: Mask, face_px: float) -> Mask:
    """What is probably person and hangs together with the face; small doubtful holes filled."""
    probable = probability > 0.5
    core = cv2.morphologyEx(probable.astype(np.uint8), cv2.MORPH_OPEN, _disc(0.02 * face_px))
    core[hull] = 1
    _, labels = cv2.connectedComponents(core)
    label = int(np.bincount(labels[hull]).argmax()) if hull.any() else 0
    grown = cv2.dilate((labels == label).astype(np.uint8), _disc(0.03 * face_px)).astype(bool)
    person = probable & grown
    _, holes, stats, _ = cv2.connectedComponentsWithStats((~person).astype(np.uint8))
    for hole in range(1, len(stats)):
        if stats[hole, cv2.CC_STAT_AREA] < (0.35 * face_px) ** 2:
            inside = holes == hole
            if probability[inside].mean() > 0.15:  # the network doubts: an earring or a badge, not a gap
                person |= inside
    return person


def _prior_and_trust(
    probability: Alpha, person: Mask, hull: Mask, face_px: float, config: MattingConfig
) -> tuple[Alpha, Alpha]:
    """What alpha should be, and how much we believe it, per pixel."""
    inside_px = cv2.distanceTransform(np.pad(person, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, 5)
    outside_px = cv2.distanceTransform(np.pad(~person, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, 5)
    inside, outside = (d[1:-1, 1:-1] / face_px for d in (inside_px, outside_px))
    foreground = ((inside > config.band_inside) & (probability > 0.8)) | (hull & (inside > 0))
    background = (outside > config.band_outside) & (probability < 0.2)
    soft = np.clip((probability - 0.25) / 0.5, 0, 1)
    prior = np.where(person, np.maximum(soft, 0.5), np.minimum(soft, 0.5))
    prior = np.where(inside > config.band_inside, 1, np.where(outside > config.band_outside, 0, prior))
    far = np.square((inside + outside) / config.band_outside)
    trust = config.trust_outline + config.trust_far * far
    trust = np.where(foreground | background, config.trust_known, np.minimum(trust, 1))
    return prior.astype(np.float32), trust.astype(np.float32)


def _disc(radius_px: float) -> np.ndarray:
    side = 2 * max(round(radius_px), 1) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def _stretch(alpha: Alpha, haze: float) -> Alpha:
    return np.clip((alpha - haze) / (1 - 2 * haze), 0, 1).astype(np.float32)
