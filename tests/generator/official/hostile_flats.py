"""Safetensors that lie, and files that are no checkpoints at all."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from tests.generator.official.hostile_pickles import Hostile, fixed


def flat(header: Any, body: bytes = b"\0" * 8, length: int | None = None) -> Callable[[Path], bytes]:
    """Safetensors by hand."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return fixed(struct.pack("<Q", len(raw) if length is None else length) + raw + body)


def entry(begin: int = 0, end: int = 8, shape: Any = (2,), dtype: Any = "F32", **more: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end], **more}


def _flats() -> list[Hostile]:
    twice = b'{"a": %b, "a": %b}' % ((json.dumps(entry()).encode(),) * 2)
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    cases: list[tuple[str, str, Callable[[Path], bytes], str]] = [
        ("header of 2^63 bytes", "claims a header of 2^63 bytes", flat({"a": entry()}, length=1 << 63),
         "said to have 9223372036854775808"),
        ("header longer than the file", "claims a longer header", flat({"a": entry()}, length=9999),
         "said to have 9999"),
        ("header of 8 MiB", "has a header of 8 MiB", flat(b"{" + b" " * (8 << 20) + b"}"),
         "its header has 8388610 bytes"),
        ("offsets beyond the end", "places a tensor beyond the end", flat({"a": entry(0, 800, (200, ))}),
         "'a' at 0 to 800, beyond"),
        ("offsets of 2^61", "places a tensor at 2^61", flat({"a": entry(1 << 61, (1 << 61) + 8)}), "'a' at"),
        ("overlap", "lets two tensors overlap", flat({"a": entry(), "b": entry(4, 12)}, b"\0" * 12),
         "'b' overlap another"),
        ("gap", "leaves a gap", flat({"a": entry(), "b": entry(12, 20)}, b"\0" * 20), "'b' leave a gap"),
        ("more bytes than tensors", "has bytes that are nobody's", flat({"a": entry()}, b"\0" * 80),
         "80 follow"),
        ("wrong dtype", "claims float64 for the bytes of float32", flat({"a": entry(dtype="F64")}),
         "'a' 8 bytes for 2 numbers"),
        ("unknown dtype", "has a dtype that does not exist", flat({"a": entry(dtype="OBJECT")}),
         "'a' a dtype"),
        ("dtype that is a list", "has a list as a dtype", flat({"a": entry(dtype=[])}), "'a' a dtype"),
        ("one name twice", "has one name twice", flat(twice), "name 'a' twice"),
        ("deep JSON", "nests JSON 100,000 deep", flat(deep), "nests too deeply"),
        ("broken JSON", "has half a JSON", flat(b'{"a": {"dtype'), "not JSON"),
        ("endless JSON number", "has a number of 100,000 digits", flat(b'{"a": ' + b"9" * 100_000 + b"}"),
         "not JSON"),
        ("JSON that is not UTF-8", "has bytes that are no text", flat(b'{"\xff": 1}'), "not JSON"),
        ("negative offset", "has a negative offset", flat({"a": entry(-8, 0)}), "'a' a shape or offsets"),
        ("end before begin", "ends before it begins", flat({"a": entry(8, 0)}), "'a' -8 bytes"),
        ("fraction as a size", "has 0.5 as a size", flat({"a": entry(shape=(0.5, ))}),
         "'a' a shape or offsets"),
        ("sizes of 2^61", "has sizes whose product is 2^122", flat({"a": entry(shape=(1 << 61, 1 << 61))}),
         "'a' 8 bytes for"),
        ("zero times endless", "has the sizes 0 and 2^61", flat({"a": entry(0, 0, (0, 1 << 61))}, b""),
         "larger than any"),
        ("no offsets", "has no offsets", flat({"a": {"dtype": "F32", "shape": [2]}}), "'a' without dtype"),
        ("entry that is text", "has a text as a tensor", flat({"a": "x"}), "'a' without dtype"),
        ("no tensors", "holds nothing", flat({"__metadata__": {}}, b""), "neither G_ema nor G"),
        ("other tensors", "holds tensors of another model", fixed(save({"conv.weight": torch.zeros(2, 2)})),
         r"not that of an EG3D generator: .backbone\.mapping"),
    ]  # fmt: skip
    return [Hostile(*case, suffix=".safetensors") for case in cases]


def _others() -> list[Hostile]:
    noise = np.random.default_rng(3).integers(0, 256, 20_000, np.uint8).tobytes()
    cases: list[tuple[str, str, bytes, str]] = [
        ("empty", "has zero bytes", b"", r"is empty \(0 bytes\)"),
        ("one byte", "has one byte", b"\x80", "cut off"),
        ("zeros", "holds zeros", b"\0" * 5000, "is not a checkpoint"),
        ("a letter", "is a text", b"Dear reader, this is no checkpoint.\n" * 40, "is not a checkpoint"),
        ("a web page", "is a page saved in place of the file", b"<!DOCTYPE html><html>sign in</html>",
         "<!DOCTYPE ht"),
        ("a pointer", "is a pointer of git-lfs", b"version https://git-lfs.github.com/spec/v1\n",
         "is not a checkpoint"),
        ("a picture", "is a PNG", b"\x89PNG\r\n\x1a\n" + noise, "is not a checkpoint"),
        ("noise", "holds noise", b"\xff" + noise, "is not a checkpoint"),
        ("noise as a pickle", "holds noise behind a pickle's first bytes", b"\x80\x04" + noise, "refused"),
        ("Python", "is a Python program", b"import os\nos.system('touch x')\n", "is not a checkpoint"),
    ]  # fmt: skip
    return [Hostile(name, tries, fixed(made), reason, suffix=".pkl") for name, tries, made, reason in cases]


FLATS: list[Hostile] = _flats() + _others()
