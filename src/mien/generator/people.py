"""Random people of a generator of either kind: one to go around, or many on a sheet."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mien.core.atomic import check_output
from mien.core.progress import progress
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.eg3d.person import random_person
from mien.generator.eg3d.rows import eg3d_rows
from mien.generator.loading import AnyGenerator, load_model
from mien.generator.samples import base_rows, join_pictures, random_heads, still_head
from mien.generator.view import Sitter
from mien.io.images import PICTURE_SUFFIXES, write_image
from mien.morphable.model import load_head_model


def random_sitter(
    generator: AnyGenerator, *, seed: int = 0, truncation: float = 0.7, size_px: int = 384
) -> Sitter:
    """A person who does not exist: the first on a sheet of the same seed."""
    if isinstance(generator, Eg3dGenerator):
        return random_person(generator, seed, truncation=truncation, size_px=size_px)
    model = load_head_model()
    head = random_heads(generator, model, 1, truncation=truncation, seed=seed)[0]
    return still_head(generator, model, head.identity, head.w, size_px=size_px)


def sample_sheet(
    generator: AnyGenerator, *, count: int = 8, truncation: float = 0.7, seed: int = 0
) -> NDArray[np.uint8]:
    """Random heads, one a row: five yaw angles, depth and normals."""
    rows: Iterator[list[NDArray[np.uint8]]]
    if isinstance(generator, Eg3dGenerator):
        rows = eg3d_rows(generator, count, truncation=truncation, seed=seed)
    else:
        rows = base_rows(generator, count, truncation=truncation, seed=seed)
    return join_pictures(list(progress(rows, desc="heads", total=count)))


def write_samples(
    output: Path,
    *,
    count: int = 8,
    truncation: float = 0.7,
    seed: int = 0,
    model: Path | None = None,
    device: torch.device | str = "cpu",
) -> None:
    """`mien sample`: a contact sheet of random heads of mien-base, or of the generator file `model`."""
    check_output(output, suffixes=PICTURE_SUFFIXES, inputs=() if model is None else (model,))
    generator = load_model(model, device=device)
    write_image(output, sample_sheet(generator, count=count, truncation=truncation, seed=seed))
