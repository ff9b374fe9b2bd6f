"""Tracking: gaps, several faces, stills; and real pictures and clips."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from skimage import data
from tests.animation.test_place import landmarks_seen

from mien.animation import track
from mien.animation.drivers import read_driver, write_motion
from mien.animation.filling import fill_gaps
from mien.animation.follow import FaceFollower, Stillness
from mien.animation.motion import Motion, MotionFrame, MotionSource
from mien.animation.rotations import head_angles, head_rotation, rotation_angle
from mien.animation.track import ClipTracker, Look, track_pictures
from mien.core.arkit import ARKIT_INDEX
from mien.core.errors import InputError, NoFaceError
from mien.io.video import VideoWriter
from mien.tracking.faces import FaceObservation

SOURCE = MotionSource("test", "")
PLACE = np.array([0.1, -0.05, -2.5])


@dataclass
class Picture:
    rgb: np.ndarray
    time_s: float


def make_face(x0: float = 100.0, size: float = 50.0, value: float = 0.5) -> FaceObservation:
    R = head_rotation(np.array([value, 0.0, 0.0])).astype(np.float32)
    return FaceObservation(
        landmarks_px=landmarks_seen(R, PLACE, (64, 64)),
        landmarks_depth=np.zeros(478, np.float32),
        coefficients=np.full(52, value, np.float32),
        R_camera_head=R,
        translation_cm=np.array([0.0, 0.0, -50.0], np.float32),
        box_px=(float(x0), 100.0, float(x0 + size), 100.0 + size),
    )


class ScriptedTracker:
    """Gives the faces of a list, one entry a call."""

    def __init__(self, faces: Iterable[list[FaceObservation]]) -> None:
        self._faces = list(faces)
        self.calls = 0

    def detect(self, rgb: np.ndarray, time_s: float | None = None) -> list[FaceObservation]:
        self.calls += 1
        return self._faces[self.calls - 1]


def pictures(count: int, *, still: bool = False) -> list[Picture]:
    rng = np.random.default_rng(0)
    return [
        Picture(np.full((64, 64, 3), 90 if still else rng.integers(0, 255), np.uint8), index / 25)
        for index in range(count)
    ]


def test_gaps_are_interpolated_and_flagged() -> None:
    faces = [[], [make_face(value=0.2)], [], [], [make_face(value=0.8)], []]
    motion = track_pictures(pictures(6), Fraction(25), SOURCE, tracker=ScriptedTracker(faces))
    np.testing.assert_array_equal(motion.found, [False, True, False, False, True, False])
    expected = [0.2, 0.2, 0.4, 0.6, 0.8, 0.8]
    np.testing.assert_allclose(motion.coefficients[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(head_angles(motion.R_camera_head)[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(motion.translation_head, np.tile(PLACE, (6, 1)), atol=1e-5)


def test_no_face_at_all_is_named() -> None:
    with pytest.raises(NoFaceError, match="any of the 3 frames of test"):
        track_pictures(pictures(3), Fraction(25), SOURCE, tracker=ScriptedTracker([[]] * 3))


def test_no_frames_at_all_is_named() -> None:
    with pytest.raises(InputError):
        track_pictures([], Fraction(25), SOURCE, tracker=ScriptedTracker([]))


def test_still_pictures_are_tracked_once() -> None:
    tracker = ScriptedTracker([[make_face()]])
    motion = track_pictures(pictures(5, still=True), Fraction(25), SOURCE, tracker=tracker)
    assert (len(motion), tracker.calls) == (5, 1)
    assert (motion.coefficients == motion.coefficients[0]).all()
    np.testing.assert_allclose(motion.time_s, np.arange(5) / 25)


def test_times_are_made_to_rise() -> None:
    shots = pictures(4)
    shots[2].time_s = 0.0
    motion = track_pictures(shots, Fraction(25), SOURCE, tracker=ScriptedTracker([[make_face()]] * 4))
    assert (np.diff(motion.time_s) > 0).all()


def test_one_person_is_followed() -> None:
    """The followed face stays the same when another becomes larger, and when it is gone nobody is taken."""
    follow = FaceFollower("left")
    follow([make_face(300.0, 80.0), make_face(100.0)])
    chosen = follow([make_face(310.0, 90.0, 0.9), make_face(112.0, 50.0, 0.1)])
    assert chosen is not None
    assert chosen.coefficients[0] == pytest.approx(0.1)
    assert follow([]) is None


def test_a_cut_chooses_anew() -> None:
    follow = FaceFollower("largest")
    follow([make_face(100.0)])
    chosen = follow([make_face(400.0, 30.0, 0.1), make_face(500.0, 60.0, 0.9)])
    assert chosen is not None
    assert chosen.coefficients[0] == pytest.approx(0.9)


def test_stillness_ignores_noise_but_not_motion() -> None:
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (32, 48, 1)).repeat(8, 0).repeat(8, 1).repeat(3, 2).astype(np.uint8)
    noisy = np.clip(rgb + rng.normal(0, 3, rgb.shape), 0, 255).round().astype(np.uint8)
    stillness = Stillness()
    assert [stillness.repeats(picture) for picture in (rgb, rgb, noisy, noisy)] == [False, True, False, True]
    assert stillness.is_still_clip


def test_a_blink_is_motion_for_good() -> None:
    rgb = np.full((128, 128, 3), 160, np.uint8)
    blink = rgb.copy()
    blink[100:116, 100:110] //= 2
    stillness = Stillness()
    assert [stillness.repeats(picture) for picture in (rgb, blink, rgb, rgb)] == [False, False, False, True]
    assert not stillness.is_still_clip


def test_a_change_of_size_is_motion() -> None:
    stillness = Stillness()
    grey = np.full((64, 64, 3), 90, np.uint8)
    assert not stillness.repeats(grey)
    assert not stillness.repeats(grey[:32])
    assert not stillness.is_still_clip


def test_gap_frames_take_the_short_way() -> None:
    R = head_rotation(np.array([[0.0, 0.0, 3.0], [0.0, 0.0, -3.0]])).astype(np.float32)
    frames = [
        MotionFrame(t, np.zeros(52, np.float32), R[i], np.zeros(3, np.float32), True)
        for i, t in enumerate((0.0, 0.2))
    ]
    middle = fill_gaps([frames[0], None, frames[1]], np.array([0.0, 0.1, 0.2]))[1]
    assert rotation_angle(R[0].T @ middle.R_camera_head) == pytest.approx(np.pi - 3, abs=1e-3)


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return data.astronaut()


def write_clip(path: Path, frames: Iterable[np.ndarray], size_px: int, quality: int = 18) -> Path:
    with VideoWriter(path, Fraction(25), size_px, size_px, quality=quality) as writer:
        for rgb in frames:
            writer.write(rgb)
    return path


@pytest.mark.parametrize("quality", [18, 28])
def test_still_clip_gives_a_constant_motion(tmp_path: Path, astronaut: np.ndarray, quality: int) -> None:
    """In spite of the noise that the video's compression adds."""
    crop = np.ascontiguousarray(astronaut[:256, 100:356])
    clip = write_clip(tmp_path / "still.mp4", [crop] * 12, 256, quality)
    motion = read_driver(clip)
    assert len(motion) == 12
    assert motion.found.all()
    for values in (motion.coefficients, motion.R_camera_head, motion.translation_head):
        np.testing.assert_array_equal(values, np.broadcast_to(values[:1], values.shape))


