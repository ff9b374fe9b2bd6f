"""Work in pieces, on as many threads as torch would use for one piece."""

from collections.abc import Callable, Iterable

import torch

from mien.core.parallel import ordered


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
