"""Sharpness of a face in a frame against the same face in a photo, at equal size.

Ratio of the variances of the Laplacian (see `sharpness`) inside the convex hulls of the landmarks, the hulls
drawn in by 2 % of the eyes' distance so that the background does not count. Of the two the larger is shrunk
(areas averaged) by the scale of the least-squares similarity between both sets of landmarks, so that neither
a face that has come closer nor a photo of more pixels counts as blur; within 2 % nothing is resampled, which
would itself blur. 1: as much fine detail as the photo; range 0 to infinity, no unit; noise, and teeth that
the photo hides, count as detail. An own definition.
"""

from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from mien.evaluation.metrics.landmarks import interocular_px
from mien.evaluation.metrics.sharpness import laplacian_variance

SAME_SIZE: Final = 0.02
INSET: Final = 0.02

Landmarks = Float[np.ndarray, "point 2"]


def face_mask(landmarks_px: Landmarks, shape: tuple[int, ...]) -> Bool[np.ndarray, "height width"]:
    """The pixels (height, width, ... of `shape`) inside the landmarks' hull, drawn in by `INSET`."""
    mask = np.zeros(shape[:2], np.uint8)
    hull = cv2.convexHull(np.round(np.asarray(landmarks_px, np.float64)).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 1)
    inset_px = max(round(INSET * float(interocular_px(landmarks_px))), 1)
    return np.asarray(cv2.erode(mask, np.ones((2 * inset_px + 1,) * 2, np.uint8)), bool)


def relative_scale(landmarks_px: Landmarks, reference_px: Landmarks) -> float:
    """Scale of the similarity that takes the reference nearest to the landmarks (Umeyama 1991)."""
    one, other = (np.asarray(p, np.float64) - np.mean(p, 0) for p in (landmarks_px, reference_px))
    u, singular, vt = np.linalg.svd(one.T @ other)
    singular[-1] *= np.sign(np.linalg.det(u @ vt))
    return float(singular.sum() / (other**2).sum())


def face_sharpness(
    frame: UInt8[np.ndarray, "height width 3"],
    landmarks_px: Landmarks,
    photo: UInt8[np.ndarray, "height2 width2 3"],
    photo_landmarks_px: Landmarks,
) -> float:
    """The frame's face's over the photo's."""
    scale = relative_scale(landmarks_px, photo_landmarks_px)
    if scale > 1 + SAME_SIZE:
        frame, landmarks_px = _shrunk(frame, landmarks_px, 1 / scale)
    elif scale < 1 - SAME_SIZE:
        photo, photo_landmarks_px = _shrunk(photo, photo_landmarks_px, scale)
    mine, theirs = (
        laplacian_variance(rgb, weight=face_mask(points, rgb.shape).astype(np.float64))
        for rgb, points in ((frame, landmarks_px), (photo, photo_landmarks_px))
    )
    return mine / max(theirs, 1e-9)


def _shrunk(
    rgb: UInt8[np.ndarray, "height width 3"], landmarks_px: Landmarks, share: float
) -> tuple[UInt8[np.ndarray, "height2 width2 3"], Landmarks]:
    size = tuple(max(round(side * share), 1) for side in rgb.shape[1::-1])
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), np.asarray(landmarks_px, np.float64) * share
