"""Tracking: from a video or a picture to a motion.

Videos are streamed: one frame is held at a time, and only the numbers are kept.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mien.animation.filling import fill_gaps
from mien.animation.follow import FaceFollower, Stillness
from mien.animation.kept_track import CHUNK, TrackChunk, TrackStore
from mien.animation.measures import MEASURES, observed_measures
from mien.animation.motion import Motion, MotionFrame, MotionSource
from mien.animation.outliers import without_false_poses
from mien.animation.place import place_of_head
from mien.animation.sliders import DEFAULT_FPS
from mien.core.assets import asset_path, sha256_of_file
from mien.core.errors import NoFaceError
from mien.core.heap import trim_heap
from mien.core.parallel import ordered, worker_count
from mien.core.progress import progress
from mien.core.work import KeptWork
from mien.io.images import Photo
from mien.io.video import VideoReader
from mien.tracking.faces import FaceObservation, FaceTracker, choose_face

MAX_FACES: Final = 4
THOROUGH_EVERY: Final = 10
MOST_TRACKERS: Final = 4
"""Frames that are looked at together at most: every tracker takes memory of its own."""

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


def track_video(
    path: str | Path, *, face: str = "largest", show_progress: bool = False, kept: KeptWork | None = None
) -> Motion:
    """The motion of a clip, a frame at a time; frames without a face are interpolated (`found` False).

    With `kept`, a killed tracking is gone on with, to the same numbers.
    """
    path = Path(path)
    with VideoReader(path) as reader, ClipTracker() as tracker:
        source = file_source(path)
        tracking = Tracking(face, kept_driver(kept, source, face))

        def pictures(start: int) -> Iterator[TimedPicture]:
            frames = reader.frames(start)
            if not show_progress:
                return frames
            count = reader.frame_count
            return iter(progress(frames, desc=f"tracking {path.name}", total=count, done=start))

        return tracking.run(pictures, reader.fps, source, tracker=tracker)


def kept_driver(kept: KeptWork | None, source: MotionSource, face: str, **facts: object) -> TrackStore | None:
    """Where the tracking of a driver is kept, of which `facts` tell more than its hash."""
    if kept is None:
        return None
    tracker = sha256_of_file(asset_path("face_landmarker.task"))
    measured = [measure.name for measure in MEASURES]
    driver = {"name": source.name, "sha256": source.sha256, "face": face, "measures": measured, **facts}
    # several drivers of one job are told apart by their names
    return TrackStore(kept.part(f"driver-{source.name[:80]}-{face}", {"driver": driver, "tracker": tracker}))


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
    return Tracking(face).run(lambda start: iter(pictures), fps, source, tracker=tracker)


class Tracking:
    """The tracking of timed pictures in order; what is in `store` of it is gone on with."""

    def __init__(self, face: str, store: TrackStore | None = None) -> None:
        self._choose, self._stillness, self._store = FaceFollower(face), Stillness(), store
        self._frames: list[MotionFrame | None] = []
        self._times_s: list[float] = []
        self._written, self._is_done = 0, False
        for chunk in [] if store is None else store.read():
            self._times_s += chunk.times_s
            self._frames += chunk.frames
            self._choose.restore(chunk.state)
            self._stillness.restore(chunk.state)
            self._written, self._is_done = len(self._frames), chunk.is_last

    def run(
        self, pictures: Callable[[int], Iterator[TimedPicture]], fps: Fraction, source: MotionSource,
        *, tracker: Tracker,
    ) -> Motion:  # fmt: skip
        """The motion of `pictures(start)`, those from the index `start` on."""
        if not self._is_done:
            coming = pictures(len(self._frames))
            while self._take_chunk(coming, fps, tracker):
                self._keep(is_last=False)
        frames = self._frames
        if not any(frames):
            raise self._choose.missing or NoFaceError(
                f"No face was found in any of the {len(frames)} frames of {source.name}, expected a person's "
                "face in view; give a clip that shows a face, larger and less turned away."
            )
        if not self._is_done:
            self._keep(is_last=True)
        if self._stillness.is_still_clip:
            frames = [next(frame for frame in frames if frame is not None)] * len(frames)
        time_s = np.array(self._times_s)
        return Motion.from_frames(fill_gaps(without_false_poses(frames, time_s), time_s), fps, source)

    def _take_chunk(self, pictures: Iterator[TimedPicture], fps: Fraction, tracker: Tracker) -> bool:
        """Track to the end of a chunk; whether there are pictures enough."""
        count = len(self._frames)
        if isinstance(tracker, ClipTracker) and count % CHUNK == 0:
            tracker.renew()
        looks = map(self._look_at, islice(pictures, CHUNK - count % CHUNK))
        for look, faces in _detected(looks, tracker):
            self._take(look, faces, fps)
        return len(self._frames) > count and len(self._frames) % CHUNK == 0

    def _look_at(self, picture: TimedPicture) -> "Look":
        return Look(picture.rgb, picture.time_s, self._stillness.repeats(picture.rgb))

    def _take(self, look: "Look", faces: list[FaceObservation], fps: Fraction) -> None:
        self._times_s.append(_rising(look.time_s, self._times_s, fps))
        if look.is_repeated:
            self._frames.append(self._frames[-1])
            return
        face = self._choose(faces)
        self._frames.append(None if face is None else motion_frame(face, self._times_s[-1], look.rgb.shape))

    def _keep(self, *, is_last: bool) -> None:
        if self._store is not None:
            state = {**self._choose.state, **self._stillness.state}
            new = slice(self._written, None)
            self._store.write(TrackChunk(self._times_s[new], self._frames[new], state, is_last))
            self._written = len(self._frames)


def _detected(looks: Iterable["Look"], tracker: Tracker) -> Iterator[tuple["Look", list[FaceObservation]]]:
    if isinstance(tracker, ClipTracker):
        yield from tracker.detect_all(looks)
        return
    for look in looks:
        yield look, [] if look.is_repeated else tracker.detect(look.rgb, look.time_s)


def motion_frame(observation: FaceObservation, time_s: float, shape: tuple[int, ...]) -> MotionFrame:
    """What a face tracked in a picture of a shape (height, width, ...) contributes to a motion."""
    return MotionFrame(
        time_s=time_s,
        coefficients=np.clip(observation.coefficients, 0.0, 1.0).astype(np.float32),
        R_camera_head=observation.R_camera_head.astype(np.float32),
        translation_head=place_of_head(observation, shape),
        found=True,
        measures=observed_measures(observation),
    )


@dataclass(frozen=True, eq=False)
class Look:
    """A frame that is to be tracked."""

    rgb: Rgb
    time_s: float
    is_repeated: bool
    """Whether it shows what the frame before shows, so that nobody need look."""


class ClipTracker:
    """Tracks the frames of a clip in order: a quick look at each, a thorough one where that finds nothing.

    MediaPipe's video mode for one face smooths with a lag and depends on the past; for several faces it gives
    the numbers of single pictures, without memory. A thorough look in vain is not repeated for a while.
    """

    def __init__(self) -> None:
        self._quick = [_quick_tracker()]
        self._thorough: FaceTracker | None = None
        self._rest = 0

    def __enter__(self) -> "ClipTracker":
        return self

    def __exit__(self, *exc_info: object) -> None:
        for tracker in self._quick:
            tracker.close()
        if self._thorough is not None:
            self._thorough.close()
        trim_heap()

    def renew(self) -> None:
        """Forget everything: the next frame is as the first."""
        self.__exit__()
        self._quick = [_quick_tracker()]
        self._thorough, self._rest = None, 0

    def detect(self, rgb: Rgb, time_s: float | None = None) -> list[FaceObservation]:
        """All faces of the next frame, which is at `time_s`."""
        return self._checked(rgb, self._quick[0].detect(rgb, time_s))

    def detect_all(self, looks: Iterable[Look]) -> Iterator[tuple[Look, list[FaceObservation]]]:
        """The faces that `detect` finds on frames one after the other; on several cores several frames are
        looked at together."""
        free: SimpleQueue[FaceTracker] = SimpleQueue()
        while len(self._quick) < min(worker_count(), MOST_TRACKERS):
            self._quick.append(_quick_tracker())
        for tracker in self._quick:
            free.put(tracker)

        def quick(look: Look) -> tuple[Look, list[FaceObservation]]:
            if look.is_repeated:
                return look, []
            tracker = free.get()
            try:
                return look, tracker.detect(look.rgb, look.time_s)
            finally:
                free.put(tracker)

        for look, faces in ordered(quick, looks, workers=len(self._quick)):
            yield look, [] if look.is_repeated else self._checked(look.rgb, faces)

    def _checked(self, rgb: Rgb, faces: list[FaceObservation]) -> list[FaceObservation]:
        """What a quick look found, or a thorough one."""
        if faces or self._rest > 0:
            self._rest = 0 if faces else self._rest - 1
            return faces
        self._thorough = self._thorough or FaceTracker(num_faces=MAX_FACES)
        faces = self._thorough.detect(rgb)
        self._rest = 0 if faces else THOROUGH_EVERY
        return faces


def _quick_tracker() -> FaceTracker:
    return FaceTracker(num_faces=MAX_FACES, running="video")


def file_source(path: Path) -> MotionSource:
    """Name and hash of a file."""
    return MotionSource(path.name, sha256_of_file(path))


def _rising(time_s: float, times_s: list[float], fps: Fraction) -> float:
    """The time itself, or a step after the last one where a broken clip goes back in time."""
    if times_s and time_s <= times_s[-1]:
        return times_s[-1] + float(1 / fps)
    return time_s
