"""What a tracker and dlib see in pictures of an animation, each looked at alone, for modes.py."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import cv2
import numpy as np

from mien.animation.measures import observed_measures
from mien.evaluation.clips import SeenClip, score_animation, see_photo
from mien.evaluation.identity import IdentityMeter
from mien.evaluation.metrics.face_sharpness import face_sharpness
from mien.evaluation.metrics.landmarks import interocular_px
from mien.evaluation.metrics.pose import rotation_angles_deg
from mien.io.images import Photo
from mien.tracking.faces import FaceTracker

FPS: Final = Fraction(25)
"""Of frames that are looked at one by one; nothing that is reported depends on it."""
SEEN_PX: Final = 512
"""Frames are enlarged to this for tracker and dlib, in every mode alike."""
NEAR_DEG: Final = 15.0
"""Sharpness is compared in frames whose pose is so near to the photo's."""
INNER_LIPS: Final = (13, 14)
"""Middle of the inner edge of the upper and of the lower lip among MediaPipe's points."""


class Looker:
    """Scores frames of `size_px` against a photo and a driver."""

    def __init__(self, photo: Photo, meter: IdentityMeter, size_px: int) -> None:
        self._photo, self._meter, self._size_px = photo, meter, size_px
        self._seen_photo = see_photo(photo, meter)

    def scores(self, frames: Sequence[np.ndarray], driver: SeenClip) -> dict[str, Any]:
        """Likeness, pose, expression, mouth and sharpness."""
        seen = see(frames, self._meter)
        score = score_animation(seen, driver, self._seen_photo)
        both = seen.found & driver.found
        mine, theirs = lip_gap(seen.landmarks_px[both]), lip_gap(driver.landmarks_px[both])
        return {
            "identity_mean": score.identity_mean, "identity_p98": score.identity_p98,
            "pose_error_deg": score.pose_error_deg, "aed": score.aed, "aed_ratio": score.aed_ratio,
            "correlations": score.correlations, "found_share": score.found_share,
            "lip_gap_correlation": float(np.corrcoef(mine, theirs)[0, 1]),
            "lip_gap": float(mine.mean()), "lip_gap_driver": float(theirs.mean()),
            "sharpness": self._sharpness(frames, seen),
        }  # fmt: skip

    def _sharpness(self, frames: Sequence[np.ndarray], seen: SeenClip) -> float | None:
        photo = self._seen_photo
        away = rotation_angles_deg(seen.R_camera_head @ photo.R_camera_head.T)
        scale = self._size_px / SEEN_PX
        found = [
            face_sharpness(frame, points * scale, self._photo.rgb, photo.landmarks_px)
            for frame, points, near in zip(
                frames, seen.landmarks_px, seen.found & (away <= NEAR_DEG), strict=True
            )
            if near
        ]
        return float(np.mean(found)) if found else None


def lip_gap(landmarks_px: np.ndarray) -> np.ndarray:
    """How far lips [T, 478, 2] are apart, in distances of the eyes, [T]."""
    upper, lower = (landmarks_px[:, k] for k in INNER_LIPS)
    return np.asarray(np.linalg.norm(lower - upper, axis=1) / interocular_px(landmarks_px))


def see(frames: Sequence[np.ndarray], meter: IdentityMeter | None) -> SeenClip:
    """What is seen in pictures."""
    rows: list[tuple[np.ndarray, ...] | None] = []
    with FaceTracker() as tracker:
        for frame in frames:
            scale = SEEN_PX / max(frame.shape[:2])
            enlarged = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            large = np.ascontiguousarray(enlarged, np.uint8)
            faces = tracker.detect(large)
            if not faces:
                rows.append(None)
                continue
            identity = np.full(128, np.nan) if meter is None else meter(large, faces[0])
            face = faces[0]
            numbers = (face.coefficients, face.R_camera_head, face.landmarks_px, observed_measures(face))
            rows.append((*numbers, identity))
    there = next(row for row in rows if row is not None)
    blank = tuple(np.full_like(column, np.nan) for column in there)
    columns = [np.stack(column) for column in zip(*(row or blank for row in rows), strict=True)]
    return SeenClip(
        fps=FPS, size_px=(SEEN_PX, SEEN_PX), found=np.array([row is not None for row in rows]),
        coefficients=columns[0], R_camera_head=columns[1], landmarks_px=columns[2], measures=columns[3],
        identity=columns[4],
    )  # fmt: skip
