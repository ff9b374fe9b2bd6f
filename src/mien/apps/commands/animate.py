"""`mien animate`: photo or avatar plus driver to video."""

from pathlib import Path
from typing import Literal

import click

from mien.apps.options import (
    DeviceChoice,
    avatar_options,
    crop_option,
    device_option,
    effort_option,
    face_option,
    model_option,
    seed_option,
)


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--drive", type=click.Path(path_type=Path), required=True,
              help="What to move like: a video, picture, motion (.json, .npz), sliders (.json).")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Video to write.")
@click.option("--absolute", "pose", flag_value="absolute", help="Take the driver's head pose as it is.")
@click.option("--relative", "pose", flag_value="relative", default=True,
              help="Turn the photo's pose by the driver's change since its start (default).")  # fmt: skip
@click.option("--relative-expression", is_flag=True,
              help="Add the driver's change of expression to the photo's own expression.")  # fmt: skip
@click.option("--no-pose", is_flag=True, help="Keep the photo's head pose.")
@click.option("--no-expression", is_flag=True, help="Keep the photo's expression.")
@click.option("--smoothing", type=click.FloatRange(0.0, 100.0), default=1.0, show_default=True,
              help="How calm the motion becomes; 0 is off.")  # fmt: skip
@click.option("--driver-face", default="largest", show_default=True, metavar="largest|left|right|INDEX",
              help="Which face of the driver to follow.")  # fmt: skip
@crop_option
@face_option
@model_option
@effort_option
@device_option
@seed_option
def command(
    source: Path, drive: Path, output: Path, pose: Literal["absolute", "relative"] | None,
    relative_expression: bool, no_pose: bool, no_expression: bool, smoothing: float, driver_face: str,
    crop_px: int | None, face: str, model: Path | None, effort: str, device: DeviceChoice,
    seed: int,
) -> None:  # fmt: skip
    """Make the person of SOURCE (a photo, or an avatar made by `mien invert`) move like a driver."""
    from mien.animation.retarget import Retargeting
    from mien.animation.smoothing import Smoothing
    from mien.animation.track import read_driver
    from mien.apps.stages import stage_bar
    from mien.pipeline import (
        AnimateOptions,
        animate,
        check_video,
        forget_inversion,
        kept_folder,
        read_source,
        to_avatar,
    )

    check_video(output, source, drive, model=model)
    opened = read_source(source)
    motion = read_driver(drive, face=driver_face, show_progress=True)  # before the work, as it may be wrong
    with stage_bar("inverting") as report:
        made = avatar_options(face=face, head_only=crop_px is not None, model=model, effort=effort, seed=seed)
        avatar = to_avatar(opened, made, report=report, kept=kept_folder(output))
    retargeting = Retargeting(
        expression_mode="relative" if relative_expression else "absolute", pose_mode=pose or "relative",
        use_pose=not no_pose, use_expression=not no_expression,
    )  # fmt: skip
    options = AnimateOptions(
        retargeting=retargeting, smoothing=Smoothing(strength=smoothing), crop_px=crop_px,
        driver_face=driver_face, device=device,
    )  # fmt: skip
    driven = animate(avatar, motion, output, options, sound=drive, model=model)
    forget_inversion(output)
    click.echo(f"{output}: {len(driven)} frames at {float(driven.fps):g} frames/s")