def test_moving_clip_and_its_files(tmp_path: Path, astronaut: np.ndarray) -> None:
    shifts = np.round(10 * np.sin(np.arange(10))).astype(int)
    frames = [np.ascontiguousarray(astronaut[20:276, 100 + s : 356 + s]) for s in shifts]
    frames.insert(5, np.full_like(frames[0], 40))
    clip = write_clip(tmp_path / "moving.mp4", frames, 256)
    motion = write_motion(clip, tmp_path / "m.json")
    assert motion.found.tolist() == [index != 5 for index in range(11)]
    assert motion.source.name == "moving.mp4"
    again = read_driver(tmp_path / "m.json")
    np.testing.assert_allclose(again.coefficients, motion.coefficients, atol=1e-6)
    assert np.degrees(rotation_angle(motion.R_camera_head @ motion.R_camera_head[0].T)).max() < 6


def test_picture_is_a_motion_of_one_frame(tmp_path: Path, astronaut: np.ndarray) -> None:
    from mien.io.images import read_photo, write_image

    path = tmp_path / "a.png"
    write_image(path, astronaut)
    motion = read_driver(path)
    assert len(motion) == 1
    assert motion.coefficients[0, ARKIT_INDEX["mouthSmileLeft"]] > 0.3
    assert -2.5 < motion.translation_head[0, 2] < -0.2
    np.testing.assert_array_equal(read_driver(read_photo(path)).coefficients, motion.coefficients)


