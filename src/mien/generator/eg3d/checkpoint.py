"""EG3D generators as files: safetensors with every size and option in the JSON header."""

import math
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, get_type_hints

import torch
from torch import Tensor

from mien.core.checkpoint import read_safetensors, require_keys, write_safetensors
from mien.core.errors import CheckpointError
from mien.generator.eg3d.config import Eg3dConfig, checked
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.eg3d.superres import SUPERRES, SuperResConfig

KIND: Final = "eg3d"
LARGEST: Final = 1 << 53
"""Whole numbers below it are exact as float."""
SUPERRES_CLASSES: Final = {config.__name__: config for config in SUPERRES}


def expected_shapes(config: Eg3dConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of such a generator, without making them."""
    with torch.device("meta"):
        generator = Eg3dGenerator(config)
    return {name: tuple(tensor.shape) for name, tensor in generator.state_dict().items()}


def generator_of(config: Eg3dConfig, tensors: Mapping[str, Tensor], *, source: str = "") -> Eg3dGenerator:
    """A generator with these weights (float32, not copied), in evaluation mode, without gradients.

    Raises CheckpointError unless names and shapes are exactly those of `config` and all numbers are finite.
    """
    require_keys(tensors, expected_shapes(config), source=source)
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"The tensor {name} of the checkpoint {source} holds other numbers than finite real ones; "
                "the file is damaged, or its training diverged. Take another one."
            )
    with torch.device("meta"):
        generator = Eg3dGenerator(config)
    generator.load_state_dict({name: t.float() for name, t in tensors.items()}, strict=True, assign=True)
    return generator.eval().requires_grad_(False)


def save_eg3d(path: str | Path, generator: Eg3dGenerator, *, header: Mapping[str, Any] | None = None) -> None:
    """Write a generator; `header` may add plain JSON, such as where it came from."""
    save_eg3d_state(path, generator.config, generator.state_dict(), header=header)


def save_eg3d_state(
    path: str | Path,
    config: Eg3dConfig,
    tensors: Mapping[str, Tensor],
    *,
    header: Mapping[str, Any] | None = None,
) -> None:
    """Write a generator's tensors without building it; names and shapes are checked first."""
    require_keys(tensors, expected_shapes(config))
    write_safetensors(path, tensors, {**(header or {}), "kind": KIND, "config": config_to_json(config)})


def load_eg3d(path: str | Path, *, device: torch.device | str = "cpu") -> Eg3dGenerator:
    """Read a generator, ready to render. CheckpointError on anything unexpected."""
    checkpoint = read_safetensors(path, kind=KIND)
    config = config_from_json(checkpoint.header.get("config"), source=str(path))
    return generator_of(config, checkpoint.tensors, source=str(path)).to(device)


def config_to_json(config: Eg3dConfig) -> dict[str, Any]:
    """A config as plain JSON; the super-resolution's class goes by its name."""
    data = asdict(config)
    data["superres"]["class"] = type(config.superres).__name__
    return data


def config_from_json(data: Any, *, source: str = "") -> Eg3dConfig:
    """Inverse of `config_to_json`; CheckpointError on missing, unknown or impossible values."""
    return checked(_read(Eg3dConfig, data, "config", source))


def _read(kind: type, data: Any, where: str, source: str) -> Any:
    """A dataclass from a dict with exactly its fields."""
    if not isinstance(data, dict):
        raise _header_error(source, f"{where} is {reprlib.repr(data)}", "expected names and values")
    data = dict(data)
    if kind is SuperResConfig:
        name = data.pop("class", None)
        if name not in SUPERRES_CLASSES:
            raise _header_error(
                source, f"{where}.class is {name!r}", f"mien knows {sorted(SUPERRES_CLASSES)}"
            )
        kind = SUPERRES_CLASSES[name]
    hints = get_type_hints(kind)
    names = {field.name for field in fields(kind)}
    if data.keys() != names:
        odd = sorted(map(str, data.keys() ^ names))
        raise _header_error(source, f"{where} lacks or has too much: {odd}", f"expected {sorted(names)}")
    return kind(**{name: _value(hints[name], data[name], f"{where}.{name}", source) for name in names})


def _value(hint: Any, value: Any, where: str, source: str) -> Any:
    from beartype.door import is_bearable  # a fifth of a second of every command, if imported above

    if is_dataclass(hint):
        assert isinstance(hint, type)
        return _read(hint, value, where, source)
    if isinstance(value, list):
        value = tuple(value)  # JSON has no tuples
    if type(value) is int and abs(value) < LARGEST and not is_bearable(value, hint):
        value = float(value)  # nor a float without a fraction
    numbers = value if isinstance(value, tuple) else (value,)
    if not is_bearable(value, hint) or any(isinstance(x, float) and not math.isfinite(x) for x in numbers):
        raise _header_error(source, f"{where} is {reprlib.repr(value)}", f"expected {hint}")
    return value


def _header_error(source: str, found: str, expected: str) -> CheckpointError:
    return CheckpointError(
        f"In the header of the EG3D file {source} {found}; {expected}. "
        "The file is damaged or of another version."
    )
