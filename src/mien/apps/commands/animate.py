"""`mien animate`: photo or avatar plus driver to video."""

from pathlib import Path
from typing import Any, ClassVar

import click

from mien.apps.driving import (
    RETARGET_NAMES,
    GroupedCommand,
    driver_options,
    edit_option,
    input_files,
    parsed_edits,
    reading,
    retarget_options,
    retargeting,
)
from mien.apps.options import (
    DeviceChoice,
    avatar_options,
    crop_option,
    device_option,
    effort_option,
    expression_mode_options,
    face_option,
    model_option,
    seed_option,
)


class AnimateCommand(GroupedCommand):
    """With options of the driver, of carrying it over, and of the photo under headings of their own."""

    groups: ClassVar = {
        "Driver": ("drive", "edits", "driver_face", "driver_fps", "seconds", "frames", "smoothing"),
        "From the driver to the photo": RETARGET_NAMES,
        "Photo and picture": (
            "output",
            "crop_px",
            "face",
            "model",
            "effort",
            "expression_mode",
            "paper_preset",
        ),
    }


@click.command(cls=AnimateCommand)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--drive", metavar="DRIVER",
              help="What to move like: a video, picture, folder of pictures, camera (webcam:0), "
              "motion (.json, .npz), Live Link Face (.csv), ARKit JSON, sliders or keyframes.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Video to write.")
@edit_option
@driver_options("driver-")
@click.option("--smoothing", type=click.FloatRange(0.0, 100.0), default=1.0, show_default=True,
              help="How calm the motion becomes; 0 is off.")  # fmt: skip
@retarget_options
@crop_option
@face_option
@model_option
@effort_option
@expression_mode_options
@device_option
@seed_option
def command(
    source: Path, drive: str | None, output: Path, edits: tuple[str, ...], driver_face: str,
    driver_fps: str | None, seconds: float, frames: int | None, smoothing: float, crop_px: int | None,
    face: str, model: Path | None, effort: str, expression_mode: Any, paper_preset: Any,
    device: DeviceChoice, seed: int, **carried: Any,
) -> None:  # fmt: skip
    """Make the person of SOURCE (a photo, or an avatar made by `mien invert`) move like a driver.

    Without a driver, the edits move the photo's own expression and pose.
    """
    from dataclasses import replace

    from mien.animation.drivers import read_driver
    from mien.animation.paper.config import PRESETS
    from mien.animation.smoothing import Smoothing
    from mien.apps.stages import stage_bar
    from mien.pipeline import (
        AnimateOptions,
        animate,
        check_mode,
        check_video,
        forget_inversion,
        kept_folder,
        read_source,
        to_avatar,
    )

    if drive is None and not edits:
        raise click.UsageError("Missing option '--drive' or '--edit'.")
    check_video(output, source, *input_files(drive), model=model)
    on_top, read = parsed_edits(edits), reading(driver_face, driver_fps, seconds, frames)
    how = retargeting(edits=on_top, **carried)
    opened = read_source(source)
    check_mode(opened, expression_mode, model=model)
    if drive is None:
        motion, how = on_top.motion(), replace(how, use_pose=False, use_expression=False)
    else:  # before the work, as it may be wrong
        motion = read_driver(drive, show_progress=True, options=read)
    with stage_bar("inverting") as report:
        made = avatar_options(face=face, head_only=crop_px is not None, model=model, effort=effort, seed=seed)
        avatar = to_avatar(opened, made, report=report, kept=kept_folder(output))
    options = AnimateOptions(
        retargeting=how, smoothing=Smoothing(strength=smoothing), crop_px=crop_px, driver_face=driver_face,
        device=device, expression_mode=expression_mode, paper=PRESETS[paper_preset],
    )  # fmt: skip
    files = [path for path in input_files(drive) if path.is_file()]
    driven = animate(
        avatar, motion, output, options, sound=files[0] if files else None, model=model, note=click.echo
    )
    forget_inversion(output)
    click.echo(f"{output}: {len(driven)} frames at {float(driven.fps):g} frames/s")
