"""The person's alpha: bounds, certain places, symmetry, and agreement with a known alpha."""

import cv2
import numpy as np
import pytest
import skimage.data

from mien.tracking.faces import FaceObservation, find_faces
from mien.tracking.matting import foreground_alpha, foreground_colors


@pytest.fixture(scope="module")
def alpha(astronaut: np.ndarray, astronaut_face: FaceObservation) -> np.ndarray:
    return foreground_alpha(astronaut, astronaut_face)


def around(face: FaceObservation, sizes: float) -> tuple[slice, slice]:
    x = (face.box_px[0] + face.box_px[2]) / 2
    y = (face.box_px[1] + face.box_px[3]) / 2
    half = sizes * face.size_px / 2
    return slice(max(int(y - half), 0), int(y + half)), slice(max(int(x - half), 0), int(x + half))


def test_bounds_and_certain_places(alpha: np.ndarray, astronaut_face: FaceObservation) -> None:
    assert alpha.shape == (512, 512)
    assert alpha.dtype == np.float32
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    assert alpha[around(astronaut_face, 0.5)].min() > 0.98
    assert alpha[400:, 100:180].min() > 0.9  # the suit
    for corner in (alpha[:100, :60], alpha[:100, -60:]):
        assert corner.max() < 0.02


def test_hair_is_soft_but_there_is_no_haze(alpha: np.ndarray, astronaut_face: FaceObservation) -> None:
    head = alpha[around(astronaut_face, 2.0)]
    soft = np.mean((head > 0.05) & (head < 0.95))
    assert 0.01 < soft < 0.12


def test_mirror_image_gives_the_mirrored_alpha(astronaut: np.ndarray, alpha: np.ndarray) -> None:
    mirrored = np.ascontiguousarray(astronaut[:, ::-1])
    other = foreground_alpha(mirrored, find_faces(mirrored)[0])
    assert np.abs(other[:, ::-1] - alpha)[:250].mean() < 0.01


def test_turned_photo_gives_the_turned_alpha(astronaut: np.ndarray, alpha: np.ndarray) -> None:
    turned = np.ascontiguousarray(np.rot90(astronaut, 1))
    other = foreground_alpha(turned, find_faces(turned)[0])
    assert np.abs(np.rot90(other, -1) - alpha)[:250].mean() < 0.01


def test_same_input_same_alpha(
    astronaut: np.ndarray, astronaut_face: FaceObservation, alpha: np.ndarray
) -> None:
    np.testing.assert_array_equal(foreground_alpha(astronaut, astronaut_face), alpha)


@pytest.mark.parametrize("name", ["coffee", "brick", "gravel"])
def test_known_alpha_before_another_background(
    astronaut: np.ndarray, astronaut_face: FaceObservation, alpha: np.ndarray, name: str
) -> None:
    background = getattr(skimage.data, name)()
    if background.ndim == 2:
        background = np.repeat(background[:, :, None], 3, axis=2)
    background = cv2.resize(background, (512, 512), interpolation=cv2.INTER_AREA)
    colors = foreground_colors(astronaut, alpha)
    picture = colors * alpha[..., None] + background * (1 - alpha[..., None])
    found = foreground_alpha(np.round(picture).astype(np.uint8), astronaut_face)
    region = around(astronaut_face, 2.2)
    first, second = found[region] > 0.5, alpha[region] > 0.5
    assert (first & second).sum() / (first | second).sum() > 0.94
    assert np.abs(found - alpha)[region].mean() < 0.04


def test_the_other_person_is_left_out(two_faces: np.ndarray) -> None:
    left, right = find_faces(two_faces)
    alpha_left = foreground_alpha(two_faces, left, others=[right])
    alpha_right = foreground_alpha(two_faces, right, others=[left])
    assert alpha_left[around(left, 0.5)].min() > 0.98
    assert alpha_left[around(right, 1.0)].max() < 0.02
    assert alpha_right[around(right, 0.5)].min() > 0.98
    assert alpha_right[around(left, 1.0)].max() < 0.02


def test_big_photo_agrees_with_the_small_one(
    astronaut: np.ndarray, astronaut_face: FaceObservation, alpha: np.ndarray
) -> None:
    big = cv2.resize(astronaut, (1536, 1536), interpolation=cv2.INTER_CUBIC)
    found = foreground_alpha(big, find_faces(big)[0])
    assert found.shape == (1536, 1536)
    small = cv2.resize(found, (512, 512), interpolation=cv2.INTER_AREA)
    assert np.abs(small - alpha)[around(astronaut_face, 2.2)].mean() < 0.02
