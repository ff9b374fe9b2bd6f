"""`mien demo`: the whole way on an example photo."""

from pathlib import Path

import click

from mien.apps.options import DeviceChoice, device_option, seed_option


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("demo"), show_default=True,
              help="Folder to write into.")  # fmt: skip
@click.option(
    "--photo",
    type=click.Path(path_type=Path),
    help="Another photo than the example (the astronaut Eileen Collins).",
)
@device_option
@seed_option
def command(output: Path, photo: Path | None, device: DeviceChoice, seed: int) -> None:
    """Invert an example photo, animate it with an example motion, and turn it.

    Writes face.mien, animation.mp4, orbit.mp4 and sheet.jpg.
    """
    from mien.apps.stages import stage_bar
    from mien.pipeline import demo

    with stage_bar("inverting") as report:
        for line in demo(output, photo=photo, device=device, seed=seed, report=report):
            click.echo(line)
