"""`mien fit`: lay the head model over a photo."""

from pathlib import Path

import click

from mien.apps.options import face_option


@click.command()
@click.argument("photo", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Picture to write: the photo with the fitted head over it.",
)
@face_option
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path),
    help="Also write identity, expression, pose, camera and crop as JSON.",
)
def command(photo: Path, output: Path, face: str, json_path: Path | None) -> None:
    """Fit the head model to the face in PHOTO and draw it on top.

    Yellow lines are the model's lips, lids, irises and brows; red dots are the points found in the photo.
    Where lines and dots part, the fit is poor.
    """
    from mien.morphable.report import write_fit  # heavy imports wait until the command runs

    fit = write_fit(photo, output, json_path=json_path, face=face)
    click.echo(f"{output}: landmarks off by {100 * fit.residual:.1f} % of the face's size")
