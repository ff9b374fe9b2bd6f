"""The names that a checkpoint may mention, and what stands for them. Every other name ends the reading.

The list is that of the facts about official checkpoints: six plain classes, torch's three functions for
tensors, NumPy's scalars, dictionaries, and the one function that restores persistent objects. Classes of
`training` and `torch.nn.modules` are told by their place: they only ever become inert instances that cannot
be called.
"""

import re
import struct
from collections.abc import Callable
from typing import Any, Final

from mien.generator.official.machine import check_key
from mien.generator.official.values import (
    BFLOAT16,
    MAX_DIMS,
    Budget,
    Instance,
    NumpyType,
    RefusedError,
    Storage,
    Stub,
    TensorView,
    shown,
)

STORAGE_TYPES: Final[dict[str, str]] = {
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "DoubleStorage": "<f8",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
"""torch's storage classes and the NumPy code of their numbers."""

_SCALARS: Final = {
    "f4": "<f", "f8": "<d", "b1": "<?",
    "i1": "<b", "i2": "<h", "i4": "<i", "i8": "<q",
    "u1": "<B", "u2": "<H", "u4": "<I", "u8": "<Q",
}  # fmt: skip
"""NumPy's codes of scalars, in the layouts of `struct`."""

_INERT_CLASS: Final = re.compile(r"(training|torch\.nn\.modules)(\.[A-Za-z]\w{0,60}){1,5}", re.ASCII)
_MAX_ENCODED: Final = 4096


class Allowed:
    """Our table of names; `load_storage` reads the bytes in which torch wraps one storage."""

    def __init__(self, budget: Budget, load_storage: Callable[[memoryview], Storage] | None = None) -> None:
        self._budget = budget
        self._load_storage = load_storage
        self._table = {stub.name: stub for stub in self._stubs()}

    def resolve(self, name: str) -> Stub:
        """The stub of a full name; RefusedError with the name if it is not ours."""
        if name in self._table:
            return self._table[name]
        if _INERT_CLASS.fullmatch(name):
            return Stub(name, make=lambda: Instance(name))
        raise RefusedError(f"it asks for the global {shown(name)}, which no checkpoint needs")

    def _stubs(self) -> list[Stub]:
        calls: dict[str, Callable[[tuple[Any, ...]], Any]] = {
            "torch_utils.persistence._reconstruct_persistent_obj": persistent_object,
            "torch._utils._rebuild_parameter": rebuilt_parameter,
            "torch._utils._rebuild_tensor_v2": rebuilt_tensor,
            "collections.OrderedDict": self._pairs,
            "builtins.set": self._unique,
            "__builtin__.set": self._unique,
            "numpy.dtype": numpy_type,
            "_codecs.encode": encoded,
        }
        calls |= {f"numpy.{core}.multiarray.scalar": numpy_scalar for core in ("core", "_core")}
        if self._load_storage is not None:
            calls["torch.storage._load_from_bytes"] = self._storage
        stubs = [Stub(name, call=call, make=dict if "Dict" in name else None) for name, call in calls.items()]
        stubs += [Stub(name, make=dict) for name in ("dnnlib.util.EasyDict", "dnnlib.EasyDict")]
        for place in ("torch", "torch.cuda"):
            stubs += [Stub(f"{place}.{name}", value=code) for name, code in STORAGE_TYPES.items()]
        return stubs

    def _storage(self, arguments: tuple[Any, ...]) -> Storage:
        (data,) = _arguments(arguments, (memoryview,), "torch.storage._load_from_bytes")
        assert self._load_storage is not None
        return self._load_storage(data)

    def _unique(self, arguments: tuple[Any, ...]) -> frozenset[Any]:
        items = arguments[0] if arguments else []
        if len(arguments) > 1 or not isinstance(items, list):
            raise RefusedError("it calls 'builtins.set' in a way that no checkpoint does")
        self._budget.spend(len(items))
        return frozenset(map(check_key, items))

    def _pairs(self, arguments: tuple[Any, ...]) -> dict[Any, Any]:
        if arguments:
            raise RefusedError("it calls 'collections.OrderedDict' in a way that no checkpoint does")
        return {}


def _arguments(found: tuple[Any, ...], kinds: tuple[type, ...], name: str) -> tuple[Any, ...]:
    """The first arguments, of these kinds; more may follow."""
    if len(found) < len(kinds) or not all(isinstance(a, k) for a, k in zip(found, kinds, strict=False)):
        raise RefusedError(f"it calls {shown(name)} with other arguments than checkpoints do")
    return found[: len(kinds)]


def persistent_object(arguments: tuple[Any, ...]) -> Instance:
    """`_reconstruct_persistent_obj(meta)`: the class's name and attributes; its source is left unread."""
    name = "torch_utils.persistence._reconstruct_persistent_obj"
    (meta,) = _arguments(arguments, (dict,), name)
    class_name, state = meta.get("class_name"), meta.get("state")
    if meta.get("type") != "class" or not isinstance(class_name, str) or not isinstance(state, dict):
        raise RefusedError(f"it calls {shown(name)} with other arguments than checkpoints do")
    return Instance(class_name, state)


def rebuilt_tensor(arguments: tuple[Any, ...]) -> TensorView:
    """`_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, ...)`."""
    name = "torch._utils._rebuild_tensor_v2"
    storage, offset, shape, stride = _arguments(arguments, (Storage, int, tuple, tuple), name)
    if len(shape) != len(stride) or len(shape) > MAX_DIMS:
        raise RefusedError(
            f"a tensor has {len(shape)} sizes and {len(stride)} strides; as many, and at most {MAX_DIMS}, "
            "are expected"
        )
    if not all(type(n) is int for n in (offset, *shape, *stride)):
        raise RefusedError("a tensor's offset, sizes or strides are not integers")
    return TensorView(storage, offset, shape, stride)


def rebuilt_parameter(arguments: tuple[Any, ...]) -> TensorView:
    """`_rebuild_parameter(data, requires_grad, hooks)`."""
    (view,) = _arguments(arguments, (TensorView,), "torch._utils._rebuild_parameter")
    assert isinstance(view, TensorView)
    return view


def numpy_type(arguments: tuple[Any, ...]) -> NumpyType:
    """`numpy.dtype(code, align, copy)`."""
    (code,) = _arguments(arguments, (str,), "numpy.dtype")
    return NumpyType(code)


def numpy_scalar(arguments: tuple[Any, ...]) -> float | int | bool:
    """`scalar(dtype, bytes)`: a Python number."""
    kind, data = _arguments(arguments, (NumpyType, memoryview), "numpy.core.multiarray.scalar")
    layout = _SCALARS.get(kind.code)
    if layout is None or len(data) != struct.calcsize(layout):
        raise RefusedError(f"a NumPy scalar of type {shown(kind.code)} with {len(data)} bytes cannot be read")
    value: float | int | bool = struct.unpack(layout, data)[0]
    return value


def encoded(arguments: tuple[Any, ...]) -> memoryview:
    """`_codecs.encode(text, "latin1")`: how protocol 2 writes the bytes of NumPy's scalars."""
    text, coding = _arguments(arguments, (str, str), "_codecs.encode")
    if coding != "latin1" or len(text) > _MAX_ENCODED or not all(ord(c) < 256 for c in text):
        raise RefusedError("it calls '_codecs.encode' with other arguments than checkpoints do")
    return memoryview(text.encode("latin-1"))
