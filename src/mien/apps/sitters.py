"""Whom a command shows: the person of a photo or avatar, or a random one of the generator."""

from pathlib import Path
from typing import TYPE_CHECKING

from mien.apps.options import DeviceChoice, avatar_options

if TYPE_CHECKING:
    from mien.generator.view import Sitter


def open_sitter(
    source: Path | None, *, face: str, model: Path | None, device: DeviceChoice, seed: int,
    truncation: float, kept: Path, effort: str, size_px: int = 384, plain: bool = False,
) -> "Sitter":  # fmt: skip
    """The person to go around; a photo is inverted first, with a bar on stderr. `plain`: before grey.

    An inversion that takes long is kept in the folder `kept`.
    """
    from mien.apps.stages import stage_bar
    from mien.core.device import resolve_device
    from mien.generator.loading import load_model
    from mien.generator.official.library import find_model
    from mien.generator.people import random_sitter
    from mien.pipeline import avatar_sitter, open_avatar

    if source is None:
        found = None if model is None else find_model(model)
        generator = load_model(found, device=resolve_device(device))
        return random_sitter(generator, seed=seed, truncation=truncation, size_px=size_px)
    with stage_bar("inverting") as report:
        made = avatar_options(face=face, head_only=True, model=model, effort=effort, seed=seed)
        avatar = open_avatar(source, made, report=report, kept=kept)
    return avatar_sitter(avatar, size_px=size_px, model=model, device=device, plain=plain)
