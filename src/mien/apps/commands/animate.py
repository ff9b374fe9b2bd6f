"""`mien animate`: photo or avatar plus driver to video."""

from pathlib import Path
from typing import Any, ClassVar

import click

from mien.apps.casting import cast_options, parsed_cast
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
    manifest_option,
    model_option,
    resume_option,
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
            "faces",
            "paste_back",
            "into",
            "model",
            "effort",
            "expression_mode",
            "paper_preset",
        ),
        "Long clips": ("resume", "manifest"),
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
@cast_options
@resume_option
@manifest_option
@model_option
@effort_option
@expression_mode_options
@device_option
@seed_option
def command(
    source: Path, drive: str | None, output: Path, edits: tuple[str, ...], driver_face: str,
    driver_fps: str | None, seconds: float, frames: int | None, smoothing: float, crop_px: int | None,
    faces: tuple[str, ...], paste_back: bool, into: Path | None, resume: bool | None,
    manifest: Path | None, model: Path | None, effort: str, expression_mode: Any, paper_preset: Any,
    device: DeviceChoice, seed: int, **carried: Any,
) -> None:  # fmt: skip
    """Make the person of SOURCE (a photo, or an avatar made by `mien invert`) move like a driver.

    Without a driver, the edits move the photo's own expression and pose.
    """
    from dataclasses import replace

    from mien.animation.drivers import read_driver
    from mien.animation.motion import Motion
    from mien.animation.paper.config import PRESETS
    from mien.animation.paste.cast import check_pasting
    from mien.animation.retarget import DrivenMotion
    from mien.animation.smoothing import Smoothing
    from mien.apps.stages import said, stage_bar
    from mien.core.work import KeptWork
    from mien.pipeline import (
        AnimateOptions,
        animate,
        animate_in_photo,
        check_manifest,
        check_mode,
        check_video,
        forget_inversion,
        forget_paper,
        kept_folder,
        read_source,
        to_avatars,
    )

    parts = parsed_cast(faces, drive)
    drives = [part.driver or drive for part in parts]
    if drives == [None] and not edits:
        raise click.UsageError("Missing option '--drive' or '--edit'.")
    pasted = paste_back or len(parts) > 1 or parts[0].driver is not None
    if crop_px is not None and pasted:
        raise click.UsageError(
            "--crop draws the head alone, but the head is to be pasted back; leave one out."
        )
    files = input_files(*drives)
    check_video(output, source, *files, *([] if into is None else [into]), model=model)
    check_manifest(manifest, output, source, *files)
    on_top, read = parsed_edits(edits), reading(driver_face, driver_fps, seconds, frames)
    how = retargeting(edits=on_top, **carried)
    opened = read_source(source)
    check_mode(opened, expression_mode, model=model, pasted=pasted)
    photo, which = check_pasting(opened, into, [part.face for part in parts]) if pasted else (None, None)
    if resume is False:
        forget_inversion(output)
        forget_paper(output)
    with KeptWork(output, resume=resume, say=said) as kept:
        if drives == [None]:
            motions, how = [on_top.motion()], replace(how, use_pose=False, use_expression=False)
        else:  # before the work, as they may be wrong
            motions = [
                read_driver(driver, show_progress=True, options=read, kept=kept)
                for driver in drives
                if driver
            ]
        with stage_bar("inverting") as report:
            made = avatar_options(
                head_only=crop_px is not None or pasted, model=model, effort=effort, seed=seed
            )
            avatars = to_avatars(
                opened, which or [parts[0].face], made, report=report, kept=kept_folder(output)
            )
        options = AnimateOptions(
            retargeting=how, smoothing=Smoothing(strength=smoothing), crop_px=crop_px,
            driver_face=driver_face, device=device, expression_mode=expression_mode,
            paper=PRESETS[paper_preset],
        )  # fmt: skip
        sound = next((path for path in files[:1] if path.is_file()), None)
        if photo is None:
            shown: DrivenMotion | Motion = animate(
                avatars[0], motions[0], output, options, sound=sound, model=model, kept=kept,
                manifest=manifest, note=click.echo,
            )  # fmt: skip
        else:
            shown = first = animate_in_photo(
                photo, list(zip(avatars, motions, strict=True)), output, options, sound=sound, model=model,
                kept=kept, manifest=manifest,
            )  # fmt: skip
            for part, motion in list(zip(parts, motions, strict=True))[1:]:
                if motion.duration_s < first.duration_s - 0.5 / float(first.fps):
                    said(
                        f"The driver of face {part.face} ends after {motion.duration_s:.1f} s of "
                        f"{first.duration_s:.1f} s; its last frame is held."
                    )
    forget_inversion(output)
    click.echo(f"{output}: {len(shown.time_s)} frames at {float(shown.fps):g} frames/s")
