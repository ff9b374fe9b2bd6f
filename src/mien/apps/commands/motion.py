"""`mien motion`: track a driver and write its motion."""

from pathlib import Path

import click


@click.command()
@click.argument("clip", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Motion file to write: .json or .npz.",
)
@click.option(
    "--face",
    default="largest",
    show_default=True,
    metavar="largest|left|right|INDEX",
    help="Which face to follow where there are several; INDEX counts from the largest, from 0.",
)
@click.option("--no-smooth", is_flag=True, help="Keep the numbers as tracked, with their jitter.")
@click.option(
    "--smoothing",
    type=click.FloatRange(0.0, 100.0),
    default=1.0,
    show_default=True,
    help="How calm the motion becomes; 0 is off.",
)
def command(clip: Path, output: Path, face: str, no_smooth: bool, smoothing: float) -> None:
    """Track the face in CLIP (a video or a picture) and write its motion.

    The motion holds the 52 ARKit coefficients and the pose of the head at every frame; docs/motion.md
    describes the file. `mien animate --drive` takes it in place of the clip, without tracking again.
    """
    from mien.animation.smoothing import Smoothing  # heavy imports wait until the command runs
    from mien.animation.track import write_motion

    strength = 0.0 if no_smooth else smoothing
    motion = write_motion(clip, output, face=face, smoothing=Smoothing(strength=strength))
    click.echo(
        f"{output}: {len(motion)} frames at {float(motion.fps):g} frames/s, "
        f"a face in {100 * motion.found_share:.1f} % of them"
    )
