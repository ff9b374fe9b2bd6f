"""The `mien` command. Parsing and errors only; every command calls the package's functions."""

import os
import sys
from typing import Final

import click

from mien import __version__
from mien.apps.lazy import LazyCommand, LazyGroup
from mien.core.errors import MienError

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells have it."""

_COMMANDS: Final = "mien.apps.commands"

COMMANDS: Final[dict[str, LazyCommand]] = {
    "animate": LazyCommand(
        f"{_COMMANDS}.animate:command", "Make a photo move like a video, image or motion."
    ),
    "orbit": LazyCommand(
        f"{_COMMANDS}.orbit:command", "Turn the camera around the person of a photo, or a random one."
    ),
    "mesh": LazyCommand(
        f"{_COMMANDS}.mesh:command", "Write the person of a photo as a coloured mesh: GLB, PLY."
    ),
    "invert": LazyCommand(f"{_COMMANDS}.invert:command", "Make an avatar file of a photo, to be used again."),
    "info": LazyCommand(f"{_COMMANDS}.info:command", "Show what an avatar file holds."),
    "motion": LazyCommand(f"{_COMMANDS}.motion:command", "Track a video and save its motion."),
    "fit": LazyCommand(f"{_COMMANDS}.fit:command", "Fit the head model to a photo and draw it on top."),
    "align": LazyCommand(
        f"{_COMMANDS}.align:command", "Give EG3D's crop and camera of a photo or a folder of photos."
    ),
    "sample": LazyCommand(f"{_COMMANDS}.sample:command", "Render random heads of the generator."),
    "models": LazyCommand(f"{_COMMANDS}.models:command", "Import and keep official EG3D checkpoints."),
    "evaluate": LazyCommand(
        f"{_COMMANDS}.evaluate:command", "Measure generators against heads whose truth is known."
    ),
    "train": LazyCommand(f"{_COMMANDS}.train:command", "Train generators."),
    "demo": LazyCommand(f"{_COMMANDS}.demo:command", "Animate an example photo from start to end."),
}

QUIET_LOGS: Final = {"GLOG_minloglevel": "3", "TF_CPP_MIN_LOG_LEVEL": "3", "ABSL_MIN_LOG_LEVEL": "3"}
"""Environment that keeps MediaPipe's and TensorFlow Lite's chatter off stderr, unless the user set it."""

PATIENT_THREADS: Final = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Idle threads sleep instead of spinning: beside other programs, spinning made inversion ten times slower."""


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="mien")
def cli() -> None:
    """One photo in, an animated 3D-consistent portrait out.

    \b
    mien animate PHOTO --drive CLIP -o out.mp4   the photo moves and speaks like the clip
    mien orbit PHOTO -o turn.mp4                 the camera goes around the head
    mien COMMAND --help                          all options of a command
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 a clear error, 130 interrupted."""
    for name, value in (QUIET_LOGS | PATIENT_THREADS).items():
        os.environ.setdefault(name, value)
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and give its exit code; errors raised on purpose become one sentence on stderr."""
    try:
        result = cli.main(args=arguments, prog_name="mien", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        click.echo(f"mien: {_one_line(error.format_message())}{_pointer(error)}", err=True)
        return error.exit_code
    except MienError as error:
        click.echo(f"mien: {_one_line(str(error))}", err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("mien: interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def _pointer(error: click.ClickException) -> str:
    """Where to read on after a wrong use of options and arguments."""
    context = getattr(error, "ctx", None)
    return f" See '{context.command_path} --help'." if context is not None else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
