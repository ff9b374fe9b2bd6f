"""Progress bars for long work, on stderr, and only where somebody can see them."""

import os
import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(
    iterable: Iterable[T], *, desc: str, total: int | None = None, force: bool = False, done: int = 0
) -> Iterable[T]:
    """`iterable` with a progress bar and the time left, for which what was `done` of the total before does
    not count.

    Silent when stderr is not a terminal, unless `force` is set or the environment has MIEN_PROGRESS=1.
    """
    visible = force or is_visible()
    return tqdm(
        iterable,
        desc=desc,
        total=total,
        initial=done,
        disable=not visible,
        file=sys.stderr,
        leave=False,
        dynamic_ncols=True,
    )


def is_visible() -> bool:
    """Whether progress is shown: stderr is a terminal, or MIEN_PROGRESS=1."""
    return sys.stderr.isatty() or os.environ.get("MIEN_PROGRESS") == "1"
