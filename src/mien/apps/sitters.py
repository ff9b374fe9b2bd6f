"""Whom a command shows: the person of a photo or avatar, or a random one of the generator."""

from pathlib import Path
from typing import TYPE_CHECKING

from mien.apps.options import DeviceChoice

if TYPE_CHECKING:
    from mien.generator.view import Sitter


def open_sitter(
    source: Path | None, *, face: str, model: Path | None, device: DeviceChoice, seed: int,
    truncation: float, size_px: int = 384, plain: bool = False,
) -> "Sitter":  # fmt: skip
    """The person to go around; a photo is inverted first, with a bar on stderr. `plain`: before grey."""
    from mien.apps.stages import stage_bar
    from mien.core.device import resolve_device
    from mien.generator.loading import load_model, require_base
    from mien.generator.people import random_sitter
    from mien.inversion.invert import InversionConfig
    from mien.pipeline import ABOUT_PHOTOS, AvatarOptions, avatar_sitter, open_avatar

    if source is None:
        generator = load_model(model, device=resolve_device(device))
        return random_sitter(generator, seed=seed, truncation=truncation, size_px=size_px)
    require_base(model, ABOUT_PHOTOS)
    with stage_bar("inverting") as report:
        made = AvatarOptions(face=face, head_only=True, model=model, inversion=InversionConfig(seed=seed))
        avatar = open_avatar(source, made, report=report)
    return avatar_sitter(avatar, size_px=size_px, model=model, device=device, plain=plain)
