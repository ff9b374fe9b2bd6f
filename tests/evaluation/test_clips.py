"""Clips: a clip against itself, another person, sheets."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from mien.core.errors import InputError, NoFaceError
from mien.evaluation.clips import (
    clip_change,
    identity_by_yaw,
    score_animation,
    score_reenactment,
    see_clip,
    see_photo,
    small_picture,
)
from mien.evaluation.identity import IdentityMeter, identity_distance
from mien.evaluation.sheets import contact_sheet, fit_square, frames_at, spread_indices
from mien.io.images import Photo
from mien.io.video import VideoReader, VideoWriter
from mien.tracking.faces import find_faces

COUNT = 6


@pytest.fixture(scope="module")
def face_rgb() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[:256, 100:356])


@pytest.fixture(scope="module")
def photo(face_rgb: np.ndarray) -> Photo:
    return Photo(rgb=face_rgb, alpha=None, name="astronaut", sha256="")


@pytest.fixture(scope="module")
def meter() -> IdentityMeter:
    pytest.importorskip("dlib")
    pytest.importorskip("face_recognition_models")
    return IdentityMeter()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut's photo moving sideways, with one empty frame."""
    path = tmp_path_factory.mktemp("clips") / "moving.mp4"
    with VideoWriter(path, Fraction(25), 256, 256) as writer:
        for index in range(COUNT):
            left = 100 + 2 * index
            moved = np.ascontiguousarray(data.astronaut()[:256, left : left + 256])
            writer.write(np.full_like(moved, 60) if index == 3 else moved)
    return path


def test_a_clip_against_itself_is_perfect(clip: Path, photo: Photo, meter: IdentityMeter) -> None:
    seen = see_clip(clip, meter=meter, identity_every=2)
    assert seen.found.tolist() == [True, True, True, False, True, True]
    score = score_animation(seen, seen, see_photo(photo, meter))
    assert score.aed == 0
    assert score.pose_error_deg == pytest.approx(0, abs=1e-4)
    assert score.same_timing
    assert score.frames == COUNT
    assert score.found_share == pytest.approx(5 / 6)
    assert score.same_person_share == 1
    assert score.identity_mean < 0.25
    assert score.jerk == score.jerk_driver
    pairs = identity_by_yaw(seen, see_photo(photo, meter), np.linspace(-45, 45, COUNT))
    assert [value is None for _, value in pairs] == [False, False, True, False]


def test_identity_of_one_person_and_of_noise(face_rgb: np.ndarray, meter: IdentityMeter) -> None:
    (face,) = find_faces(face_rgb, num_faces=1)
    mirrored = np.ascontiguousarray(face_rgb[:, ::-1])
    (other,) = find_faces(mirrored, num_faces=1)
    distance = identity_distance(meter(face_rgb, face), meter(mirrored, other))
    assert 0 < distance < 0.4
    assert identity_distance(meter(face_rgb, face), meter(face_rgb, face)) == 0


def test_psnr_of_a_copy(clip: Path, face_rgb: np.ndarray) -> None:
    score = score_reenactment(clip, clip, face_rgb)
    assert score.psnr_db == pytest.approx(60)
    assert score.pooled_psnr_db == pytest.approx(60)
    assert score.pooled_psnr_copied_db < score.psnr_copied_db < 60


def test_still_clip_hardly_changes(clip: Path, tmp_path: Path, face_rgb: np.ndarray) -> None:
    with VideoWriter(tmp_path / "still.mp4", Fraction(25), 256, 256) as writer:
        for _ in range(4):
            writer.write(face_rgb)
    assert clip_change(tmp_path / "still.mp4") < 1.5
    assert clip_change(clip) > 5


def test_clip_without_faces_is_named(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "grey.mp4", Fraction(25), 64, 64) as writer:
        writer.write(np.full((64, 64, 3), 90, np.uint8))
    with pytest.raises(NoFaceError, match="nothing to measure"):
        see_clip(tmp_path / "grey.mp4")


def test_frames_and_sheets(clip: Path, face_rgb: np.ndarray) -> None:
    assert spread_indices(9, 3) == [0, 4, 8]
    assert spread_indices(1, 3) == [0, 0, 0]
    picked = frames_at(clip, [0, 3, 3, 99])
    with VideoReader(clip) as reader:
        frames = [frame.rgb for frame in reader]
    for found, index in zip(picked, (0, 3, 3, COUNT - 1), strict=True):
        np.testing.assert_array_equal(found, frames[index])
    sheet = contact_sheet([[face_rgb, None, face_rgb], [face_rgb]], side_px=32)
    assert sheet.shape == (68, 104, 3)
    np.testing.assert_array_equal(sheet[:32, :32], fit_square(face_rgb, 32))
    assert (sheet[36:, 36:] == 255).all()
    with pytest.raises(InputError, match="without pictures"):
        contact_sheet([])


def test_squares_keep_the_shape_of_pictures() -> None:
    square = fit_square(np.zeros((20, 40, 3), np.uint8), 40)
    assert (square == 0).all(2).sum() == 20 * 40
    assert small_picture(np.zeros((20, 40, 3), np.uint8)).shape == (256, 256, 3)
