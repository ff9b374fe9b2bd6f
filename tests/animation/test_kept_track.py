"""A tracking that is killed goes on to the same numbers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from tests.animation.test_track import SOURCE, make_face

from mien.animation import track
from mien.animation.kept_track import TrackStore
from mien.animation.motion import Motion
from mien.animation.track import ClipTracker, Look, Tracking, track_video
from mien.core.errors import MienError, NoFaceError
from mien.core.work import KeptWork
from mien.io.video import VideoReader, VideoWriter
from mien.tracking.faces import FaceObservation

NAMES = ("time_s", "coefficients", "R_camera_head", "translation_head", "found")


def assert_same(one: Motion, other: Motion) -> None:
    for name in NAMES:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@dataclass
class Numbered:
    """A picture whose brightness is its number."""

    rgb: np.ndarray
    time_s: float


def numbered(start: int, count: int = 23) -> Iterator[Numbered]:
    """Every fifth repeats the one before."""
    for k in range(start, count):
        yield Numbered(np.full((64, 64, 3), 10 * (k - (k % 5 == 4)), np.uint8), k / 25)


class TwoPeople:
    """They approach each other; a few frames show nobody."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def detect(self, rgb: np.ndarray, time_s: float | None = None) -> list[FaceObservation]:
        k = int(rgb[0, 0, 0]) // 10
        self.seen.append(k)
        if k in (0, 7, 12):
            return []
        return [make_face(100.0 + 4 * k, 50.0, 0.3 + k / 100), make_face(300.0 - 4 * k, 40.0 + 2 * k, 0.9)]


@pytest.mark.parametrize("killed_at", [3, 5, 12, 20, 22])
def test_a_killed_tracking_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int) -> None:
    monkeypatch.setattr(track, "CHUNK", 5)
    whole = Tracking("left").run(numbered, Fraction(25), SOURCE, tracker=TwoPeople())
    assert whole.coefficients[-1, 0] < 0.6  # still the left one

    def cut(start: int) -> Iterator[Numbered]:
        yield from islice(numbered(start), killed_at - start)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Tracking("left", TrackStore(tmp_path)).run(cut, Fraction(25), SOURCE, tracker=TwoPeople())
    rest = TwoPeople()
    again = Tracking("left", TrackStore(tmp_path)).run(numbered, Fraction(25), SOURCE, tracker=rest)
    assert_same(again, whole)
    assert min(rest.seen) >= killed_at // 5 * 5
    third = TwoPeople()
    assert_same(
        Tracking("left", TrackStore(tmp_path)).run(numbered, Fraction(25), SOURCE, tracker=third), whole
    )
    assert third.seen == []


def test_a_still_clip_stays_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track, "CHUNK", 2)

    def noisy(start: int) -> Iterator[Numbered]:
        for k in range(start, 7):
            noise = np.random.default_rng(k).normal(0, 2, (64, 64, 3))
            yield Numbered(np.clip(100 + noise, 0, 255).astype(np.uint8), k / 25)
            if start == 0 and k == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Tracking("0", TrackStore(tmp_path)).run(noisy, Fraction(25), SOURCE, tracker=TwoPeople())
    motion = Tracking("0", TrackStore(tmp_path)).run(noisy, Fraction(25), SOURCE, tracker=TwoPeople())
    assert len(motion) == 7
    assert (motion.coefficients == motion.coefficients[0]).all()


def test_a_clip_without_a_face_is_not_kept_as_done(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(NoFaceError, match="any of the 1 frames"):
            Tracking("0", TrackStore(tmp_path)).run(
                lambda start: numbered(start, 1), Fraction(25), SOURCE, tracker=TwoPeople()
            )
    assert not list(tmp_path.iterdir())


def test_a_damaged_chunk_is_named(tmp_path: Path) -> None:
    Tracking("0", TrackStore(tmp_path)).run(numbered, Fraction(25), SOURCE, tracker=TwoPeople())
    path = tmp_path / "000000.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(MienError, match=r"000000\.npz cannot be read"):
        Tracking("0", TrackStore(tmp_path))


def test_a_real_clip_goes_on(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = track_video(clip)
    monkeypatch.setattr(track, "CHUNK", 2)
    detect_all, calls = ClipTracker.detect_all, []

    def counted(tracker: ClipTracker, looks: Iterable[Look]) -> Iterator[tuple[Look, list[FaceObservation]]]:
        for look, faces in detect_all(tracker, looks):
            calls.append(look.time_s)
            if len(calls) == 4:
                raise KeyboardInterrupt
            yield look, faces

    monkeypatch.setattr(ClipTracker, "detect_all", counted)
    kept = KeptWork(tmp_path / "out.mp4")
    with pytest.raises(KeyboardInterrupt):
        track_video(clip, kept=kept)
    assert_same(track_video(clip, kept=kept), whole)
    assert calls[4] == pytest.approx(2 / 30)
    assert len(calls) == 4 + 4


def test_a_reader_begins_anywhere(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", 25, 64, 64) as writer:
        for k in range(9):
            writer.write(np.full((64, 64, 3), 20 * k, np.uint8), time_s=(k + k * k / 40) / 25)
    with VideoReader(tmp_path / "a.mp4") as reader:
        whole, part = list(reader), list(reader.frames(6))
    assert [frame.index for frame in part] == [6, 7, 8]
    assert [frame.time_s for frame in part] == [frame.time_s for frame in whole[6:]]
    np.testing.assert_array_equal(part[0].rgb, whole[6].rgb)
