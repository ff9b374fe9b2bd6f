"""Measuring clips: what a tracker and dlib see in a video, and an animation against its photo and driver.

Everything streams; of a clip only numbers are kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.animation.follow import FaceFollower
from mien.animation.measures import observed_measures
from mien.animation.track import ClipTracker
from mien.core.errors import NoFaceError
from mien.evaluation.identity import IdentityMeter, identity_distance
from mien.evaluation.metrics.expression import expression_distance, static_expression_distance
from mien.evaluation.metrics.face_sharpness import face_sharpness
from mien.evaluation.metrics.jitter import WINDOW, landmark_jerk, landmark_jitter
from mien.evaluation.metrics.pose import pose_errors_deg, rotation_angles_deg
from mien.evaluation.metrics.psnr import MOST_DB, PEAK, mean_squared_error, psnr_of_error_db
from mien.evaluation.video_metrics import (
    expression_correlations,
    largest_change,
    same_person_share,
    shape_ratios,
)
from mien.io.images import Photo
from mien.io.video import VideoReader
from mien.tracking.faces import FaceTracker, choose_face

FRAME_SIZE_PX: Final = 256
LEAST_ERROR: Final = PEAK**2 * 10 ** (-MOST_DB / 10)
"""Squared error of a frame that counts as perfect."""


@dataclass(frozen=True, eq=False)
class SeenPhoto:
    """What is seen in a photo."""

    coefficients: NDArray[np.float32]
    """[52]"""
    identity: NDArray[np.float64]
    """[128]"""
    R_camera_head: NDArray[np.float32]
    """[3, 3]"""
    landmarks_px: NDArray[np.float32]
    """[478, 2]"""


@dataclass(frozen=True, eq=False)
class SeenClip:
    """What is seen in a clip of T frames; numbers of frames without a face are nan."""

    fps: Fraction
    size_px: tuple[int, int]
    """Width and height."""
    found: NDArray[np.bool_]
    """[T]"""
    coefficients: NDArray[np.float32]
    """[T, 52]"""
    R_camera_head: NDArray[np.float32]
    """[T, 3, 3]"""
    landmarks_px: NDArray[np.float32]
    """[T, 478, 2]"""
    measures: NDArray[np.float32]
    """[T, M] of the face's shape, see `mien.animation.measures`."""
    identity: NDArray[np.float64]
    """[T, 128], nan also where identity was not looked at."""

    @property
    def found_share(self) -> float:
        """Share of the frames with a face."""
        return float(self.found.mean())


@dataclass(frozen=True)
class AnimationScore:
    """An animation against its photo and driver; angles in degrees, distances as dlib's."""

    frames: int
    frames_driver: int
    fps: float
    fps_driver: float
    found_share: float
    identity_mean: float
    identity_p98: float
    same_person_share: float
    pose_error_deg: float
    aed: float
    aed_static: float
    aed_ratio: float
    correlations: dict[str, float | None]
    shape_ratio: dict[str, float | None]
    """See `shape_ratios`."""
    jerk: float
    jerk_driver: float
    jitter: float | None
    """See `landmark_jitter`; None for clips too short for it."""
    jitter_driver: float | None

    @property
    def same_timing(self) -> bool:
        """Whether frame count and rate are the driver's."""
        return self.frames == self.frames_driver and abs(self.fps / self.fps_driver - 1) < 1e-4


@dataclass(frozen=True)
class ReenactmentScore:
    """PSNR in dB against the driver's frames at 256 px, and what the copied photo reaches."""

    psnr_db: float
    """Mean over the frames of each one's PSNR; a perfect frame counts as 60 dB."""
    psnr_copied_db: float
    """The same for the copied photo; its first frame is perfect, hard to beat where little moves."""
    pooled_psnr_db: float
    """PSNR of the mean squared error over the whole clip: frames with much motion count more."""
    pooled_psnr_copied_db: float
    """The same for the copied photo."""


def see_photo(photo: Photo, meter: IdentityMeter, *, face: str = "largest") -> SeenPhoto:
    """Expression and identity of the face in a photo. Raises NoFaceError if there is none."""
    with FaceTracker(num_faces=4) as tracker:
        observation = choose_face(tracker.detect(photo.rgb), face)
    identity = meter(photo.rgb, observation)
    return SeenPhoto(observation.coefficients, identity, observation.R_camera_head, observation.landmarks_px)


def see_clip(path: str | Path, *, meter: IdentityMeter | None = None, identity_every: int = 1) -> SeenClip:
    """Track a clip frame by frame, unsmoothed, and take the identity of every n-th frame by the meter."""
    rows: list[tuple[NDArray[np.floating], ...] | None] = []
    follow = FaceFollower()
    with VideoReader(path) as reader, ClipTracker() as tracker:
        for frame in reader:
            face = follow(tracker.detect(frame.rgb, frame.time_s))
            if face is None:
                rows.append(None)
                continue
            is_measured = meter is not None and frame.index % identity_every == 0
            identity = meter(frame.rgb, face) if meter is not None and is_measured else np.full(128, np.nan)
            measures = observed_measures(face)
            rows.append((face.coefficients, face.R_camera_head, face.landmarks_px, measures, identity))
        fps, size_px = reader.fps, reader.size
    there = [row for row in rows if row is not None]
    if not there:
        raise NoFaceError(f"No face was found in any frame of {path}; there is nothing to measure.")
    blank = tuple(np.full_like(column, np.nan) for column in there[0])
    filled = [blank if row is None else row for row in rows]
    columns = [np.stack(column) for column in zip(*filled, strict=True)]
    return SeenClip(fps, size_px, np.array([row is not None for row in rows]), *columns)


