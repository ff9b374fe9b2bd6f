"""`mien align`: EG3D's crop and camera of a photo, or of every photo in a folder."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from mien.apps.options import face_option

if TYPE_CHECKING:
    from mien.morphable.eg3d.dataset import DatasetOptions


@click.command()
@click.argument("source", metavar="PHOTO_OR_FOLDER", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              help="Crop to write, or for a folder the folder of the crops.")  # fmt: skip
@click.option("--yaw-deg", type=click.FloatRange(-180.0, 180.0),
              help="Use this yaw; positive: the camera stands towards the picture's right.")  # fmt: skip
@click.option("--pitch-deg", type=click.FloatRange(-89.0, 89.0),
              help="Use this pitch; positive: the camera stands above the face.")  # fmt: skip
@click.option("--roll-deg", type=click.FloatRange(-180.0, 180.0),
              help="Use this roll; positive: the head is tilted counter-clockwise.")  # fmt: skip
@click.option("--outside", type=click.Choice(["reflect", "black"]), default="reflect", show_default=True,
              help="Beyond the photo's edge: mirrored and blurred like FFHQ, or EG3D's black.")  # fmt: skip
@click.option("--mirror", is_flag=True, help="For a folder: add every crop mirrored.")
@face_option
def command(
    source: Path, output: Path, yaw_deg: float | None, pitch_deg: float | None, roll_deg: float | None,
    outside: Literal["reflect", "black"], mirror: bool, face: str,
) -> None:  # fmt: skip
    """Find the crop and the camera that an EG3D checkpoint trained on FFHQ expects.

    For a PHOTO, `-o x.png` writes the crop x.png; x_camera.png, in which the head seen through the camera
    lies over the crop; and x.json with the 25 numbers of the label, the angles, and the way from photo to
    crop. If the picture shows that an angle is wrong, give your own.

    For a FOLDER, writes a crop per photo, and dataset.json with their labels.
    """
    from mien.morphable.eg3d.dataset import DatasetOptions
    from mien.morphable.eg3d.estimate import AlignConfig
    from mien.morphable.eg3d.report import Correction, write_alignment

    correction, config = Correction(yaw_deg, pitch_deg, roll_deg), AlignConfig(outside=outside)
    if source.is_dir():
        if not correction.is_empty:
            raise click.UsageError("--yaw-deg, --pitch-deg and --roll-deg are for one photo, not a folder.")
        _align_folder(source, output, DatasetOptions(face=face, mirror=mirror, align=config))
        return
    if mirror:
        raise click.UsageError("--mirror is for a folder of photos, not for one photo.")
    alignment = write_alignment(source, output, face=face, correction=correction, config=config)
    angles = alignment.angles
    yaw, pitch, roll = (math.degrees(a) for a in (angles.yaw_rad, angles.pitch_rad, angles.roll_rad))
    click.echo(f"{output}: yaw {yaw:.1f}, pitch {pitch:.1f}, roll {roll:.1f} degrees")


def _align_folder(folder: Path, output: Path, options: "DatasetOptions") -> None:
    from mien.morphable.eg3d.dataset import align_folder

    result = align_folder(
        folder,
        output,
        options,
        report=lambda photo, why: click.echo(f"mien: left out {photo}: {why}", err=True),
    )
    click.echo(f"{output}: {result.written} photos aligned, {len(result.skipped)} left out")
