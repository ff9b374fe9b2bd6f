"""Whether compiled kernels can be used, and work for them in pieces, on as many threads as torch has."""

from collections.abc import Callable, Iterable
from importlib.util import find_spec

import torch

from mien.core.parallel import ordered


def has_numba() -> bool:
    """Whether compiled kernels can be used."""
    return find_spec("numba") is not None


def in_pieces(function: Callable[[int], object], starts: Iterable[int]) -> None:
    """Call `function` with each of `starts`. The pieces share nothing that they write.

    With one thread it is a plain loop; otherwise each piece has a thread of its own, in which torch computes
    with that one only. So threads wait for each other once, not after every step of a piece.
    """
    workers = torch.get_num_threads()
    if workers == 1:
        for start in starts:
            function(start)
        return
    for _ in ordered(function, starts, workers=workers):
        pass
