"""`mien orbit`: the camera goes around the head."""

from pathlib import Path

import click

from mien.apps.options import DeviceChoice, device_option, face_option, model_option, seed_option


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Video to write.")
@click.option("--yaw-deg", type=click.FloatRange(0.0, 90.0), default=45.0, show_default=True,
              help="How far to either side of the front of the face.")  # fmt: skip
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 600.0),
    default=4.0,
    show_default=True,
    help="Length of the video.",
)
@click.option("--size", "size_px", type=click.IntRange(64, 1024), default=384, show_default=True,
              help="Side of the picture, which is the aligned head crop.")  # fmt: skip
@face_option
@model_option
@device_option
@seed_option
def command(
    source: Path, output: Path, yaw_deg: float, seconds: float, size_px: int, face: str, model: Path | None,
    device: DeviceChoice, seed: int,
) -> None:  # fmt: skip
    """Turn the camera around the person of SOURCE (a photo, or an avatar made by `mien invert`)."""
    from mien.apps.stages import stage_bar
    from mien.inversion.invert import InversionConfig
    from mien.pipeline import AvatarOptions, check_video, open_avatar, orbit

    check_video(output, source)
    with stage_bar("inverting") as report:
        made = AvatarOptions(face=face, head_only=True, model=model, inversion=InversionConfig(seed=seed))
        avatar = open_avatar(source, made, report=report)
    count = orbit(
        avatar, output, yaw_deg=yaw_deg, seconds=seconds, size_px=size_px // 2 * 2, model=model, device=device
    )
    click.echo(f"{output}: {count} frames, yaw -{yaw_deg:g} to {yaw_deg:g} degrees")