def score_animation(output: SeenClip, driver: SeenClip, photo: SeenPhoto) -> AnimationScore:
    """All measures of an animation; poses and expressions over the frames in which both faces were found."""
    count = min(len(output.found), len(driver.found))
    both = output.found[:count] & driver.found[:count]
    if not both.any():
        raise NoFaceError(
            "Output and driver have no frame in which both show a face; nothing can be compared."
        )
    mine, theirs = output.coefficients[:count][both], driver.coefficients[:count][both]
    distances = np.linalg.norm(output.identity - photo.identity, axis=1)
    distances = distances[np.isfinite(distances)]
    aed, aed_static = (
        expression_distance(mine, theirs),
        static_expression_distance(photo.coefficients, theirs),
    )
    pose = pose_errors_deg(output.R_camera_head[:count][both], driver.R_camera_head[:count][both])
    return AnimationScore(
        frames=len(output.found),
        frames_driver=len(driver.found),
        fps=float(output.fps),
        fps_driver=float(driver.fps),
        found_share=output.found_share,
        identity_mean=float(distances.mean()),
        identity_p98=float(np.percentile(distances, 98)),
        same_person_share=same_person_share(distances),
        pose_error_deg=float(pose.mean()),
        aed=aed,
        aed_static=aed_static,
        aed_ratio=aed / max(aed_static, 1e-9),
        correlations=expression_correlations(mine, theirs),
        shape_ratio=shape_ratios(output.measures[:count][both], driver.measures[:count][both]),
        jerk=landmark_jerk(output.landmarks_px[output.found], float(output.fps)),
        jerk_driver=landmark_jerk(driver.landmarks_px[driver.found], float(driver.fps)),
        jitter=_jitter(output),
        jitter_driver=_jitter(driver),
    )


def _jitter(clip: SeenClip) -> float | None:
    points = clip.landmarks_px[clip.found]
    return landmark_jitter(points) if len(points) >= WINDOW else None


def sharpness_near(
    path: str | Path,
    clip: SeenClip,
    photo: Photo,
    seen_photo: SeenPhoto,
    *,
    limit_deg: float = 15.0,
    every: int = 1,
) -> list[float]:
    """`face_sharpness` of every n-th frame of a clip whose pose is within a limit of the photo's."""
    from_photo = rotation_angles_deg(clip.R_camera_head @ seen_photo.R_camera_head.T)
    found: list[float] = []
    with VideoReader(path) as reader:
        for frame in reader:
            if frame.index % every == 0 and clip.found[frame.index] and from_photo[frame.index] <= limit_deg:
                points = clip.landmarks_px[frame.index]
                found.append(face_sharpness(frame.rgb, points, photo.rgb, seen_photo.landmarks_px))
    return found


def identity_by_yaw(
    clip: SeenClip, photo: SeenPhoto, yaw_deg: NDArray[np.floating]
) -> list[tuple[float, float | None]]:
    """Pairs of camera yaw and identity distance for each frame of an orbit that was looked at."""
    pairs: list[tuple[float, float | None]] = []
    for index, yaw in enumerate(yaw_deg[: len(clip.found)]):
        if not clip.found[index]:
            pairs.append((float(yaw), None))
        elif np.isfinite(clip.identity[index]).all():
            pairs.append((float(yaw), identity_distance(clip.identity[index], photo.identity)))
    return pairs


def small_frames(path: str | Path, *, size_px: int = FRAME_SIZE_PX) -> Iterator[NDArray[np.uint8]]:
    """The whole frames of a clip at size_px x size_px, one at a time."""
    with VideoReader(path) as reader:
        for frame in reader:
            yield small_picture(frame.rgb, size_px=size_px)


def small_picture(rgb: NDArray[np.uint8], *, size_px: int = FRAME_SIZE_PX) -> NDArray[np.uint8]:
    """A picture at size_px x size_px, averaged over areas."""
    return np.asarray(cv2.resize(rgb, (size_px, size_px), interpolation=cv2.INTER_AREA), np.uint8)


def score_reenactment(
    output: str | Path, driver: str | Path, photo_rgb: NDArray[np.uint8]
) -> ReenactmentScore:
    """PSNR of a self re-enactment against its driver, whole frames at 256 px."""
    still = small_picture(photo_rgb)
    errors = np.array(
        [
            (mean_squared_error(mine, theirs), mean_squared_error(still, theirs))
            for mine, theirs in zip(small_frames(output), small_frames(driver), strict=False)
        ]
    )
    mean_db = psnr_of_error_db(np.maximum(errors, LEAST_ERROR)).mean(0)
    pooled_db = psnr_of_error_db(np.maximum(errors.mean(0), LEAST_ERROR))
    return ReenactmentScore(*(float(value) for value in (*mean_db, *pooled_db)))


def clip_change(path: str | Path) -> float:
    """Largest mean difference of any decoded frame to the first, in grey levels."""
    with VideoReader(path) as reader:
        return largest_change(frame.rgb for frame in reader)
