"""The place of a head from the landmarks that no expression moves."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mien.animation.place import RIGID, VERTICAL_VIEW_RAD, place_of_head, rigid_points
from mien.animation.rotations import head_rotation
from mien.tracking.faces import FaceObservation

SHAPE = (480, 640, 3)


def landmarks_seen(R: np.ndarray, place: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """MediaPipe's points of the average head; those that are not rigid are anywhere."""
    height, width = shape[:2]
    focal = 0.5 * height / math.tan(VERTICAL_VIEW_RAD / 2)
    points = rigid_points() @ R.astype(np.float64).T + place
    seen = focal * points[:, :2] / -points[:, 2:] * [1, -1] + [width / 2, height / 2]
    landmarks = np.random.default_rng(0).uniform(0, 100, (478, 2))
    landmarks[list(RIGID)] = seen
    return landmarks.astype(np.float32)


def face_at(yaw: float, pitch: float, roll: float, place: np.ndarray) -> FaceObservation:
    R = head_rotation(np.array([yaw, pitch, roll])).astype(np.float32)
    return FaceObservation(
        landmarks_px=landmarks_seen(R, place, SHAPE),
        landmarks_depth=np.zeros(478, np.float32),
        coefficients=np.zeros(52, np.float32),
        R_camera_head=R,
        translation_cm=np.zeros(3, np.float32),
        box_px=(0.0, 0.0, 1.0, 1.0),
    )


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (0.7, 0.1, -0.2), (-0.5, -0.4, 0.3)])
def test_a_known_place_is_found(angles: tuple[float, float, float]) -> None:
    place = np.array([0.15, -0.1, -2.2])
    np.testing.assert_allclose(place_of_head(face_at(*angles, place), SHAPE), place, atol=1e-4)


def test_an_open_jaw_moves_nothing() -> None:
    face = face_at(0.1, 0.0, 0.0, np.array([0.0, 0.0, -2.5]))
    moved = face.landmarks_px.copy()
    moved[[152, 17, 13, 14, 61, 291]] += 25.0
    opened = replace(face, landmarks_px=moved)
    np.testing.assert_array_equal(place_of_head(opened, SHAPE), place_of_head(face, SHAPE))


def test_noise_of_the_landmarks_moves_it_little() -> None:
    rng = np.random.default_rng(1)
    face = face_at(0.2, 0.1, 0.0, np.array([0.0, 0.0, -2.5]))
    places = [
        place_of_head(
            replace(face, landmarks_px=face.landmarks_px + rng.normal(0, 0.5, (478, 2)).astype(np.float32)),
            SHAPE,
        )
        for _ in range(20)
    ]
    pixel = 2.5 / (0.5 * SHAPE[0] / math.tan(VERTICAL_VIEW_RAD / 2))
    assert np.std(places, axis=0)[:2].max() < 0.3 * pixel
