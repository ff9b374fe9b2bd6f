"""Sharpness of faces, worked out by hand."""

import cv2
import numpy as np
import pytest

from mien.evaluation.metrics.face_sharpness import face_mask, face_sharpness, relative_scale
from mien.evaluation.metrics.landmarks import EYE_CORNERS


def square_of_landmarks(side_px: float, corner_px: float = 20.0) -> np.ndarray:
    """478 points on and in a square; the eyes' corners are half of its side apart."""
    random = np.random.default_rng(0)
    points = random.uniform(0, 1, (478, 2))
    points[:4] = [[0, 0], [1, 0], [0, 1], [1, 1]]
    points[EYE_CORNERS[0]], points[EYE_CORNERS[1]] = (0.25, 0.4), (0.75, 0.4)
    return corner_px + side_px * points


def stripes(side_px: int, period_px: int, level: int) -> np.ndarray:
    """Vertical stripes, half `level` and half black."""
    row = level * (np.arange(side_px) // (period_px // 2) % 2)
    return np.repeat(np.repeat(row[None, :, None], side_px, 0), 3, 2).astype(np.uint8)


def test_stripes_of_half_the_contrast_have_a_quarter_of_the_variance() -> None:
    points = square_of_landmarks(100)
    ratio = face_sharpness(stripes(160, 4, 100), points, stripes(160, 4, 200), points)
    assert ratio == pytest.approx(0.25, rel=1e-6)


def test_only_the_face_counts() -> None:
    points = square_of_landmarks(100)
    photo = stripes(160, 4, 200)
    frame = photo.copy()
    inset = face_mask(points, photo.shape)
    outside = cv2.dilate(inset.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    frame[outside] = np.random.default_rng(0).integers(0, 255, frame.shape, np.uint8)[outside]
    assert inset.sum() == pytest.approx((100 - 2) ** 2, rel=0.03)
    assert face_sharpness(frame, points, photo, points) == pytest.approx(1, rel=1e-6)


def test_the_larger_face_is_compared_at_the_size_of_the_smaller() -> None:
    """Twice as large, the same stripes have steps half as often: unscaled they would seem blurred."""
    small, large = square_of_landmarks(100), square_of_landmarks(200, 40.0)
    assert relative_scale(large, small) == pytest.approx(2)
    photo, frame = stripes(160, 8, 200), stripes(320, 16, 200)
    assert face_sharpness(frame, large, photo, small) == pytest.approx(1, abs=0.1)
    assert face_sharpness(photo, small, frame, large) == pytest.approx(1, abs=0.1)
    assert face_sharpness(frame, 20 + 0.5 * (large - 40), photo, small) < 0.7


def test_turning_in_the_picture_is_no_change_of_size() -> None:
    points = square_of_landmarks(100)
    turned = (points - points.mean(0)) @ np.array([[0.0, 1.0], [-1.0, 0.0]]) * 1.5
    assert relative_scale(turned, points) == pytest.approx(1.5)
