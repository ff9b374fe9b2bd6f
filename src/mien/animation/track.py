"""Tracking: from a video or a picture to a motion.

Videos are streamed: one frame is held at a time, and only the numbers are kept.
"""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.animation.filling import fill_gaps
from mien.animation.motion import Motion, MotionFrame, MotionSource
from mien.animation.outliers import false_poses
from mien.animation.place import place_of_head
from mien.animation.sliders import DEFAULT_FPS
from mien.core.assets import sha256_of_file
from mien.core.errors import NoFaceError
from mien.core.progress import progress
from mien.io.images import Photo
from mien.io.video import VideoReader
from mien.tracking.faces import FaceObservation, FaceTracker, choose_face

MAX_FACES: Final = 4
THOROUGH_EVERY: Final = 10
STILL_BLOCK_PX: Final = 16
STILL_LEVELS: Final = 7.0
STILL_MEAN_LEVELS: Final = 1.0

Rgb = NDArray[np.uint8]


@runtime_checkable
class Tracker(Protocol):
    """What is needed of a face tracker."""

    def detect(self, rgb: Rgb, time_s: float | None = None) -> list[FaceObservation]:
        """All faces in the picture."""
        ...


@runtime_checkable
class TimedPicture(Protocol):
    """What is needed of a video frame."""

    @property
    def rgb(self) -> Rgb: ...
    @property
    def time_s(self) -> float: ...


def track_video(path: str | Path, *, face: str = "largest", show_progress: bool = False) -> Motion:
    """The motion of a clip, a frame at a time; frames without a face are interpolated (`found` False)."""
    path = Path(path)
    with VideoReader(path) as reader, ClipTracker() as tracker:
        pictures = (
            progress(reader, desc=f"tracking {path.name}", total=reader.frame_count)
            if show_progress
            else reader
        )
        return track_pictures(pictures, reader.fps, file_source(path), tracker=tracker, face=face)


def track_photo(photo: Photo, *, face: str = "largest") -> Motion:
    """The motion of one frame that a picture shows; NoFaceError if it shows no face."""
    with FaceTracker(num_faces=MAX_FACES) as tracker:
        observation = choose_face(tracker.detect(photo.rgb), face)
    frame = motion_frame(observation, 0.0, photo.rgb.shape)
    return Motion.from_frames([frame], DEFAULT_FPS, MotionSource(photo.name, photo.sha256))


def track_pictures(
    pictures: Iterable[TimedPicture],
    fps: Fraction,
    source: MotionSource,
    *,
    tracker: Tracker,
    face: str = "largest",
) -> Motion:
    """The motion of timed pictures. A still clip gives an exactly constant motion, in spite of the noise of
    video compression."""
    frames: list[MotionFrame | None] = []
    times_s: list[float] = []
    choose, stillness = FaceFollower(face), Stillness()
    for picture in pictures:
        times_s.append(_rising(picture.time_s, times_s, fps))
        if stillness.repeats(picture.rgb):
            frames.append(frames[-1])
            continue
        observation = choose(tracker.detect(picture.rgb, picture.time_s))
        frames.append(
            None if observation is None else motion_frame(observation, times_s[-1], picture.rgb.shape)
        )
    if not any(frames):
        raise choose.missing or NoFaceError(
            f"No face was found in any of the {len(frames)} frames of {source.name}, expected a person's "
            "face in view; give a clip that shows a face, larger and less turned away."
        )
    if stillness.is_still_clip:
        frames = [next(frame for frame in frames if frame is not None)] * len(frames)
    time_s = np.array(times_s)
    return Motion.from_frames(fill_gaps(without_false_poses(frames, time_s), time_s), fps, source)


def without_false_poses(
    frames: list[MotionFrame | None], time_s: NDArray[np.float64]
) -> list[MotionFrame | None]:
    """The frames, with None for those whose pose no head can have in between, see `outliers`."""
    known = [index for index, frame in enumerate(frames) if frame is not None]
    there = [frame for frame in frames if frame is not None]
    R, place = (
        np.stack([getattr(frame, name) for frame in there]) for name in ("R_camera_head", "translation_head")
    )
    false = {known[k] for k in np.flatnonzero(false_poses(R, place, time_s[known]))}
    return [None if index in false else frame for index, frame in enumerate(frames)]


