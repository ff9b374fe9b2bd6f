"""Frames that a long job keeps."""

from pathlib import Path

import numpy as np
import pytest

from mien.core.errors import MienError
from mien.io.frames import FrameStore


def frames(count: int, shape: tuple[int, int] = (34, 50)) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for _ in range(count)]


def test_kept_frames_are_exact_and_go_on(tmp_path: Path) -> None:
    all_ = frames(11)
    first = FrameStore(tmp_path, segment=4)
    assert first.count == 0
    for passed, frame in zip(first.keep(iter(all_[:6])), all_, strict=False):
        np.testing.assert_array_equal(passed, frame)
    second = FrameStore(tmp_path, segment=4)
    assert second.count == 4
    for kept, frame in zip(second.kept(), all_[:4], strict=True):
        np.testing.assert_array_equal(kept, frame)
    assert len(list(second.keep(iter(all_[4:])))) == 7
    assert FrameStore(tmp_path, segment=4).count == 8


def test_only_whole_segments_are_left(tmp_path: Path) -> None:
    """Also where the frames end or nobody wants more of them."""
    store = FrameStore(tmp_path, segment=4)
    assert len(list(store.keep(iter(frames(6))))) == 6
    left = store.keep(iter(frames(3)))
    next(left)
    left.close()  # type: ignore[attr-defined]
    assert [path.name for path in tmp_path.iterdir()] == ["000000.mkv"]


def test_a_damaged_segment_is_named(tmp_path: Path) -> None:
    store = FrameStore(tmp_path, segment=2)
    list(store.keep(iter(frames(2))))
    (store.folder / "000000.mkv").write_bytes(b"not a video")
    with pytest.raises(MienError, match="delete"):
        list(store.kept())
