"""`mien orbit`: the camera goes around the head."""

from pathlib import Path

import click

from mien.apps.options import (
    DeviceChoice,
    device_option,
    effort_option,
    face_option,
    model_option,
    seed_option,
    truncation_option,
)


@click.command()
@click.argument("source", type=click.Path(path_type=Path), required=False)
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
@click.option("--depth", "depth_folder", type=click.Path(path_type=Path),
              help="Folder for depth maps: 16-bit PNG, EG3D units times 10000.")  # fmt: skip
@click.option("--normals", "normals_folder", type=click.Path(path_type=Path),
              help="Folder for normal maps: 8-bit PNG, red right, green up, blue to the viewer.")  # fmt: skip
@truncation_option
@face_option
@model_option
@effort_option
@device_option
@seed_option
def command(
    source: Path | None, output: Path, yaw_deg: float, seconds: float, size_px: int,
    depth_folder: Path | None, normals_folder: Path | None, truncation: float, face: str, model: Path | None,
    effort: str, device: DeviceChoice, seed: int,
) -> None:  # fmt: skip
    """Turn the camera around the person of SOURCE (a photo, or an avatar made by `mien invert`).

    Without SOURCE it is a random person of the generator, chosen by --seed: the first of `mien sample`.
    """
    from mien.animation.turntable import MapFolders, TurnConfig, write_turn
    from mien.apps.sitters import open_sitter
    from mien.pipeline import check_video, forget_inversion, kept_folder

    check_video(output, *([source] if source else []))
    maps = MapFolders(depth_folder, normals_folder)
    maps.check()
    sitter = open_sitter(
        source, face=face, model=model, device=device, seed=seed, truncation=truncation,
        kept=kept_folder(output), effort=effort, size_px=size_px // 2 * 2,
    )  # fmt: skip
    count = write_turn(sitter, output, TurnConfig(yaw_deg, seconds), maps=maps)
    forget_inversion(output)
    click.echo(f"{output}: {count} frames, yaw -{yaw_deg:g} to {yaw_deg:g} degrees")
