"""Inert values: what a restricted unpickler puts in the place of classes, modules and tensors."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

MAX_DIMS: Final = 8
MAX_NUMBER: Final = 1 << 40
"""Sizes, strides and offsets up to this; NumPy's own limits lie beyond."""
MAX_STEPS: Final = 300_000
"""Opcodes, and items that are gone through: five times what an official checkpoint of full size needs."""
MAX_TEXT_BYTES: Final = 32 << 20
"""Text in a file; official ones have less than a megabyte, most of it source that is not looked at."""
BFLOAT16: Final = "bfloat16"
_SHOWN: Final = 100


class RefusedError(Exception):
    """Why a file is refused, as a clause without the file's name; `source` makes the sentence of it."""


def shown(value: object) -> str:
    """A name or numbers from a file, safe to print: ASCII only, cut at 100 characters."""
    text = ascii(value[: 2 * _SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...{text[0]}"


class Budget:
    """How much one file may ask for, shared by all the pickles inside it.

    Without it a small file could ask for hours: bytes that hold a pickle can be read again and again through
    the memo.
    """

    def __init__(self) -> None:
        self.steps = MAX_STEPS
        self.text_bytes = MAX_TEXT_BYTES

    def spend(self, steps: int) -> None:
        """Pay for opcodes or for items that are gone through; RefusedError when nothing is left."""
        self.steps -= steps
        if self.steps < 0:
            raise RefusedError("it has more pickle opcodes than any checkpoint needs")

    def spend_text(self, count: int) -> None:
        """Pay for text that is decoded."""
        self.text_bytes -= count
        if self.text_bytes < 0:
            raise RefusedError("it holds more text than any checkpoint needs")


@dataclass(frozen=True)
class Stub:
    """Stands for a class or function named in a pickle; nothing is imported."""

    name: str
    """Full name, such as "training.triplane.OSGDecoder"."""
    call: Callable[[tuple[Any, ...]], Any] | None = None
    """What calling it gives: a function of ours. None: it may not be called."""
    make: Callable[[], Any] | None = None
    """What an instance of it is before its state: a function of ours. None: it may not be made."""
    value: Any = None
    """What it means in the places where it is only named, such as a storage's number type."""


@dataclass(eq=False)
class Instance:
    """Stands for an object: the name of its class and its attributes."""

    class_name: str
    state: dict[Any, Any] | None = None


@dataclass(eq=False)
class NumpyType:
    """Stands for a `numpy.dtype`."""

    code: str


@dataclass(eq=False)
class Storage:
    """Numbers of one type in a row; the bytes come after the pickle that names it."""

    number_type: str
    """A little-endian NumPy code such as "<f4", or "bfloat16"."""
    count: int
    data: memoryview | None = field(default=None, repr=False)

    @property
    def item_bytes(self) -> int:
        """Bytes of one number."""
        return item_bytes(self.number_type)


def item_bytes(number_type: str) -> int:
    """Bytes of one number of a type."""
    return 2 if number_type == BFLOAT16 else np.dtype(number_type).itemsize


@dataclass(frozen=True, eq=False)
class TensorView:
    """A tensor that has not been read yet: where its numbers lie in a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def __post_init__(self) -> None:
        check_view(self)

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    def read(self) -> Float[Tensor, "..."]:
        """Its numbers as float32, in memory of their own."""
        data, number_type = self.storage.data, self.storage.number_type
        if data is None:
            raise RefusedError("it names a storage whose data are not in the file")
        row = np.frombuffer(data, "<u2" if number_type == BFLOAT16 else number_type)
        step = row.itemsize
        strides = tuple(step * s for s in self.stride)
        # Bounds were checked when the view was made; an empty view may start at the very end.
        start = self.offset if self.count else 0
        picked = np.lib.stride_tricks.as_strided(row[start:], self.shape, strides, writeable=False)
        if number_type == BFLOAT16:  # the upper half of a float32
            wide = np.left_shift(picked.astype(np.uint32), 16, order="C")
            return torch.from_numpy(np.asarray(wide).view(np.float32).reshape(self.shape))
        with np.errstate(over="ignore"):  # becomes infinite, which is refused by name later
            return torch.from_numpy(np.array(picked, dtype=np.float32, order="C", copy=True))


def check_view(view: TensorView) -> None:
    """RefusedError unless all numbers of the view lie in its storage and none is counted twice."""
    numbers = (view.offset, *view.shape, *view.stride)
    where = (
        f"a tensor of shape {shown(view.shape)}, strides {shown(view.stride)} and offset {shown(view.offset)}"
    )
    if min(numbers) < 0:
        raise RefusedError(f"{where} has a negative number in its place")
    if max(numbers) > MAX_NUMBER or math.prod(n or 1 for n in view.shape) > MAX_NUMBER:
        raise RefusedError(f"{where} is larger than any checkpoint")
    if view.count > view.storage.count:
        raise RefusedError(f"{where} is larger than its storage of {shown(view.storage.count)} numbers")
    last = view.offset + sum((n - 1) * s for n, s in zip(view.shape, view.stride, strict=True))
    if view.count and last >= view.storage.count:
        raise RefusedError(f"{where} reaches outside its storage of {shown(view.storage.count)} numbers")
