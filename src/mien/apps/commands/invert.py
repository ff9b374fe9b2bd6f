"""`mien invert`: photo to avatar file."""

from pathlib import Path

import click

from mien.apps.options import avatar_options, effort_option, face_option, model_option, seed_option


@click.command()
@click.argument("photo", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="Avatar file to write: .mien."
)
@click.option(
    "--picture", type=click.Path(path_type=Path), help="Also write a sheet: photo, inversion, turns, depth."
)
@click.option("--size", "size_px", type=click.IntRange(128, 1024), default=512, show_default=True,
              help="Longest side of the working picture; photos are never enlarged.")  # fmt: skip
@click.option("--head", "head_only", is_flag=True,
              help="Keep the surroundings of the head only, with more detail of a small face.")  # fmt: skip
@face_option
@model_option
@effort_option
@seed_option
def command(
    photo: Path, output: Path, picture: Path | None, size_px: int, head_only: bool, face: str,
    model: Path | None, effort: str, seed: int,
) -> None:  # fmt: skip
    """Make an avatar of the person in PHOTO.

    The avatar holds all that animating needs, so a photo is inverted once and used many times.
    """
    from mien.apps.stages import stage_bar
    from mien.pipeline import check_invert, closeness, invert_file, write_avatar_sheet

    check_invert(photo, output, picture, model=model)
    options = avatar_options(
        face=face, size_px=size_px, head_only=head_only, model=model, effort=effort, seed=seed
    )
    with stage_bar("inverting") as report:
        avatar = invert_file(photo, output, options, report=report)
    if picture is not None:
        write_avatar_sheet(avatar, picture, model=model)
    click.echo(f"{output}: avatar of {avatar.provenance['photo']}, {closeness(avatar)}")
