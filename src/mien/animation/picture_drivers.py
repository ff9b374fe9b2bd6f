"""Drivers that are pictures one after the other: a folder of images, or a camera."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.animation.filling import filled_motion
from mien.animation.motion import Motion, MotionSource
from mien.animation.sliders import DEFAULT_FPS
from mien.animation.timecode import rate_of_times
from mien.animation.track import ClipTracker, Tracker, Tracking, kept_driver, track_pictures
from mien.core.errors import InputError
from mien.core.progress import progress
from mien.core.work import KeptWork
from mien.io.images import read_photo

CAMERA: Final = "webcam:"
"""How a camera is written as a driver: `webcam:0`, or `webcam:` and what else OpenCV opens."""
SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".gif", ".jp2", ".ppm")
LARGEST_GAP_SHARE: Final = 1.0
"""Missing numbers, as a share of the pictures that are there, up to which they count as lost frames."""
CAMERA_FPS: Final = Fraction(30)
QUIET_S: Final = 5.0
"""How long a camera may give nothing."""


@runtime_checkable
class Capture(Protocol):
    """What is needed of OpenCV's VideoCapture."""

    def read(self) -> tuple[bool, Any]:
        """Whether there is a next picture, and it, BGR."""
        ...

    def get(self, prop: int) -> float:
        """A property of what is captured."""
        ...


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture and its time."""

    rgb: NDArray[np.uint8]
    time_s: float


@dataclass(frozen=True)
class Recording:
    """How much of a camera is recorded; whatever is reached first."""

    seconds: float = 10.0
    """From the first picture on."""
    frames: int | None = None
    """None is no limit."""

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= 3600 or (self.frames is not None and self.frames < 1):
            raise InputError(
                f"A recording of {self.seconds:g} s and {self.frames} frames was asked for, expected up to "
                "3600 s and at least one frame."
            )


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder by name, numbers in it counted as numbers; InputError if there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; expected one with pictures.")
    pictures = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    if not pictures:
        raise InputError(
            f"{folder} has no pictures, expected files such as 0001.png; give another folder, or a video."
        )
    return sorted(pictures, key=_by_number)


def track_folder(
    folder: Path, *, face: str = "largest", fps: Fraction | None = None, tracker: Tracker | None = None,
    kept: KeptWork | None = None,
) -> Motion:  # fmt: skip
    """The motion of a folder of pictures, one a frame (25 a second if not told). Numbers that are left out
    between others are lost frames: interpolated, and not `found`. InputError names a picture that is damaged.

    With `kept`, a killed tracking is gone on with, to the same numbers.
    """
    paths, fps = pictures_in(folder), fps or DEFAULT_FPS
    numbers = frame_numbers(paths)
    times_s = [number / float(fps) for number in numbers]
    source = MotionSource(folder.name, "")
    files = [[path.name, (stat := path.stat()).st_size, stat.st_mtime_ns] for path in paths]
    tracking = Tracking(face, kept_driver(kept, source, face, fps=str(fps), files=files))
    with ExitStack() as stack:
        motion = tracking.run(
            lambda start: _read_pictures(paths, times_s, start), fps, source,
            tracker=stack.enter_context(ClipTracker()) if tracker is None else tracker,
        )  # fmt: skip
    return _with_lost_frames(motion, numbers)


def _read_pictures(paths: list[Path], times_s: list[float], start: int) -> Iterator[Picture]:
    left = list(zip(paths, times_s, strict=True))[start:]
    for path, time_s in progress(left, desc=f"tracking {paths[0].parent.name}", total=len(paths), done=start):
        yield Picture(read_photo(path).rgb, time_s)


def frame_numbers(paths: list[Path]) -> list[int]:
    """Frame of every picture, from 0: the last number in its name where all have one, they rise, and few are
    left out; else its place in the list."""
    ends = [re.findall(r"\d+", path.stem) for path in paths]
    if all(ends):
        numbers = [int(found[-1]) for found in ends]
        span = numbers[-1] - numbers[0] + 1
        rising = all(a < b for a, b in pairwise(numbers))
        if rising and span - len(numbers) <= LARGEST_GAP_SHARE * len(numbers):
            return [number - numbers[0] for number in numbers]
    return list(range(len(paths)))


def _with_lost_frames(motion: Motion, numbers: list[int]) -> Motion:
    count = numbers[-1] + 1
    if count == len(motion):
        return motion
    found = np.zeros(count, bool)
    found[np.array(numbers)[motion.found]] = True
    return filled_motion(
        motion.coefficients[motion.found],
        motion.R_camera_head[motion.found],
        motion.translation_head[motion.found],
        found=found,
        time_s=np.arange(count) / float(motion.fps),
        fps=motion.fps,
        source=motion.source,
    )


def _by_number(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part]


def track_camera(
    camera: str, recording: Recording | None = None, *, face: str = "largest", tracker: Tracker | None = None
) -> Motion:
    """The motion of what a camera sees from now on: its number, or what else OpenCV opens, such as a file.

    Pictures have the time at which they came; those of a file have its own times. Raises InputError if there
    is no such camera or it gives no picture, and NoFaceError if no picture shows a face.
    """
    name = f"{CAMERA}{camera}"
    pictures = camera_pictures(camera, recording or Recording())
    if tracker is not None:
        motion = track_pictures(pictures, CAMERA_FPS, MotionSource(name, ""), tracker=tracker, face=face)
    else:
        with ClipTracker() as own:
            motion = track_pictures(pictures, CAMERA_FPS, MotionSource(name, ""), tracker=own, face=face)
    return replace(motion, fps=rate_of_times(motion.time_s)) if len(motion) > 1 else motion


def camera_pictures(camera: str, recording: Recording) -> Iterator[Picture]:
    """Pictures of a camera or file until the recording is long enough; the device is closed in the end."""
    source: int | str = int(camera) if camera.isdigit() else camera
    if isinstance(source, str) and "://" not in source and not Path(source).is_file():
        raise InputError(
            f"There is no camera {camera!r}, expected a number such as webcam:0, or a file; check the name."
        )
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what fails is said below
    capture = cv2.VideoCapture(source)
    try:
        if not capture.isOpened():
            raise InputError(
                f"The camera {camera} cannot be opened, expected one that is connected and not in use; try "
                "another number such as webcam:0 or webcam:1, or give a video."
            )
        yield from _pictures(capture, recording, live=isinstance(source, int), camera=camera)
    finally:
        capture.release()


def _pictures(capture: Capture, recording: Recording, *, live: bool, camera: str) -> Iterator[Picture]:
    start_s: float | None = None
    opened_s, count = time.monotonic(), 0
    while recording.frames is None or count < recording.frames:
        ok, bgr = capture.read()
        if not ok or bgr is None:
            if live and count == 0 and time.monotonic() - opened_s < QUIET_S:
                time.sleep(0.05)  # cameras wake up slowly
                continue
            break
        now_s = time.monotonic() if live else _time_in_file(capture, count)
        start_s = now_s if start_s is None else start_s
        if now_s - start_s >= recording.seconds:
            break
        yield Picture(np.ascontiguousarray(bgr[..., ::-1]), now_s - start_s)
        count += 1
    if count == 0:
        raise InputError(
            f"The camera {camera} gave no picture in {QUIET_S:g} s; check that it is not in use."
        )


def _time_in_file(capture: Capture, count: int) -> float:
    fps = capture.get(cv2.CAP_PROP_FPS)
    return count / (fps if fps > 0 else float(CAMERA_FPS))
