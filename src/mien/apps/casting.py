"""Options that say which faces of a photo move like which drivers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
LARGEST: Final = "largest"


@dataclass(frozen=True)
class Part:
    """A face of the photo and its driver; without one the driver of the command."""

    face: str
    driver: str | None


def cast_options(function: F) -> F:
    """--face, --paste-back and --into, handed on as `faces`, `paste_back` and `into`."""
    for option in (
        click.option(
            "--into", type=click.Path(path_type=Path), metavar="PHOTO",
            help="With --paste-back and an avatar as SOURCE: the photo that it was made of.",
        ),
        click.option(
            "--paste-back", is_flag=True,
            help="Write the whole photo at its own size, in which the head moves; otherwise the photo is "
            "made smaller, to 512 px.",
        ),
        click.option(
            "--face", "faces", multiple=True, metavar="largest|left|right|INDEX[:DRIVER]",
            help="Which face of the photo where there are several (largest); INDEX counts from the largest, "
            "from 0. With a driver, several times, such as --face 0:a.mp4 --face 1:b.mp4, each face moves "
            "like its own, pasted back into the whole photo.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def parsed_cast(faces: Sequence[str], drive: str | None) -> list[Part]:
    """The parts, of which there is at least one; either all have drivers of their own or there is one part.

    UsageError says what does not go together.
    """
    parts = [_part(text) for text in faces or [LARGEST]]
    own = [part for part in parts if part.driver is not None]
    if own and drive is not None:
        raise click.UsageError(
            f"--drive {drive} and --face {own[0].face}:{own[0].driver} both give a driver; give the drivers "
            "of all faces with --face."
        )
    if len(parts) > 1 and len(own) < len(parts):
        alone = next(part for part in parts if part.driver is None)
        raise click.UsageError(
            f"--face {alone.face} has no driver, expected one for each of the {len(parts)} faces, such as "
            f"--face {alone.face}:clip.mp4."
        )
    return parts


def _part(text: str) -> Part:
    face, colon, driver = text.partition(":")
    if not face or (colon and not driver):
        raise click.UsageError(
            f"--face {text} was given, expected a face or FACE:DRIVER, such as 0:clip.mp4."
        )
    return Part(face, driver or None)
