"""Memory that was freed, given back to the system.

glibc keeps freed memory in a heap per thread. Where decoders and trackers with threads of their own allocate
pictures, these heaps fill with holes and grow for minutes, though nothing is held.
"""

import ctypes
import sys
from collections.abc import Callable
from functools import cache


def trim_heap() -> None:
    """Give freed memory back where the C library can (glibc); elsewhere nothing happens."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    function = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if function is not None:
        function.argtypes, function.restype = [ctypes.c_size_t], ctypes.c_int
    return function
