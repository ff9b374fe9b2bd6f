"""Work on several threads that looks like a plain loop."""

import threading
import time

import pytest

from mien.core.parallel import ordered, worker_count


def test_results_come_in_order_whatever_takes_longest() -> None:
    def slow_first(k: int) -> int:
        time.sleep(0.02 if k % 3 == 0 else 0.0)
        return k * k

    assert list(ordered(slow_first, range(20), workers=3)) == [k * k for k in range(20)]


def test_only_a_few_pieces_are_under_way() -> None:
    started: list[int] = []
    lock = threading.Lock()

    def note(k: int) -> int:
        with lock:
            started.append(k)
        return k

    results = ordered(note, range(1000), workers=2)
    assert [next(results) for _ in range(5)] == list(range(5))
    assert len(started) <= 5 + 4
    results.close()  # type: ignore[attr-defined]


def test_an_error_reaches_the_caller() -> None:
    def fail(k: int) -> int:
        if k == 3:
            raise ValueError("the third")
        return k

    with pytest.raises(ValueError, match="the third"):
        list(ordered(fail, range(10), workers=2))


def test_there_is_at_least_one_worker() -> None:
    assert worker_count() >= 1