def test_sliders_motions_and_their_errors(tmp_path: Path) -> None:
    sliders = {"jawOpen": 0.4}
    (tmp_path / "s.json").write_text(json.dumps(sliders))
    motion = read_driver(tmp_path / "s.json")
    np.testing.assert_array_equal(motion.coefficients, read_driver(sliders).coefficients)
    assert read_driver(motion) is motion
    motion.save(tmp_path / "m.npz")
    assert isinstance(read_driver(tmp_path / "m.npz"), Motion)
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(InputError, match="names and numbers"):
        read_driver(tmp_path / "list.json")


@pytest.mark.parametrize("content", [b"", b"just some text", b"\x00" * 2000])
def test_other_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "thing.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"thing\.mp4"):
        read_driver(path)
    with pytest.raises(InputError, match=r"none\.mp4"):
        read_driver(tmp_path / "none.mp4")


def test_suffix_is_checked_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="suffix"):
        write_motion(tmp_path / "none.mp4", tmp_path / "m.txt")


def test_sound_only_is_named(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    with pytest.raises(InputError, match=r"sound\.mp4"):
        read_driver(path)


def test_clip_tracker_has_no_memory(astronaut: np.ndarray) -> None:
    """No lag: a frame's numbers do not depend on the frames before it."""
    frames = [np.ascontiguousarray(astronaut[:256, 100 + 3 * s : 356 + 3 * s]) for s in range(4)]
    with ClipTracker() as one, ClipTracker() as other:
        forwards = [one.detect(rgb, index / 25)[0] for index, rgb in enumerate(frames)]
        backwards = [other.detect(rgb, index / 25)[0] for index, rgb in enumerate(frames[::-1])][::-1]
    for found, expected in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(found.coefficients, expected.coefficients)
        np.testing.assert_array_equal(found.R_camera_head, expected.R_camera_head)


def test_frames_looked_at_together_give_the_numbers_of_frames_in_turn(
    astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(track, "worker_count", lambda: 3)
    empty = np.full((256, 256, 3), 127, np.uint8)
    frames = [np.ascontiguousarray(astronaut[:256, 100 + 3 * s : 356 + 3 * s]) for s in range(6)]
    frames[3:3] = [empty, frames[2]]
    looks = [Look(rgb, index / 25, index == 5) for index, rgb in enumerate(frames)]
    with ClipTracker() as one, ClipTracker() as other:
        in_turn = [[] if look.is_repeated else one.detect(look.rgb, look.time_s) for look in looks]
        together = list(other.detect_all(iter(looks)))
    assert [look.time_s for look, _ in together] == [look.time_s for look in looks]
    assert [len(faces) for _, faces in together] == [1, 1, 1, 0, 1, 0, 1, 1]
    for (_, found), expected in zip(together, in_turn, strict=True):
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(mine.coefficients, theirs.coefficients)
            np.testing.assert_array_equal(mine.landmarks_px, theirs.landmarks_px)


def test_clip_tracker_rests_after_a_thorough_look_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = np.full((64, 64, 3), 127, np.uint8)
    looks: list[np.ndarray] = []
    with ClipTracker() as tracker:
        tracker.detect(grey, 0.0)
        assert tracker._thorough is not None

        def look(rgb: np.ndarray) -> list[FaceObservation]:
            looks.append(rgb)
            return []

        monkeypatch.setattr(tracker._thorough, "detect", look)
        for index in range(1, 25):
            assert tracker.detect(grey, index / 25) == []
    assert len(looks) == 2
