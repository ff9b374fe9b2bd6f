"""Checks that every kind of avatar file shares."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from mien.core.checkpoint import require_keys
from mien.core.errors import CheckpointError

RGB_PICTURES: Final = ("photo", "plate", "background")
CHEST: Final = "chest"
"""A picture that is missing in the files of earlier versions."""

Sizes = Mapping[str, tuple[int | None, ...]]
"""Shapes by name; None is any size."""


def require_sound(
    tensors: Mapping[str, Tensor], fixed: Sizes, path: Path, *, tuned: Mapping[str, Tensor] | None = None
) -> None:
    """Names, shapes, types and finite numbers, or CheckpointError; the names and shapes of `tuned` are free.

    Beside the `fixed` ones there are the pictures, 8 bit, all of the photo's size.
    """
    photo = tensors.get("photo")
    height, width = photo.shape[:2] if photo is not None and photo.ndim == 3 else (None, None)
    pictures: dict[str, tuple[int | None, ...]] = dict.fromkeys(RGB_PICTURES, (height, width, 3))
    pictures["alpha"] = (height, width)
    if CHEST in tensors:
        pictures[CHEST] = (height, width)
    require_keys(dict(tensors), {**fixed, **pictures}, source=str(path))
    for name, tensor in {**tensors, **(tuned or {})}.items():
        is_picture = name in pictures
        if is_picture != (tensor.dtype == torch.uint8) or not (is_picture or tensor.is_floating_point()):
            raise CheckpointError(
                f"{path} holds {name} as {tensor.dtype}, which mien does not write; invert the photo again."
            )
        if not is_picture and not bool(tensor.isfinite().all()):
            raise CheckpointError(
                f"{path} holds numbers in {name} that are not finite; it is damaged: invert the photo again."
            )


def provenance_of(header: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Where an avatar comes from, or CheckpointError."""
    provenance = header.get("provenance")
    if not isinstance(provenance, dict):
        raise CheckpointError(
            f"{path} has no provenance in its header; make the avatar again with `mien invert`."
        )
    return provenance
