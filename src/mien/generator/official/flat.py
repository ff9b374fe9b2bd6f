"""Safetensors of any origin, read with every claim of the header checked and named."""

import json
from typing import Any, Final

from mien.generator.official.values import BFLOAT16, RefusedError, Storage, TensorView, item_bytes, shown

MAX_HEADER: Final = 4 << 20
"""A full generator's header has about 20 KiB."""
METADATA: Final = "__metadata__"
_LENGTH_BYTES: Final = 8
NUMBER_TYPES: Final[dict[str, str]] = {
    "F32": "<f4",
    "F16": "<f2",
    "F64": "<f8",
    "BF16": BFLOAT16,
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U8": "|u1",
    "BOOL": "|b1",
}


def is_flat(data: memoryview) -> bool:
    """Whether bytes begin like safetensors: a length, then JSON."""
    return len(data) > _LENGTH_BYTES and data[_LENGTH_BYTES] == ord("{")


def read_flat(data: memoryview) -> tuple[dict[str, TensorView], dict[str, Any]]:
    """Tensors as views, and the metadata; RefusedError if the header does not describe the file exactly."""
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    body = _LENGTH_BYTES + length
    if body > len(data):
        raise RefusedError(
            f"it is cut off or lies: its header is said to have {length} bytes, in a file of {len(data)}"
        )
    if length > MAX_HEADER:
        raise RefusedError(f"its header has {length} bytes; expected at most {MAX_HEADER}")
    header = parse_header(bytes(data[_LENGTH_BYTES:body]))
    metadata = header.pop(METADATA, {})
    views: dict[str, TensorView] = {}
    places: list[tuple[int, int, str]] = []
    for name, entry in header.items():
        begin, end, views[name] = _view(name, entry, data[body:])
        places.append((begin, end, name))
    _check_places(sorted(places), len(data) - body)
    return views, metadata if isinstance(metadata, dict) else {}


def parse_header(text: bytes) -> dict[str, Any]:
    """The JSON of a header, with no name twice."""
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    except RecursionError:
        raise RefusedError("the JSON of its header nests too deeply") from None
    except ValueError as error:  # also text that is not UTF-8
        raise RefusedError(f"its header is not JSON ({shown(str(error))})") from None
    if not isinstance(header, dict):
        raise RefusedError("its header is not a JSON object")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise RefusedError(f"its header has the name {shown(name)} twice")
        found[name] = value
    return found


def _view(name: str, entry: Any, body: memoryview) -> tuple[int, int, TensorView]:
    """Begin and end in the body, and the view, of an entry of the header."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise RefusedError(f"its header describes {shown(name)} without dtype, shape and data_offsets alone")
    number_type = NUMBER_TYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if number_type is None:
        raise RefusedError(f"its header gives {shown(name)} a dtype that no checkpoint has")
    shape, offsets = entry["shape"], entry["data_offsets"]
    lists = isinstance(shape, list) and isinstance(offsets, list) and len(offsets) == 2 and len(shape) <= 8
    if not lists or not all(type(n) is int and 0 <= n < 1 << 62 for n in (*shape, *offsets)):
        raise RefusedError(f"its header gives {shown(name)} a shape or offsets that cannot be")
    begin, end = offsets
    count, strides = 1, []
    for size in reversed(shape):
        strides.append(count)
        count *= size
    if end - begin != count * item_bytes(number_type):
        raise RefusedError(
            f"its header gives {shown(name)} {end - begin} bytes for {count} numbers ({entry['dtype']})"
        )
    if end > len(body):
        raise RefusedError(
            f"its header places {shown(name)} at {begin} to {end}, beyond the end at {len(body)}"
        )
    storage = Storage(number_type, count, body[begin:end])
    return begin, end, TensorView(storage, 0, tuple(shape), tuple(reversed(strides)))


def _check_places(places: list[tuple[int, int, str]], size: int) -> None:
    """Tensors must lie side by side and fill the file."""
    at = 0
    for begin, end, name in places:
        if begin != at:
            raise RefusedError(
                f"its header lets {shown(name)} {'overlap another' if begin < at else 'leave a gap'}"
            )
        at = end
    if at != size:
        raise RefusedError(f"its header describes {at} bytes of numbers, but {size} follow")
