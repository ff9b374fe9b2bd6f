"""From any driver to its motion, and from a motion to any of the files that are written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.animation.arkit_forms import is_arkit
from mien.animation.arkit_json import motion_of_arkit, write_arkit
from mien.animation.edits import Edits
from mien.animation.live_link import is_live_link, read_csv, read_live_link, write_live_link
from mien.animation.motion import Motion
from mien.animation.motion_files import FORMAT, load_motion, motion_from_json, read_json, save_motion
from mien.animation.picture_drivers import CAMERA, Recording, track_camera, track_folder
from mien.animation.sliders import (
    is_keyframe_table,
    motion_from_keyframes,
    motion_from_sliders,
    read_keyframe_table,
)
from mien.animation.smoothing import Smoothing, smooth_motion
from mien.animation.track import track_photo, track_video
from mien.core.assets import sha256_of_file
from mien.core.atomic import check_output
from mien.core.errors import InputError
from mien.core.work import KeptWork
from mien.io.images import Photo, is_image, read_photo
from mien.io.video import is_video

OUTPUT_SUFFIXES: Final = (".json", ".npz", ".csv")
ARKIT_SUFFIX: Final = ".arkit.json"
"""End of the name of a file that is written as plain ARKit JSON."""
MAX_TEXT_BYTES: Final = 512 * 1024**2

AnyDriver = str | Path | Mapping[str, Any] | Photo | Motion


@dataclass(frozen=True)
class DriverOptions:
    """How a driver is read."""

    face: str = "largest"
    """Which of several faces: "largest", "left", "right" or an index."""
    fps: Fraction | None = None
    """Frames per second of a folder, a CSV or a JSON file, in place of its own times; None reads these."""
    recording: Recording = field(default_factory=Recording)
    """How much of a camera."""


def read_driver(
    driver: AnyDriver,
    *,
    face: str = "largest",
    show_progress: bool = False,
    options: DriverOptions | None = None,
    kept: KeptWork | None = None,
) -> Motion:
    """The motion of any driver, not smoothed: a video, a picture (one frame), a folder of pictures, a camera
    (`webcam:0`), a motion file, a CSV file of Live Link Face, ARKit JSON, sliders or keyframes (mapping, JSON
    or CSV).

    `options` takes precedence over `face`. With `kept`, the tracking of a video or a folder that was killed
    goes on where it was. Raises InputError for what is none of these, and NoFaceError if no
    frame shows a face.
    """
    options = options or DriverOptions(face=face)
    if isinstance(driver, Motion):
        return driver
    if isinstance(driver, Photo):
        return track_photo(driver, face=options.face)
    if isinstance(driver, Mapping):
        return _motion_of_json(driver, "sliders", options)
    camera = camera_of(driver)
    if camera is not None:
        return track_camera(camera, options.recording, face=options.face)
    path = Path(driver)
    if path.is_dir():
        return track_folder(path, face=options.face, fps=options.fps, kept=kept)
    suffix = path.suffix.lower()
    if suffix in OUTPUT_SUFFIXES:
        return _motion_of_file(path, suffix, options)
    if is_image(path) and not is_video(path):
        return track_photo(read_photo(path), face=options.face)
    return track_video(path, face=options.face, show_progress=show_progress, kept=kept)


def camera_of(driver: str | Path) -> str | None:
    """The camera that a driver's name means, or None: `webcam:0`, or `0` where there is no such file."""
    text = str(driver)
    if text.startswith(CAMERA):
        return text.removeprefix(CAMERA)
    return text if re.fullmatch(r"\d{1,2}", text) and not Path(text).exists() else None


def is_motion_file(driver: str | Path) -> bool:
    """Whether a driver is a file of numbers, which were smoothed or made by hand, and not of pictures."""
    return Path(driver).suffix.lower() in OUTPUT_SUFFIXES


def edited(motion: Motion, edits: Edits) -> Motion:
    """A motion with edits on top: coefficients stay in [0, 1], the head is turned about the camera's axes."""
    if not edits:
        return motion
    track = edits.at(motion.time_s - motion.time_s[0])
    return replace(
        motion,
        coefficients=np.clip(motion.coefficients + track.coefficients, 0.0, 1.0).astype(np.float32),
        R_camera_head=(track.R @ motion.R_camera_head).astype(np.float32),
    )


def write_any_motion(motion: Motion, output: Path) -> None:
    """Write a motion by the end of the name: `.csv` for Live Link Face's readers, `.arkit.json` as plain
    ARKit JSON, `.json` and `.npz` as mien's own."""
    if output.suffix.lower() == ".csv":
        write_live_link(motion, output)
    elif output.name.lower().endswith(ARKIT_SUFFIX):
        write_arkit(motion, output)
    else:
        save_motion(motion, output)


def write_motion(
    driver: AnyDriver | None,
    output: str | Path,
    *,
    face: str = "largest",
    smoothing: Smoothing | None = None,
    options: DriverOptions | None = None,
    edits: Edits | None = None,
) -> Motion:
    """Read any driver with a progress bar, smooth it, lay edits on top and write it (`write_any_motion`).

    Without a driver, the edits are the motion.
    """
    output = Path(output)
    inputs = (Path(driver),) if isinstance(driver, str | Path) and camera_of(driver) is None else ()
    check_output(output, suffixes=OUTPUT_SUFFIXES, inputs=inputs)
    if driver is None:
        if not edits:
            raise InputError(
                "There is no driver and no edit; give a clip or edits such as jawOpen=0.4,yaw=20."
            )
        motion = edits.motion()
    else:
        read = read_driver(driver, face=face, show_progress=True, options=options)
        motion = edited(smooth_motion(read, smoothing), edits or Edits())
    write_any_motion(motion, output)
    return motion


def _motion_of_file(path: Path, suffix: str, options: DriverOptions) -> Motion:
    if not path.is_file():
        raise InputError(f"There is no motion file {path}; give a file that exists.")
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise InputError(
            f"{path} has {path.stat().st_size} bytes, a motion file has at most {MAX_TEXT_BYTES}; give a "
            "shorter one."
        )
    if suffix == ".npz":
        return load_motion(path)
    if suffix == ".json":
        motion = _motion_of_json(read_json(path), path.name, options)
    else:
        header = read_csv(path)[0]
        if is_keyframe_table(header) and not is_live_link(header):
            return motion_from_keyframes(read_keyframe_table(path), name=path.name)
        motion = read_live_link(path, fps=options.fps)
    has_source = bool(motion.source.sha256)
    return (
        motion if has_source else replace(motion, source=replace(motion.source, sha256=sha256_of_file(path)))
    )


def _motion_of_json(data: object, name: str, options: DriverOptions) -> Motion:
    if isinstance(data, Mapping) and data.get("format") == FORMAT:
        return motion_from_json(data, name=name)
    if is_arkit(data):
        return motion_of_arkit(data, name=name, fps=options.fps)
    if not isinstance(data, Mapping):
        raise InputError(f"{name} holds a JSON {type(data).__name__}, expected a motion or sliders.")
    return motion_from_sliders(data, name=name)
