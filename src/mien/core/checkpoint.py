"""Checkpoints: one safetensors file with a JSON header. Nothing in them can execute code.

The header is a JSON object kept under the single metadata key `mien`; it always has
`"format": "mien"`, `"kind"` (what the file is, such as "avatar") and `"version"`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mien.core.atomic import atomic_path
from mien.core.errors import CheckpointError

FORMAT: Final = "mien"
VERSION: Final = 1
_HEADER_KEY: Final = "mien"
_SHOWN_NAMES: Final = 5


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint file holds."""

    tensors: dict[str, Tensor]
    header: dict[str, Any]
    """The JSON header, with `format`, `kind` and `version`."""


def write_safetensors(path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all; the same contents give the same bytes.

    `header` must have `kind` and be plain JSON (no NaN); `format` and `version` are added.
    """
    if not isinstance(header.get("kind"), str):
        raise ValueError(f"A checkpoint's header needs a `kind`, found {sorted(header)}.")
    full_header = {**header, "format": FORMAT, "version": VERSION}
    # One metadata key only: safetensors keeps them in random order.
    metadata = {_HEADER_KEY: json.dumps(full_header, sort_keys=True, ensure_ascii=False, allow_nan=False)}
    # Views that share memory are refused by safetensors, so each tensor gets its own.
    own = {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(own, temporary, metadata=metadata)
        temporary.chmod(0o644)  # safetensors lets nobody but the owner read


def read_safetensors(path: str | Path, *, kind: str, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint of the given kind.

    Raises CheckpointError if the file is missing, damaged, not mien's, of another kind, or from a newer mien.
    """
    header = read_header(path)
    if header.get("kind") != kind:
        raise CheckpointError(
            f"{path} is a mien file of kind {header.get('kind')!r}, but {kind!r} is needed here; "
            "give the right file."
        )
    with safe_open(path, framework="pt", device=str(device)) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    return Checkpoint(tensors=tensors, header=header)


def read_header(path: str | Path) -> dict[str, Any]:
    """The header of a checkpoint of any kind, without reading its tensors; raises CheckpointError."""
    if not Path(path).is_file():
        raise CheckpointError(f"{path} does not exist or is not a file; give the path of a mien file.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a readable safetensors file ({error}); it is damaged or of another kind. "
            "Give a file written by mien."
        ) from error
    return _parse_header(path, metadata.get(_HEADER_KEY))


def _parse_header(path: str | Path, text: str | None) -> dict[str, Any]:
    try:
        header = json.loads(text or "")
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is a safetensors file without mien's header; give a file written by mien."
        )
    version = header.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise CheckpointError(
            f"{path} has file version {version!r}, and this mien reads up to {VERSION}; install a newer mien."
        )
    return header


def require_keys(
    tensors: Mapping[str, Tensor], expected_shapes: Mapping[str, tuple[int | None, ...]], *, source: str = ""
) -> None:
    """Raise CheckpointError unless `tensors` has exactly these names and shapes (None: any size).

    `source` names the file in the error.
    """
    missing = expected_shapes.keys() - tensors.keys()
    extra = tensors.keys() - expected_shapes.keys()
    wrong = [
        f"{name} {tuple(tensors[name].shape)} instead of {shape}"
        for name, shape in sorted(expected_shapes.items())
        if name in tensors and not _fits(tensors[name].shape, shape)
    ]
    faults = (("missing", sorted(missing)), ("not expected", sorted(extra)), ("of another shape", wrong))
    found = "; ".join(f"{fault}: {_some(names)}" for fault, names in faults if names)
    if found:
        raise CheckpointError(
            f"The checkpoint{' ' + source if source else ''} does not hold the expected tensors ({found}); "
            "it belongs to another model or version."
        )


def _fits(found: Iterable[int], expected: tuple[int | None, ...]) -> bool:
    found = tuple(found)
    return len(found) == len(expected) and all(e in (None, f) for f, e in zip(found, expected, strict=True))


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
