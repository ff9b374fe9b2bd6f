"""Random people of a generator of either kind: one to go around, or many on a sheet."""

from collections.abc import Iterator, Sequence
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
from mien.generator.names.model import names_of, parse_values
from mien.generator.samples import Wanted, base_rows, first_seed, join_pictures, random_heads, still_head
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
    return still_head(
        generator, model, head.identity, head.w, size_px=size_px, detail=first_seed(seed), labels=head.labels
    )


def sample_sheet(
    generator: AnyGenerator,
    *,
    count: int = 8,
    truncation: float = 0.7,
    seed: int = 0,
    wanted: Wanted | None = None,
) -> NDArray[np.uint8]:
    """Random heads, one a row: five yaw angles, depth and normals. Raises InputError for unknown names."""
    rows: Iterator[list[NDArray[np.uint8]]]
    if isinstance(generator, Eg3dGenerator):
        if wanted is not None and (wanted.given or wanted.edits):
            names_of(None)
        rows = eg3d_rows(generator, count, truncation=truncation, seed=seed)
    else:
        rows = base_rows(generator, count, truncation=truncation, seed=seed, wanted=wanted)
    return join_pictures(list(progress(rows, desc="heads", total=count)))


def write_samples(
    output: Path,
    *,
    count: int = 8,
    truncation: float = 0.7,
    seed: int = 0,
    given: Sequence[str] = (),
    edits: Sequence[str] = (),
    plain: bool = False,
    model: Path | None = None,
    device: torch.device | str = "cpu",
) -> None:
    """`mien sample`: a contact sheet of random heads of mien-base, or of the generator file `model`.

    `given` and `edits` are texts such as `age=70`: what people are drawn with, and what is changed then.
    """
    check_output(output, suffixes=PICTURE_SUFFIXES, inputs=() if model is None else (model,))
    generator = load_model(model, device=device)
    names = None if isinstance(generator, Eg3dGenerator) else generator.names
    wanted = Wanted(parse_values(names, given), parse_values(names, edits), plain)
    sheet = sample_sheet(generator, count=count, truncation=truncation, seed=seed, wanted=wanted)
    write_image(output, sheet)
