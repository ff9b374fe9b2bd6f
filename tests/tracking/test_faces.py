"""Faces: what is found, where, in which frame, and what is said when nothing is found."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
import skimage.data

from mien.core.arkit import ARKIT_INDEX
from mien.core.errors import InputError, NoFaceError
from mien.tracking.faces import FaceObservation, FaceTracker, choose_face, find_faces

MIRROR = np.diag([-1.0, 1.0, 1.0])


def angle_deg(R_first: np.ndarray, R_second: np.ndarray) -> float:
    cosine = (np.trace(R_first.T @ R_second) - 1) / 2
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))


def turn(turns: int) -> np.ndarray:
    """Rotation by quarter turns, counter-clockwise as seen."""
    angle = turns * np.pi / 2
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def small_face_in_a_big_photo(astronaut: np.ndarray) -> np.ndarray:
    photo = np.full((1200, 1600, 3), 120, dtype=np.uint8)
    photo[600:856, 1200:1456] = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    return photo


def turned_points(points: np.ndarray, size: int, turns: int) -> np.ndarray:
    """Where points of a square picture lie after np.rot90(picture, turns)."""
    for _ in range(turns):
        points = np.stack([points[:, 1], size - points[:, 0]], axis=1)
    return points


def test_observation_is_sound(astronaut_face: FaceObservation) -> None:
    face = astronaut_face
    assert face.landmarks_px.shape == (478, 2)
    assert 85 < face.size_px < 130
    assert np.all((face.coefficients >= 0) & (face.coefficients <= 1))
    assert face.coefficients[ARKIT_INDEX["mouthSmileLeft"]] > 0.5
    assert face.coefficients[ARKIT_INDEX["jawOpen"]] < 0.3
    assert face.coefficients[ARKIT_INDEX["tongueOut"]] == 0
    np.testing.assert_allclose(face.R_camera_head @ face.R_camera_head.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(face.R_camera_head) == pytest.approx(1, abs=1e-5)
    assert face.translation_cm[1] > 0  # the face is in the picture's upper half, and y points up
    assert face.translation_cm[2] < 0  # the camera looks along -z


def test_mirror_image_mirrors_landmarks_and_pose(
    astronaut: np.ndarray, astronaut_face: FaceObservation
) -> None:
    face = find_faces(np.ascontiguousarray(astronaut[:, ::-1]))[0]
    outer_eye_corners, mirrored_corners = [33, 263, 1], [263, 33, 1]
    expected = astronaut_face.landmarks_px[mirrored_corners] * [-1, 1] + [512, 0]
    assert np.abs(face.landmarks_px[outer_eye_corners] - expected).max() < 3
    assert angle_deg(face.R_camera_head, MIRROR @ astronaut_face.R_camera_head @ MIRROR) < 3


def test_nose_points_to_where_the_head_looks() -> None:
    camera_man = np.repeat(skimage.data.camera()[:, :, None], 3, axis=2)  # looks to the picture's right
    assert find_faces(camera_man)[0].R_camera_head[0, 2] > 0.4
    assert find_faces(np.ascontiguousarray(camera_man[:, ::-1]))[0].R_camera_head[0, 2] < -0.4


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_photo_is_found(astronaut: np.ndarray, astronaut_face: FaceObservation, turns: int) -> None:
    face = find_faces(np.ascontiguousarray(np.rot90(astronaut, turns)))[0]
    expected = turned_points(astronaut_face.landmarks_px, 512, turns)
    assert np.abs(face.landmarks_px - expected).mean() < 0.015 * astronaut_face.size_px
    assert angle_deg(face.R_camera_head, turn(turns) @ astronaut_face.R_camera_head) < 5
    assert np.abs(face.coefficients - astronaut_face.coefficients).mean() < 0.03


def test_tilted_photo_is_found(astronaut: np.ndarray, astronaut_face: FaceObservation) -> None:
    A = cv2.getRotationMatrix2D((256, 256), 60, 0.7)
    tilted = cv2.warpAffine(astronaut, A, (512, 512), borderValue=(200, 200, 200))
    face = find_faces(tilted)[0]
    expected = astronaut_face.landmarks_px @ A[:, :2].T + A[:, 2]
    assert np.abs(face.landmarks_px - expected).mean() < 2
    assert np.rad2deg(face.roll_rad - astronaut_face.roll_rad) == pytest.approx(60, abs=4)


def test_small_face_in_a_big_photo(astronaut: np.ndarray, astronaut_face: FaceObservation) -> None:
    face = find_faces(small_face_in_a_big_photo(astronaut))[0]
    expected = astronaut_face.landmarks_px / 2 + [1200, 600]
    assert np.abs(face.landmarks_px - expected).mean() < 1.5


def test_choice_among_two(two_faces: np.ndarray) -> None:
    faces = find_faces(two_faces)
    assert len(faces) == 2
    assert faces[0].area_px > faces[1].area_px
    left, right = choose_face(faces, "left"), choose_face(faces, "right")
    assert left.box_px[0] < 400 < right.box_px[0]
    assert choose_face(faces) is left
    assert choose_face(faces, "0") is left
    assert choose_face(faces, "1") is right
    with pytest.raises(NoFaceError, match=r"number 2 was asked for, but 2 faces were found.* 0 .* to 1"):
        choose_face(faces, "2")


def test_asking_for_one_gives_the_largest(two_faces: np.ndarray) -> None:
    faces = find_faces(two_faces, num_faces=1)
    assert len(faces) == 1
    assert faces[0].box_px[2] < 400


def test_no_face_says_what_to_do() -> None:
    faces = find_faces(np.ascontiguousarray(skimage.data.chelsea()))
    assert faces == []
    with pytest.raises(NoFaceError, match="No face was found in the picture; give one"):
        choose_face(faces)


def test_unknown_choice(astronaut_face: FaceObservation) -> None:
    for word in ("biggest", "-1", "", "²"):
        with pytest.raises(InputError, match="does not choose a face; say largest"):
            choose_face([astronaut_face], word)
    with pytest.raises(NoFaceError, match="one face was found in the picture; only 0"):
        choose_face([astronaut_face], "1")


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (40, 5)])
def test_odd_sizes_have_no_face(shape: tuple[int, int]) -> None:
    assert find_faces(np.zeros((*shape, 3), dtype=np.uint8)) == []


def test_video_follows_and_loses_faces(astronaut: np.ndarray) -> None:
    with FaceTracker(running="video") as tracker:
        first = tracker.detect(astronaut, 0.0)
        again = tracker.detect(astronaut.copy(), 1 / 30)
        lost = tracker.detect(np.zeros_like(astronaut), 2 / 30)
        same_time = tracker.detect(astronaut, 2 / 30)
    assert len(first) == 1
    np.testing.assert_array_equal(first[0].landmarks_px, again[0].landmarks_px)
    assert lost == []
    assert len(same_time) == 1


def test_video_does_not_look_twice(astronaut: np.ndarray) -> None:
    with FaceTracker(running="video") as tracker:
        assert tracker.detect(small_face_in_a_big_photo(astronaut), 0.0) == []


def test_misuse_is_said(astronaut: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least one face"):
        FaceTracker(num_faces=0)
    with FaceTracker(running="video") as tracker, pytest.raises(ValueError, match="needs its time_s"):
        tracker.detect(astronaut)
    tracker.close()
    with pytest.raises(ValueError, match="closed"):
        tracker.detect(astronaut, 0.0)


def test_native_side_is_silent(astronaut: np.ndarray, capfd: pytest.CaptureFixture[str]) -> None:
    find_faces(astronaut[:300])
    captured = capfd.readouterr()
    assert captured.err == ""
    assert captured.out == ""


def test_import_is_light() -> None:
    code = "import sys, mien.tracking.faces; sys.exit('mediapipe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
