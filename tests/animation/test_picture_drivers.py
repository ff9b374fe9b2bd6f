"""Folders of pictures and cameras as drivers; a camera is tested with a file in its place."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data
from tests.animation.test_track import ScriptedTracker, make_face

from mien.animation.drivers import DriverOptions, camera_of, read_driver
from mien.animation.picture_drivers import (
    Recording,
    camera_pictures,
    frame_numbers,
    pictures_in,
    track_camera,
    track_folder,
)
from mien.core.errors import InputError, NoFaceError
from mien.io.images import write_image
from mien.io.video import VideoWriter


def noise(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 255, (64, 64, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def astronaut_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("camera") / "clip.mp4"
    with VideoWriter(path, Fraction(20), 256, 256) as writer:
        for index in range(10):
            writer.write(np.ascontiguousarray(data.astronaut()[:256, 90 + 3 * index : 346 + 3 * index]))
    return path


def folder_of(path: Path, names: list[str]) -> Path:
    path.mkdir()
    for index, name in enumerate(names):
        write_image(path / name, noise(index))
    return path


def scripted(count: int) -> ScriptedTracker:
    return ScriptedTracker([[make_face(value=0.1 * k)] for k in range(count)])


def test_numbers_are_counted_as_numbers(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "f", ["a10.png", "a9.png", "a100.jpg"])
    (folder / ".hidden.png").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    assert [path.name for path in pictures_in(folder)] == ["a9.png", "a10.png", "a100.jpg"]


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["f_0007.png", "f_0008.png", "f_0010.png"], [0, 1, 3]),
        (["take2_1.png", "take2_2.png"], [0, 1]),
        (["1.png", "2.png", "9000.png"], [0, 1, 2]),  # times or ids, no lost frames
        (["a.png", "b.png"], [0, 1]),
        (["a1.png", "b1.png"], [0, 1]),
    ],
)
def test_frame_numbers(names: list[str], numbers: list[int]) -> None:
    assert frame_numbers([Path(name) for name in names]) == numbers


def test_lost_frames_of_a_folder_are_interpolated(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "f", ["0001.png", "0002.png", "0005.png"])
    motion = track_folder(folder, fps=Fraction(10), tracker=ScriptedTracker(
        [[make_face(value=0.1)], [make_face(value=0.2)], [make_face(value=0.5)]]
    ))  # fmt: skip
    np.testing.assert_array_equal(motion.found, [True, True, False, False, True])
    np.testing.assert_allclose(motion.coefficients[:, 0], [0.1, 0.2, 0.3, 0.4, 0.5], atol=1e-6)
    np.testing.assert_allclose(motion.time_s, np.arange(5) / 10)


def test_a_real_folder_is_a_driver(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    for index in range(3):
        write_image(
            folder / f"{index}.png", np.ascontiguousarray(data.astronaut()[:256, 90 + 4 * index :][:, :256])
        )
    motion = read_driver(folder)
    assert len(motion) == int(motion.found.sum()) == 3
    assert motion.fps == 25
    assert read_driver(folder, options=DriverOptions(fps=Fraction(12))).fps == 12


def test_bad_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty has no pictures"):
        read_driver(tmp_path / "empty")
    folder = folder_of(tmp_path / "f", ["1.png", "2.png"])
    (folder / "2.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"2\.png is not a picture"):
        track_folder(folder, tracker=scripted(2))
    with pytest.raises(NoFaceError, match="any of the 1 frames"):
        track_folder(folder_of(tmp_path / "g", ["1.png"]), tracker=ScriptedTracker([[]]))
    with pytest.raises(InputError, match="not a folder"):
        pictures_in(folder / "1.png")


def test_cameras_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert camera_of("webcam:1") == "1"
    assert camera_of("0") == "0"
    assert camera_of("clip.mp4") is None
    (tmp_path / "0").mkdir()
    assert camera_of("0") is None


def test_a_file_in_the_place_of_a_camera(astronaut_clip: Path) -> None:
    motion = read_driver(f"webcam:{astronaut_clip}")
    assert len(motion) == int(motion.found.sum()) == 10
    assert motion.fps == 20
    np.testing.assert_allclose(motion.time_s, np.arange(10) / 20, atol=1e-6)
    clip = read_driver(astronaut_clip)
    np.testing.assert_allclose(motion.coefficients, clip.coefficients, atol=0.05)
    assert np.abs(motion.R_camera_head - clip.R_camera_head).max() < 0.05


@pytest.mark.parametrize(
    ("recording", "count"),
    [(Recording(), 10), (Recording(frames=4), 4), (Recording(seconds=0.25), 5), (Recording(0.25, 3), 3)],
)
def test_recordings_are_bounded(astronaut_clip: Path, recording: Recording, count: int) -> None:
    pictures = list(camera_pictures(str(astronaut_clip), recording))
    assert len(pictures) == count
    assert pictures[0].rgb.shape == (256, 256, 3)
    assert pictures[0].rgb[..., 0].mean() > pictures[0].rgb[..., 2].mean()  # RGB: her suit is orange


class Camera:
    """A live camera that wakes up slowly and gives pictures at the times of a clock."""

    def __init__(self, pictures: int, asleep: int = 0, opened: bool = True) -> None:
        self._asleep, self._left, self._opened, self.released = asleep, pictures, opened, False

    def isOpened(self) -> bool:
        return self._opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self._asleep > 0:
            self._asleep -= 1
            return False, None
        self._left -= 1
        return (True, noise(self._left)) if self._left >= 0 else (False, None)

    def get(self, prop: int) -> float:
        return 0.0

    def release(self) -> None:
        self.released = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: Iterator[float] = iter(np.arange(0, 1000, 0.03125).tolist())
    monkeypatch.setattr("mien.animation.picture_drivers.time.monotonic", lambda: next(ticks))
    monkeypatch.setattr("mien.animation.picture_drivers.time.sleep", lambda seconds: None)


@pytest.mark.usefixtures("clock")
def test_a_live_camera_has_the_times_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Camera(pictures=200, asleep=3)
    monkeypatch.setattr(cv2, "VideoCapture", lambda source: camera if source == 0 else None)
    motion = track_camera("0", Recording(seconds=0.5), tracker=scripted(200))
    assert len(motion) == 16
    assert motion.fps == 32
    np.testing.assert_allclose(motion.time_s, 0.03125 * np.arange(16), atol=1e-9)
    assert motion.source.name == "webcam:0"
    assert camera.released


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("camera", "words"),
    [(Camera(0, opened=False), "cannot be opened"), (Camera(0), "gave no picture in 5 s")],
)
def test_bad_cameras_are_named(camera: Camera, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda source: camera)
    with pytest.raises(InputError, match=words):
        read_driver("webcam:7")
    assert camera.released


def test_a_camera_that_is_no_number_is_named() -> None:
    with pytest.raises(InputError, match="no camera 'front'"):
        read_driver("webcam:front")


@pytest.mark.parametrize("recording", [{"seconds": 0.0}, {"seconds": 9999.0}, {"frames": 0}])
def test_recordings_without_end_are_refused(recording: dict[str, float]) -> None:
    with pytest.raises(InputError, match="recording of"):
        Recording(**recording)  # type: ignore[arg-type]
