"""Frames that are kept beside the output of a long job."""

from pathlib import Path

import numpy as np
import pytest

from mien.core.errors import MienError
from mien.io.frames import FrameStore


def frames(count: int, shape: tuple[int, int] = (34, 50)) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for _ in range(count)]


def test_kept_frames_are_exact_and_go_on(tmp_path: Path) -> None:
    output, all_ = tmp_path / "a.mp4", frames(11)
    first = FrameStore(output, "job", segment=4)
    assert first.count == 0
    for passed, frame in zip(first.keep(iter(all_[:6])), all_, strict=False):
        np.testing.assert_array_equal(passed, frame)
    second = FrameStore(output, "job", segment=4)
    assert second.count == 4
    for kept, frame in zip(second.kept(), all_[:4], strict=True):
        np.testing.assert_array_equal(kept, frame)
    assert len(list(second.keep(iter(all_[4:])))) == 7
    assert FrameStore(output, "job", segment=4).count == 8


def test_what_a_killed_job_was_writing_is_removed(tmp_path: Path) -> None:
    output, stale, other = (tmp_path / name for name in ("a.mp4", ".a.0123abcd.part.mp4", ".b.01.part.mp4"))
    FrameStore(output, "job")
    stale.touch()
    other.touch()
    FrameStore(output, "job")
    assert not stale.exists()
    assert other.exists()


def test_frames_of_another_job_are_not_used(tmp_path: Path) -> None:
    output = tmp_path / "a.mp4"
    list(FrameStore(output, "one", segment=2).keep(iter(frames(4))))
    assert FrameStore(output, "other", segment=2).count == 0


def test_nothing_is_left_when_done(tmp_path: Path) -> None:
    store = FrameStore(tmp_path / "a.mp4", "job", segment=2)
    list(store.keep(iter(frames(5))))
    store.remove()
    store.remove()
    assert not list(tmp_path.iterdir())


def test_a_damaged_segment_is_named(tmp_path: Path) -> None:
    store = FrameStore(tmp_path / "a.mp4", "job", segment=2)
    list(store.keep(iter(frames(2))))
    (store.folder / "000000.mkv").write_bytes(b"not a video")
    with pytest.raises(MienError, match="delete"):
        list(store.kept())
