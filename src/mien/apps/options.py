"""Options that several commands share, as decorators."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import click

if TYPE_CHECKING:
    from mien.pipeline import AvatarOptions

EFFORTS: Final = ("quick", "normal", "paper")
"""As in `mien.inversion.eg3d.invert`."""
DeviceChoice = Literal["auto", "cpu", "cuda"]
"""As in `mien.core.device`, whose import would cost `--help` a second."""

F = TypeVar("F", bound=Callable[..., Any])


def command_line() -> str:
    """The command as typed, without the folders of this machine, for the headers of trained files."""
    words = (Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:])
    return " ".join(["mien", *words])


def device_option(function: F) -> F:
    """--device auto|cpu|cuda, handed on as `device`; see `mien.core.device.resolve_device`."""
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where to compute; auto takes the GPU if there is one.",
    )(function)


def seed_option(function: F) -> F:
    """--seed INT, handed on as `seed`; the same seed gives the same output."""
    return click.option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        default=0,
        show_default=True,
        help="Seed of all random choices; the same seed gives the same output.",
    )(function)


def face_option(function: F) -> F:
    """--face, handed on as `face`."""
    return click.option(
        "--face",
        default="largest",
        show_default=True,
        metavar="largest|left|right|INDEX",
        help="Which face of the photo where there are several; INDEX counts from the largest, from 0.",
    )(function)


def model_option(function: F) -> F:
    """--model FILE, handed on as `model`: None is the bundled generator."""
    return click.option(
        "--model",
        type=click.Path(path_type=Path),
        help="Instead of the bundled mien-base: a generator file of its kind, or an EG3D model by file or "
        "by its name in 'mien models list'.",
    )(function)


def effort_option(function: F) -> F:
    """--effort, handed on as `effort`: how long an EG3D model is searched for a photo."""
    return click.option(
        "--effort",
        type=click.Choice(EFFORTS),
        default="normal",
        show_default=True,
        help="EG3D models: how long to invert a photo. At 512 px on one core quick takes 2 minutes, normal "
        "10, paper days; killed, the same command goes on.",
    )(function)


def expression_mode_options(function: F) -> F:
    """--expression-mode and --paper-preset, handed on as `expression_mode` and `paper_preset`."""
    for option in (
        click.option(
            "--paper-preset", type=click.Choice(["fast", "paper"]), default="fast", show_default=True,
            help="Paper mode: few key frames, or every frame with the paper's own schedule.",
        ),
        click.option(
            "--expression-mode", type=click.Choice(["native", "deformed", "paper"]),
            help="How expressions come about: native (mien-base, its default), deformed (EG3D models, their "
            "default), or paper: photo edited on the mesh, inverted frame by frame, tuned once (Lin et al. "
            "2022).",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def avatar_options(*, seed: int, effort: str, **more: Any) -> "AvatarOptions":
    """How to make an avatar, from what the options above gave."""
    from mien.inversion.eg3d.invert import EFFORTS as CONFIGS
    from mien.inversion.invert import InversionConfig
    from mien.pipeline import AvatarOptions

    return AvatarOptions(inversion=InversionConfig(seed=seed), eg3d=CONFIGS[effort], **more)


def resume_option(function: F) -> F:
    """--resume/--no-resume, handed on as `resume`; None goes on if there is something to go on with."""
    return click.option(
        "--resume/--no-resume",
        default=None,
        help="A killed job goes on by itself when the same command is given again. --resume refuses to start "
        "anew where nothing was kept or inputs or options have changed; --no-resume throws away what was "
        "kept.",
    )(function)


def manifest_option(function: F) -> F:
    """--manifest FILE, handed on as `manifest`."""
    return click.option(
        "--manifest",
        type=click.Path(path_type=Path),
        help="Also write a JSON file with the hashes of inputs, weights and output, and the settings.",
    )(function)


def truncation_option(function: F) -> F:
    """--truncation, handed on as `truncation`."""
    return click.option(
        "--truncation",
        type=click.FloatRange(0.0, 1.5),
        default=0.7,
        show_default=True,
        help="How far from the average look random people may be: 0 is the average, 1 the whole range.",
    )(function)


def crop_option(function: F) -> F:
    """--crop [SIZE], handed on as `crop_px`."""
    return click.option(
        "--crop",
        "crop_px",
        type=click.IntRange(64, 1024),
        is_flag=False,
        flag_value=512,
        help="Draw the aligned head crop, this many pixels wide (512), instead of the photo's framing.",
    )(function)
