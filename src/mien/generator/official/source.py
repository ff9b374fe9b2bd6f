"""Opening a file of any kind that holds an EG3D generator."""

import hashlib
import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mien.core.errors import CheckpointError, UnsafeFileError
from mien.generator.official.allowed import Allowed
from mien.generator.official.flat import is_flat, read_flat
from mien.generator.official.machine import Machine, kind_of
from mien.generator.official.objects import PickledModel, model_of
from mien.generator.official.opcodes import read_pickle
from mien.generator.official.streams import is_stream, read_stream
from mien.generator.official.values import Budget, RefusedError, Storage, TensorView, shown
from mien.generator.official.zipped import read_zip

_OLD_PICKLE: Final = re.compile(rb"[(\]})]|c[\w.]{1,200}\n[\w.]{1,200}\n", re.ASCII)
"""How pickles of protocols 0 and 1 begin. No checkpoint is one, but the reason should name what they ask
for."""
_HASH_BYTES: Final = 16 << 20
_NOTHING_RUN: Final = "nothing of it was run. Give an official EG3D checkpoint or a state dict of one"


@dataclass(frozen=True, eq=False)
class SourceFile:
    """A generator and the file that it was found in."""

    path: Path
    bytes: int
    sha256: str
    kind: str
    """"pickle", "torch stream", "torch zip" or "safetensors"."""
    model: PickledModel


def read_source(path: Path) -> SourceFile:
    """The generator in a file; its tensors stay in the file until they are read.

    Nothing of the file is imported or run. Raises UnsafeFileError with the reason (the name or key at
    fault) if the file is damaged or holds anything else, CheckpointError if it is not there or is no
    checkpoint.
    """
    data = _map(path)
    with refusing(path):
        budget = Budget()
        kind, model = _read(path, data, budget)
    return SourceFile(path, len(data), _sha256(data), kind, model)


def _sha256(data: memoryview) -> str:
    """Hash of the very bytes that were read; they are let go of again, so that memory does not fill with
    them."""
    digest = hashlib.sha256()
    for start in range(0, len(data), _HASH_BYTES):
        digest.update(data[start : start + _HASH_BYTES])
        if isinstance(data.obj, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            data.obj.madvise(mmap.MADV_DONTNEED, start, min(_HASH_BYTES, len(data) - start))
    return digest.hexdigest()


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turns the reason of a refusal into a sentence with the file's name."""
    try:
        yield
    except RefusedError as error:
        raise UnsafeFileError(f"{path.name} is refused: {error}; {_NOTHING_RUN}.") from error


def _map(path: Path) -> memoryview:
    """The bytes of a file, without reading them yet. On every system the map lives as long as its views."""
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; give the path of a checkpoint file.")
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                raise CheckpointError(f"{path} is empty (0 bytes); give a checkpoint file.")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be opened ({error.strerror}); give a file that exists."
        ) from error


def _read(path: Path, data: memoryview, budget: Budget) -> tuple[str, PickledModel]:
    head = bytes(data[:512])
    if head.startswith(b"PK\x03\x04"):
        return "torch zip", model_of(read_zip(data, budget=budget), budget)
    if is_flat(data):
        views, metadata = read_flat(data)
        if "mien" in metadata:
            raise CheckpointError(f"{path} is a file of mien already; use it as it is.")
        return "safetensors", model_of(views, budget)
    if is_stream(data):
        allowed = Allowed(budget)
        return "torch stream", model_of(read_stream(data, allowed=allowed, budget=budget), budget)
    if head.startswith(b"\x80") or _OLD_PICKLE.match(head):
        return "pickle", model_of(_read_official(data, budget), budget)
    raise CheckpointError(
        f"{path} is not a checkpoint: it begins with {shown(head[:12])}; expected a pickle, a file of "
        "torch.save, or safetensors."
    )


def _read_official(data: memoryview, budget: Budget) -> Any:
    inner = Allowed(budget)  # what torch wraps in a byte string names no such byte strings itself

    def load_storage(raw: memoryview) -> Storage:
        value = read_stream(raw, allowed=inner, budget=budget)
        if not isinstance(value, Storage):
            raise RefusedError(f"'torch.storage._load_from_bytes' gives {kind_of(value)}; expected a storage")
        return value

    return read_pickle(Machine(data, resolve=Allowed(budget, load_storage).resolve, budget=budget))


def total_bytes(tensors: dict[str, TensorView]) -> int:
    """Bytes that tensors take as float32."""
    return sum(4 * view.count for view in tensors.values())
