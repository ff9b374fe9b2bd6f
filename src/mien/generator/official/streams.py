"""The older format of torch.save: five pickles in a row, then the raw data of each storage.

magic number, protocol 1001, a description of the machine, the object (in which storages are persistent ids
`("storage", type, key, location, count, view)`), the keys of the storages; then for each key its count of
numbers as a 64-bit integer, and the numbers. Official checkpoints hold each tensor's storage as such a file
in a byte string. Locations such as "cuda:0" say where a tensor once lived and are ignored.
"""

from typing import Any, Final

from mien.generator.official.allowed import Allowed
from mien.generator.official.machine import Machine
from mien.generator.official.opcodes import read_pickle
from mien.generator.official.values import Budget, RefusedError, Storage, Stub, shown

MAGIC: Final = 0x1950A86A20F9469CFC6C
PROTOCOL: Final = 1001
_STREAM_STEPS: Final = 100
"""What starting on such a file costs; a full-size official checkpoint has five hundred of them."""


def is_stream(data: memoryview) -> bool:
    """Whether bytes begin like such a file: a pickle of the magic number."""
    return bytes(data[:2]) == b"\x80\x02" and MAGIC.to_bytes(10, "little") in bytes(data[:16])


def read_stream(data: memoryview, *, allowed: Allowed, budget: Budget) -> Any:
    """The object in such a file, its tensors as views; RefusedError if anything is not as it should be."""
    budget.spend(_STREAM_STEPS)
    storages: dict[str, Storage] = {}
    machine = Machine(
        data, resolve=allowed.resolve, budget=budget, persistent=lambda key: named_storage(key, storages)
    )
    if (magic := read_pickle(machine)) != MAGIC:
        raise RefusedError(
            f"data of torch begin with {_number(magic)} instead of the magic number {MAGIC:#x}"
        )
    if (protocol := read_pickle(machine)) != PROTOCOL:
        raise RefusedError(f"data of torch are written in protocol {_number(protocol)}; expected {PROTOCOL}")
    system = read_pickle(machine)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise RefusedError("data of torch were not written on a little-endian machine")
    value = read_pickle(machine)
    keys = read_pickle(machine)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise RefusedError("data of torch have no list of storages")
    for key in keys:
        _read_data(machine, key, storages)
    for name, storage in storages.items():
        if storage.data is None:
            raise RefusedError(f"it names the storage {shown(name)}, whose data are not in the file")
    return value


def named_storage(key: Any, storages: dict[str, Storage]) -> Storage:
    """The storage of a persistent id, made when it is named for the first time."""
    if not (
        isinstance(key, tuple) and 5 <= len(key) <= 6 and isinstance(key[0], str) and key[0] == "storage"
    ):
        raise RefusedError("it has a persistent id that is not one of torch's storages")
    kind, name, count = key[1], key[2], key[4]
    if not isinstance(kind, Stub) or not isinstance(kind.value, str):
        raise RefusedError("a storage has no number type that checkpoints have")
    if not isinstance(name, str) or type(count) is not int or count < 0:
        raise RefusedError("a storage has no name or no count of numbers")
    if len(key) == 6 and key[5] is not None:
        raise RefusedError(f"the storage {shown(name)} is a part of another, which is not supported")
    storage = storages.setdefault(name, Storage(kind.value, count))
    if (storage.number_type, storage.count) != (kind.value, count):
        raise RefusedError(f"the storage {shown(name)} is described in two ways")
    return storage


def _read_data(machine: Machine, key: str, storages: dict[str, Storage]) -> None:
    if key not in storages:
        raise RefusedError(f"it lists the storage {shown(key)}, which no tensor uses")
    storage = storages[key]
    count = machine.number("<q")
    if count != storage.count or storage.data is not None:
        raise RefusedError(
            f"the storage {shown(key)} claims {storage.count} numbers, but {count} are said to follow"
        )
    storage.data = machine.take(count * storage.item_bytes)


def _number(value: Any) -> str:
    return shown(value) if type(value) is int else f"a value of type {type(value).__name__}"
