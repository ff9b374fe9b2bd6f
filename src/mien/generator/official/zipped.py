"""The present format of torch.save: a zip of uncompressed entries, one pickle and one entry for each storage.

The directory is read here and not by `zipfile`, so that the data stay views of the file, compressed entries
(which could unpack to anything) are refused, and a directory of millions of entries is not even begun.
"""

import struct
from typing import Any, Final

from mien.generator.official.allowed import Allowed
from mien.generator.official.machine import Machine
from mien.generator.official.opcodes import read_pickle
from mien.generator.official.streams import named_storage
from mien.generator.official.values import Budget, RefusedError, Storage, shown

MAX_ENTRIES: Final = 20_000
_END: Final = struct.Struct("<4s4H2LH")
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_END_SEARCH: Final = 1 << 16
_STORED: Final = 0
_ENCRYPTED: Final = 1


def read_zip(data: memoryview, *, budget: Budget) -> Any:
    """The object in a zip of torch, its tensors as views; RefusedError if anything is not as it should be."""
    entries = zip_entries(data)
    pickles = [name for name in entries if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise RefusedError(
            f"a zip of torch has one entry data.pkl, but this one has {len(pickles)} among {len(entries)} "
            "entries"
        )
    root = pickles[0].removesuffix("data.pkl")
    if bytes(entries.get(f"{root}byteorder", memoryview(b"little"))) != b"little":
        raise RefusedError("data of torch were not written on a little-endian machine")
    storages: dict[str, Storage] = {}
    allowed = Allowed(budget)
    machine = Machine(
        entries[pickles[0]],
        resolve=allowed.resolve,
        budget=budget,
        persistent=lambda key: named_storage(key, storages),
    )
    value = read_pickle(machine)
    for name, storage in storages.items():
        raw = entries.get(f"{root}data/{name}")
        if raw is None or len(raw) != storage.count * storage.item_bytes:
            found = "no entry" if raw is None else f"{len(raw)} bytes"
            raise RefusedError(
                f"the storage {shown(name)} claims {storage.count} numbers ({storage.number_type}), but "
                f"has {found}"
            )
        storage.data = raw
    return value


def zip_entries(data: memoryview) -> dict[str, memoryview]:
    """The bytes of each entry by its name, all of them uncompressed."""
    count, start, size = _directory(data)
    if count > MAX_ENTRIES:
        raise RefusedError(f"it is a zip of {count} entries; expected at most {MAX_ENTRIES}")
    if start + size > len(data):
        raise RefusedError("it is cut off or damaged: the directory of the zip lies outside the file")
    entries: dict[str, memoryview] = {}
    at = start
    for _ in range(count):
        name, body, at = _entry(data, at)
        if name in entries:
            raise RefusedError(f"it has two entries named {shown(name)}")
        entries[name] = body
    return entries


def _directory(data: memoryview) -> tuple[int, int, int]:
    """Count of entries, start and size of the directory, from the record at the end of a zip."""
    tail_start = max(len(data) - _END_SEARCH - _END.size, 0)
    tail = bytes(data[tail_start:])
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise RefusedError(
            "it begins like a zip but is cut off or damaged: the directory at the end is missing"
        )
    _, _, _, _, count, size, start, _ = _END.unpack_from(tail, at)
    if 0xFFFFFFFF in (size, start) or count == 0xFFFF:
        raise RefusedError("it is a zip of more than 4 GiB or 65534 entries, larger than any EG3D checkpoint")
    return count, start, size


def _entry(data: memoryview, at: int) -> tuple[str, memoryview, int]:
    """Name and bytes of the entry described at a place in the directory, and the place of the next."""
    if at + _ENTRY.size > len(data):
        raise RefusedError("it is cut off or damaged: the directory of the zip ends too early")
    fields = _ENTRY.unpack_from(data, at)
    flags, method, packed, size = fields[3], fields[4], fields[8], fields[9]
    name_size, extra_size, comment_size, local = fields[10], fields[11], fields[12], fields[16]
    name_start = at + _ENTRY.size
    name = bytes(data[name_start : name_start + name_size]).decode("utf-8", "replace")
    if fields[0] != b"PK\x01\x02":
        raise RefusedError("it is damaged: the directory of the zip holds something else")
    if method != _STORED or flags & _ENCRYPTED or packed != size:
        raise RefusedError(f"the entry {shown(name)} of the zip is compressed, which torch never does")
    if local + _LOCAL.size > len(data) or bytes(data[local : local + 4]) != b"PK\x03\x04":
        raise RefusedError(f"the entry {shown(name)} of the zip is not where its directory says")
    *_, local_name, local_extra = _LOCAL.unpack_from(data, local)
    start = local + _LOCAL.size + local_name + local_extra
    if start + size > len(data):
        raise RefusedError(f"the entry {shown(name)} of the zip claims {size} bytes that are not in the file")
    return name, data[start : start + size], name_start + name_size + extra_size + comment_size
