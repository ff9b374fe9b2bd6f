"""Freed memory goes back to the system."""

import ctypes
import sys
from pathlib import Path

import pytest

from mien.core.heap import trim_heap

CHUNK = 60_000
"""Bytes, little enough to be taken from the heap."""
COUNT = 2000


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc"
)
def test_holes_below_what_is_held_are_given_back() -> None:
    chunks = [bytearray(CHUNK) for _ in range(COUNT)]
    held = [bytearray(CHUNK) for _ in range(3)]
    del chunks
    before = resident_bytes()
    trim_heap()
    assert resident_bytes() < before - CHUNK * COUNT // 2
    assert all(not any(chunk) for chunk in held)


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.core import heap

    heap._malloc_trim.cache_clear()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert heap._malloc_trim() is None
    trim_heap()
    heap._malloc_trim.cache_clear()
