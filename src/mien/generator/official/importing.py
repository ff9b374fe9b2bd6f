"""From an official checkpoint to a file of ours: everything is checked before anything is written."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from mien import __version__
from mien.core.atomic import check_output
from mien.core.checkpoint import require_keys
from mien.core.errors import InputError
from mien.generator.eg3d.checkpoint import expected_shapes, save_eg3d_state
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.official.objects import PLANE_AXES, PickledModel
from mien.generator.official.presets import NEURAL_RESOLUTION, described
from mien.generator.official.source import SourceFile, read_source, refusing, total_bytes
from mien.generator.official.values import RefusedError, TensorView, shown

SUFFIX: Final = ".safetensors"
LICENCE: Final = "NVIDIA source code licence, non-commercial: research use only"
UNKNOWN_LICENCE: Final = "not stated in the file; weights trained from NVIDIA's are for research use only"
_GROWTH: Final = 4
"""Half precision doubles as float32; a file whose tensors grow more shows the same bytes again and again."""


@dataclass(frozen=True)
class Imported:
    """What was written."""

    path: Path
    config: Eg3dConfig
    parameters: int
    """Numbers in all tensors."""
    provenance: dict[str, Any]
    """As in the header."""


def import_checkpoint(
    source: Path, output: Path, *, preset: str | None = None, options: Iterable[str] = ()
) -> Imported:
    """Write the generator in an official checkpoint, or in a state dict of one, as safetensors with a JSON
    header.

    `preset` and `options` say how a bare state dict is rendered (see `presets`). Nothing of the file is
    imported or run. Raises CheckpointError with the name or key at fault, InputError for wrong options;
    then nothing is written.
    """
    check_output(output, suffixes=(SUFFIX,), inputs=(source,))
    file = read_source(source)
    with refusing(source):
        config, views = _fitting(file, preset, tuple(options))
        tensors = {name: read_tensor(name, view) for name, view in views.items()}
    provenance = _provenance(file)
    header = {"provenance": provenance, "weights_sha256": weights_sha256(tensors)}
    save_eg3d_state(output, config, tensors, header=header)
    count = sum(tensor.numel() for tensor in tensors.values())
    return Imported(output, config, count, provenance)


def _fitting(
    file: SourceFile, preset: str | None, options: tuple[str, ...]
) -> tuple[Eg3dConfig, dict[str, TensorView]]:
    """The config that a file describes and its tensors, names and shapes checked, before any is read."""
    model = file.model
    views = {name: view for name, view in model.tensors.items() if name != PLANE_AXES}
    for name in views:
        if not (name.isascii() and name.isprintable() and len(name) <= 200):
            raise RefusedError(f"a tensor has the name {shown(name)}")
    if total_bytes(views) > _GROWTH * file.bytes:
        raise RefusedError(
            f"its tensors are said to take {total_bytes(views)} bytes, in a file of {file.bytes}"
        )
    config = Eg3dConfig.from_official(*_description(model, views, preset, options))
    held = {name: torch.empty(view.shape, device="meta") for name, view in views.items()}
    require_keys(held, expected_shapes(config), source=file.path.name)
    return config, views


def _description(
    model: PickledModel, views: Mapping[str, TensorView], preset: str | None, options: tuple[str, ...]
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Class name, constructor arguments and attributes."""
    if model.class_name is None:
        shapes = {name: view.shape for name, view in views.items()}
        class_name, init, attributes = described(shapes, preset, options)
    elif preset is not None or options:
        raise InputError(
            "The file says itself how it was built and is rendered; leave out --config and --option, "
            "which are for bare state dicts."
        )
    else:
        class_name, init = model.class_name, model.init_kwargs
        attributes = {
            name: model.attributes[name]
            for name in ("rendering_kwargs", NEURAL_RESOLUTION)
            if name in model.attributes
        }
    if model.plane_axes is not None:
        if model.plane_axes.shape != (3, 3, 3):
            raise RefusedError(
                f"its plane axes have the shape {shown(model.plane_axes.shape)}; expected (3, 3, 3)"
            )
        attributes["plane_axes"] = model.plane_axes.read().tolist()
    return class_name, init, attributes


def read_tensor(name: str, view: TensorView) -> Tensor:
    """A tensor's numbers, all of them finite."""
    tensor = view.read()
    if not bool(torch.isfinite(tensor).all()):
        raise RefusedError(
            f"the tensor {name} holds numbers that are not finite; the training diverged, or it is damaged"
        )
    return tensor


def weights_sha256(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes and numbers of all tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _provenance(file: SourceFile) -> dict[str, Any]:
    official = file.model.class_name is not None
    return {
        "file": file.path.name,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "kind": file.kind,
        "network": file.model.network,
        "class": file.model.class_name or "not stated",
        "imported": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "licence": LICENCE if official else UNKNOWN_LICENCE,
        "mien": __version__,
    }
