"""One face once more, in an upright close-up of one size: what is found there does not depend on where the
face is in the photo, how large it is, or how it is tilted."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from mien.tracking._types import OtherRgb, Rgb
from mien.tracking._views import View, upright_closeup
from mien.tracking.faces import FaceObservation, FaceTracker
from mien.tracking.observation import overlap

ROUNDS: Final = 2
"""Each close-up is framed by what the one before showed; after two, a shifted photo gives the same one."""
SAME_FACE: Final = 0.3
"""Least overlap of the boxes of a face and of what is found in its close-up."""


@dataclass(frozen=True, eq=False)
class Closeup:
    """A face in its close-up; the observation's pixels and camera are the close-up's."""

    face: FaceObservation
    view: View

    @property
    def rgb(self) -> OtherRgb:
        """The close-up, 512 x 512."""
        return self.view.rgb

    @property
    def turn_rad(self) -> float:
        """By how much the close-up shows the photo turned counter-clockwise."""
        return self.view.turn_rad

    @property
    def landmarks_px(self) -> Float[np.ndarray, "478 2"]:
        """In the photo's pixels."""
        return self.view.to_photo(self.face.landmarks_px.astype(np.float64))


def look_closer(rgb: Rgb, face: FaceObservation, tracker: FaceTracker) -> Closeup | None:
    """The close-up of a face, with the face as found in it; None if it is not found there."""
    found: Closeup | None = None
    centre, size, roll = _frame(face.landmarks_px.astype(np.float64)), face.size_px, face.roll_rad
    for _ in range(ROUNDS):
        turn_deg = -float(np.rad2deg(roll))
        view = upright_closeup(rgb, center_px=centre, face_px=size, turn_deg=turn_deg)
        seen = _framed_face(tracker.detect(view.rgb), size * view.scale)
        if seen is None:
            return found
        found = Closeup(seen, view)
        middle = np.array(_frame(seen.landmarks_px.astype(np.float64)))
        x, y = view.to_photo(middle[None])[0]
        centre, size, roll = (float(x), float(y)), seen.size_px / view.scale, roll + seen.roll_rad
    return found


def mirrored(closeup: Closeup, tracker: FaceTracker) -> FaceObservation | None:
    """The face as found in the mirrored close-up, in the mirrored pixels; None if it is not found there."""
    x0, _, x1, _ = closeup.face.box_px
    width = closeup.rgb.shape[1]
    found = tracker.detect(np.ascontiguousarray(closeup.rgb[:, ::-1]))
    return _framed_face(found, closeup.face.size_px, middle_x=width - (x0 + x1) / 2)


def _framed_face(
    faces: list[FaceObservation], size_px: float, *, middle_x: float = 256.0
) -> FaceObservation | None:
    """The face that fills the box that was framed."""
    half = size_px / 2
    box = (middle_x - half, 256 - half, middle_x + half, 256 + half)
    best = max(faces, key=lambda face: overlap(box, face.box_px), default=None)
    return best if best is not None and overlap(box, best.box_px) > SAME_FACE else None


def _frame(points_px: Float[np.ndarray, "478 2"]) -> tuple[float, float]:
    """The middle of the landmarks' box."""
    x, y = (points_px.min(0) + points_px.max(0)) / 2
    return float(x), float(y)