def motion_frame(observation: FaceObservation, time_s: float, shape: tuple[int, ...]) -> MotionFrame:
    """What a face tracked in a picture of a shape (height, width, ...) contributes to a motion."""
    return MotionFrame(
        time_s=time_s,
        coefficients=np.clip(observation.coefficients, 0.0, 1.0).astype(np.float32),
        R_camera_head=observation.R_camera_head.astype(np.float32),
        translation_head=place_of_head(observation, shape),
        found=True,
    )


class ClipTracker:
    """Tracks the frames of a clip in order: a quick look at each, a thorough one where that finds nothing.

    MediaPipe's video mode for one face smooths with a lag and depends on the past; for several faces it gives
    the numbers of single pictures, without memory. A thorough look in vain is not repeated for a while.
    """

    def __init__(self) -> None:
        self._quick = FaceTracker(num_faces=MAX_FACES, running="video")
        self._thorough: FaceTracker | None = None
        self._rest = 0

    def __enter__(self) -> "ClipTracker":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._quick.close()
        if self._thorough is not None:
            self._thorough.close()

    def detect(self, rgb: Rgb, time_s: float | None = None) -> list[FaceObservation]:
        """All faces of the next frame, which is at `time_s`."""
        faces = self._quick.detect(rgb, time_s)
        if faces or self._rest > 0:
            self._rest = 0 if faces else self._rest - 1
            return faces
        self._thorough = self._thorough or FaceTracker(num_faces=MAX_FACES)
        faces = self._thorough.detect(rgb)
        self._rest = 0 if faces else THOROUGH_EVERY
        return faces


class FaceFollower:
    """Keeps to one person: chosen by `which` in the first frame with faces, then the nearest face.

    A face farther away than its own size is another person or the result of a cut; then it is chosen anew.
    """

    def __init__(self, which: str = "largest") -> None:
        self._which = which
        self._last: FaceObservation | None = None
        self.missing: NoFaceError | None = None
        """Why faces that were seen could not be chosen from, for example because there are too few."""

    def __call__(self, faces: list[FaceObservation]) -> FaceObservation | None:
        """The followed face, or None if it is not in the picture."""
        if not faces:
            return None
        nearest = None if self._last is None else min(faces, key=self._distance)
        if nearest is not None and self._distance(nearest) <= 1.0:
            self._last = nearest
            return nearest
        try:
            self._last = choose_face(faces, self._which)
        except NoFaceError as error:
            self.missing = error
            return None
        return self._last

    def _distance(self, face: FaceObservation) -> float:
        """Distance of the box centres in sizes of the last box."""
        assert self._last is not None
        old, new = np.asarray(self._last.box_px, float), np.asarray(face.box_px, float)
        shift = (new[:2] + new[2:] - old[:2] - old[2:]) / 2
        return float(np.linalg.norm(shift) / max(np.linalg.norm(old[2:] - old[:2]) / np.sqrt(2), 1e-6))


class Stillness:
    """Tells whether a picture repeats the one before, and whether the whole clip so far is one still picture.

    Means of 16 px blocks are compared. A repeated frame has equal blocks. In a still clip that video
    compression has changed, no block leaves the first frame's by more than some levels and most keep within a
    fraction of one; a blink or a turn of the head moves single blocks by tens.
    """

    def __init__(self) -> None:
        self._first: NDArray[np.float32] | None = None
        self._last: NDArray[np.float32] | None = None
        self.is_still_clip = True

    def repeats(self, rgb: Rgb) -> bool:
        """Take the next picture; whether it equals the one before."""
        height_px, width_px = rgb.shape[:2]
        size = (max(1, width_px // STILL_BLOCK_PX), max(1, height_px // STILL_BLOCK_PX))
        small = cv2.resize(rgb.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        blocks = np.asarray(small, np.float32)
        first, last, self._last = self._first, self._last, blocks
        if first is None or last is None or first.shape != blocks.shape:
            self.is_still_clip = self.is_still_clip and first is None
            self._first = blocks
            return False
        change = np.abs(blocks - first)
        self.is_still_clip &= bool(change.max() < STILL_LEVELS and change.mean() < STILL_MEAN_LEVELS)
        return np.array_equal(blocks, last)


def file_source(path: Path) -> MotionSource:
    """Name and hash of a file."""
    return MotionSource(path.name, sha256_of_file(path))


def _rising(time_s: float, times_s: list[float], fps: Fraction) -> float:
    """The time itself, or a step after the last one where a broken clip goes back in time."""
    if times_s and time_s <= times_s[-1]:
        return times_s[-1] + float(1 / fps)
    return time_s
