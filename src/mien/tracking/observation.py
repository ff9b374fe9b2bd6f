"""What is known of one face in one picture, and how it follows from MediaPipe's answer.

What MediaPipe's pose means (checked with mirrored and turned photos, see the tests):
`facial_transformation_matrix` is T_camera_head in centimetres. The camera sits at the origin and looks along
-z, x to the image's right, y up, z to the viewer, with a vertical field of view of 63 degrees and the
principal point in the image's middle. The head's axes are those of the canonical face: the same directions
for a frontal view. So the third column of R_camera_head is where the nose points: x > 0 to the image's right,
y > 0 up. The rotation depends on the place in the picture: a head that looks straight at the viewer from
beside the picture's middle is said to turn towards the middle by 0.25 to 0.7 of the angle of sight. So the
same head cropped differently gets a rotation that differs by some degrees.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float32

from mien.core.arkit import ARKIT_INDEX, ARKIT_NAMES
from mien.tracking._views import View, pose_in_photo


@dataclass(frozen=True)
class FaceObservation:
    """One face as seen in one picture."""

    landmarks_px: Float32[np.ndarray, "478 2"]
    """x to the right, y down, in pixels of the picture; (0, 0) is the upper left corner of the first
    pixel."""
    landmarks_depth: Float32[np.ndarray, "478"]
    """MediaPipe's z in pixels: relative to the head's middle, smaller is nearer to the camera."""
    coefficients: Float32[np.ndarray, "52"]
    """Expression in [0, 1], in the order of ARKIT_NAMES; tongueOut is not observed and always 0."""
    R_camera_head: Float32[np.ndarray, "3 3"]
    """Head axes to camera axes, both x right, y up, z to the viewer in a frontal view."""
    translation_cm: Float32[np.ndarray, "3"]
    """The head's place in camera axes, in centimetres, if the camera had MediaPipe's field of view."""
    box_px: tuple[float, float, float, float]
    """Box around the landmarks: x0, y0, x1, y1."""

    def scaled(self, factor: float) -> "FaceObservation":
        """The same face in the picture enlarged by a factor."""
        x0, y0, x1, y1 = (factor * t for t in self.box_px)
        return replace(
            self,
            landmarks_px=self.landmarks_px * np.float32(factor),
            landmarks_depth=self.landmarks_depth * np.float32(factor),
            box_px=(x0, y0, x1, y1),
        )

    @property
    def area_px(self) -> float:
        """Area of the box."""
        x0, y0, x1, y1 = self.box_px
        return (x1 - x0) * (y1 - y0)

    @property
    def roll_rad(self) -> float:
        """How far the head is tilted in the picture, counter-clockwise as seen; 0 for an upright head."""
        return float(np.arctan2(self.R_camera_head[1, 0], self.R_camera_head[0, 0]))

    @property
    def size_px(self) -> float:
        """Longer side of the box."""
        x0, y0, x1, y1 = self.box_px
        return max(x1 - x0, y1 - y0)


def observations(result: Any, view: View, photo_shape: tuple[int, ...]) -> list[FaceObservation]:
    """MediaPipe's answer about a view, in the photo's pixels and camera."""
    height_px, width_px = view.rgb.shape[:2]
    faces = []
    for landmarks, scores, matrix in zip(
        result.face_landmarks, result.face_blendshapes, result.facial_transformation_matrixes, strict=True
    ):
        normalised = np.array([[point.x, point.y, point.z] for point in landmarks])
        points_px = view.to_photo(normalised[:, :2] * [width_px, height_px])
        T_view_head = np.asarray(matrix, dtype=np.float64)
        R_camera_head, translation_cm = pose_in_photo(
            view, photo_shape, _nearest_rotation(T_view_head[:3, :3]), T_view_head[:3, 3]
        )
        low, high = points_px.min(axis=0), points_px.max(axis=0)
        faces.append(
            FaceObservation(
                landmarks_px=points_px.astype(np.float32),
                landmarks_depth=(normalised[:, 2] * width_px / view.scale).astype(np.float32),
                coefficients=_coefficients(scores),
                R_camera_head=R_camera_head.astype(np.float32),
                translation_cm=translation_cm.astype(np.float32),
                box_px=(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
            )
        )
    return faces


def _coefficients(scores: Any) -> np.ndarray:
    values = np.zeros(len(ARKIT_NAMES), dtype=np.float32)
    for category in scores:
        index = ARKIT_INDEX.get(category.category_name)
        if index is not None:  # MediaPipe adds "_neutral"
            values[index] = np.clip(category.score, 0, 1)
    return values


def _nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """The rotation nearest to a 3x3 matrix in the Frobenius norm."""
    U, _, Vt = np.linalg.svd(matrix)
    return U @ np.diag([1, 1, np.sign(np.linalg.det(U @ Vt))]) @ Vt


def without_repeats(first: list[FaceObservation], more: list[FaceObservation]) -> list[FaceObservation]:
    """`first`, and those of `more` that are other faces; of repeats within `more` the largest box is kept."""
    kept = list(first)
    for face in sorted(more, key=lambda entry: -entry.area_px):
        if all(overlap(face.box_px, other.box_px) < 0.3 for other in kept):
            kept.append(face)
    return kept


def overlap(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> float:
    """Area of the intersection over the smaller area."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return max(width, 0) * max(height, 0) / max(smaller, 1e-9)
