"""Opening a generator of either kind, by what its file's header says it is."""

from pathlib import Path

import torch

from mien.core.checkpoint import read_header
from mien.core.errors import CheckpointError
from mien.generator.eg3d.checkpoint import KIND as EG3D
from mien.generator.eg3d.checkpoint import load_eg3d
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.model import KIND as BASE
from mien.generator.model import Generator, load_generator

AnyGenerator = Generator | Eg3dGenerator
"""mien-base and its kin, or EG3D."""


def model_kind(path: Path | None) -> str:
    """Kind of a generator file ("generator" or "eg3d"), from its header only; None is the bundled mien-base.

    Raises CheckpointError if it is no generator.
    """
    if path is None:
        return BASE
    kind = read_header(path).get("kind")
    if kind not in (BASE, EG3D):
        raise CheckpointError(
            f"{path} is a mien file of kind {kind!r}, but a model is needed here: of kind {BASE!r} "
            f"(mien-base) or {EG3D!r} (an EG3D checkpoint imported with `mien models import`)."
        )
    return kind


def load_model(path: Path | None = None, *, device: torch.device | str = "cpu") -> AnyGenerator:
    """A generator ready to render. CheckpointError on anything that is none, or that is damaged."""
    if path is not None and model_kind(path) == EG3D:
        return load_eg3d(path, device=device)
    return load_generator(path, device=device)


def require_base(path: Path | None, doing: str) -> None:
    """CheckpointError unless the file is of mien-base's kind, for what EG3D models cannot do yet.

    `doing` says what was asked for, such as "Inverting a photo".
    """
    if model_kind(path) != BASE:
        raise CheckpointError(
            f"{doing} does not work with EG3D models such as {path} yet; leave out --model, or give one of "
            "mien-base's kind."
        )
