"""`mien motion`: track a driver, or convert its file, and write its motion."""

from pathlib import Path
from typing import ClassVar

import click

from mien.apps.driving import GroupedCommand, driver_options, edit_option, parsed_edits, reading


class MotionCommand(GroupedCommand):
    """With the options of the driver under a heading of their own."""

    groups: ClassVar = {
        "Driver": ("edits", "driver_face", "driver_fps", "seconds", "frames", "smoothing", "no_smooth")
    }


@click.command(cls=MotionCommand)
@click.argument("driver", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write: .json or .npz for mien, .csv as of Live Link Face, .arkit.json for other programs.",
)
@edit_option
@driver_options()
@click.option("--no-smooth", is_flag=True, help="Keep the numbers as tracked, with their jitter.")
@click.option(
    "--smoothing",
    type=click.FloatRange(0.0, 100.0),
    help="How calm the motion becomes; 0 is off. By default 1 for what is tracked, 0 for files of motions.",
)
def command(
    driver: str | None,
    output: Path,
    edits: tuple[str, ...],
    driver_face: str,
    driver_fps: str | None,
    seconds: float,
    frames: int | None,
    no_smooth: bool,
    smoothing: float | None,
) -> None:
    """Track the face in DRIVER, or read its motion, and write it.

    DRIVER is a video, a picture, a folder of pictures, a camera (webcam:0), or a file of a motion: of mien
    (.json, .npz), of Live Link Face (.csv), ARKit coefficients (.json), sliders or keyframes (.json, .csv).
    Without a driver, the edits are the motion. docs/motion.md describes the files; `mien animate --drive`
    takes them all.
    """
    from mien.animation.drivers import (  # heavy imports wait until the command runs
        is_motion_file,
        write_motion,
    )
    from mien.animation.smoothing import Smoothing

    if driver is None and not edits:
        raise click.UsageError("Missing argument 'DRIVER' or option '--edit'.")
    usual = 0.0 if driver is not None and is_motion_file(driver) else 1.0
    strength = 0.0 if no_smooth else (usual if smoothing is None else smoothing)
    motion = write_motion(
        driver,
        output,
        smoothing=Smoothing(strength=strength),
        options=reading(driver_face, driver_fps, seconds, frames),
        edits=parsed_edits(edits),
    )
    click.echo(
        f"{output}: {len(motion)} frames at {float(motion.fps):g} frames/s, "
        f"a face in {100 * motion.found_share:.1f} % of them"
    )
