"""Faces in photos and video frames with MediaPipe's FaceLandmarker; see `observation` for what its numbers
mean."""

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Literal

import numpy as np

from mien.core.assets import asset_path
from mien.core.errors import InputError, NoFaceError
from mien.tracking._quiet import quiet_native_stderr
from mien.tracking._types import Rgb
from mien.tracking._views import (
    View,
    fine_tiles,
    half_tiles,
    identity_view,
    second_looks,
    turned_views,
    upright_closeup,
)
from mien.tracking.observation import FaceObservation, observations, overlap, without_repeats

__all__ = ["FaceObservation", "FaceTracker", "choose_face", "find_faces"]

FACES_PER_PHOTO = 16
CONFIDENCE = 0.6
"""The detector's confidence that a first look asks for; its faces are confirmed, or compared with turned
views."""
STRICT_CONFIDENCE = 0.8
"""What confirms a face, and what second looks ask for: textures and upside-down faces seldom reach it."""
TILTED_RAD = np.deg2rad(30)
"""Faces tilted further are observed again upright, because the landmarks get worse with the tilt."""


class FaceTracker:
    """Finds faces; a context manager, because the native landmarkers must be closed.

    `running="image"` looks at every picture afresh, and looks again (enlarged, turned, in tiles) where none
    is found or what is found is doubtful. `running="video"` follows faces from frame to frame, wants rising
    times and never looks twice; a frame that repeats the one before, byte for byte, repeats its answer.
    """

    def __init__(self, *, num_faces: int = 1, running: Literal["image", "video"] = "image") -> None:
        if num_faces < 1:
            raise ValueError(f"num_faces is {num_faces}; at least one face must be looked for.")
        self._running = running
        self._num_faces = num_faces
        self._last_ms = -1
        self._last_frame: tuple[Rgb, list[FaceObservation]] | None = None
        self._closed = False
        self._strict: Any = None
        self._landmarker = _native_landmarker(running, num_faces, 0.5 if running == "video" else CONFIDENCE)

    def __enter__(self) -> "FaceTracker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the native landmarkers; further calls do nothing."""
        if not self._closed:
            self._closed = True
            self._landmarker.close()
            if self._strict is not None:
                self._strict.close()

    def detect(self, rgb: Rgb, time_s: float | None = None) -> list[FaceObservation]:
        """The faces of one picture, largest first; an empty list if there is none.

        In video mode `time_s` is the frame's time in seconds and must not fall; in image mode it is ignored.
        """
        if self._closed:
            raise ValueError("This FaceTracker is closed; make a new one.")
        faces = self._follow(rgb, time_s) if self._running == "video" else self._search(rgb)
        return sorted(faces, key=lambda face: -face.area_px)[: self._num_faces]

    def _follow(self, rgb: Rgb, time_s: float | None) -> list[FaceObservation]:
        if time_s is None:
            raise ValueError("In video mode every frame needs its time_s.")
        if self._last_frame is not None and np.array_equal(self._last_frame[0], rgb):
            return self._last_frame[1]
        # two frames within one millisecond still need rising times
        self._last_ms = max(round(time_s * 1000), self._last_ms + 1)
        result = self._landmarker.detect_for_video(_native_image(rgb), self._last_ms)
        faces = observations(result, identity_view(rgb), rgb.shape)
        self._last_frame = (rgb.copy(), faces)
        return faces

    def _search(self, rgb: Rgb) -> list[FaceObservation]:
        """First look; confirmation; second looks; tilted faces once more upright."""
        if self._strict is None:
            self._strict = _native_landmarker("image", self._num_faces, STRICT_CONFIDENCE)
        photo = identity_view(rgb)
        faces = observations(self._landmarker.detect(_native_image(rgb)), photo, rgb.shape)
        if faces:
            if not self._strictly([photo], rgb):  # an upside-down face may pass for a poor upright one
                faces = self._first_group(turned_views(rgb), rgb) or faces
            if len(faces) < self._num_faces and self._num_faces > 1:  # further ones may be smaller
                faces = without_repeats(faces, self._strictly(half_tiles(rgb), rgb))
        else:
            faces = self._first_group(second_looks(rgb), rgb) or self._first_group(fine_tiles(rgb), rgb)
        return [self._upright(face, rgb) for face in faces]

    def _first_group(self, groups: Iterable[list[View]], rgb: Rgb) -> list[FaceObservation]:
        """The faces of the first group of views that shows any."""
        return next((faces for views in groups if (faces := self._strictly(views, rgb))), [])

    def _strictly(self, views: Iterable[View], rgb: Rgb) -> list[FaceObservation]:
        faces: list[FaceObservation] = []
        for view in views:
            faces += observations(self._strict.detect(_native_image(view.rgb)), view, rgb.shape)
        return without_repeats([], faces)

    def _upright(self, face: FaceObservation, rgb: Rgb) -> FaceObservation:
        """A tilted face as observed in a copy of the photo in which it is upright, if it is found there."""
        if abs(face.roll_rad) < TILTED_RAD:
            return face
        x0, y0, x1, y1 = face.box_px
        view = upright_closeup(
            rgb,
            center_px=((x0 + x1) / 2, (y0 + y1) / 2),
            face_px=face.size_px,
            turn_deg=-float(np.rad2deg(face.roll_rad)),
        )
        again = observations(self._landmarker.detect(_native_image(view.rgb)), view, rgb.shape)
        best = max(again, key=lambda other: overlap(face.box_px, other.box_px), default=face)
        return best if overlap(face.box_px, best.box_px) > 0.5 else face


def find_faces(rgb: Rgb, *, num_faces: int = FACES_PER_PHOTO) -> list[FaceObservation]:
    """The faces of one photo, largest first; see FaceTracker."""
    with FaceTracker(num_faces=num_faces) as tracker:
        return tracker.detect(rgb)


def choose_face(faces: list[FaceObservation], which: str = "largest") -> FaceObservation:
    """One of the faces: "largest", "left" or "right" (as seen in the picture), or "0" for the largest, "1"
    for the next, and so on.

    Raises NoFaceError if there is none or not so many, InputError if `which` is none of these words.
    """
    if not faces:
        raise NoFaceError(
            "No face was found in the picture; give one in which a face, turned no further than a "
            "three-quarter view, is well lit, not covered, and at least about 50 pixels high."
        )
    by_size = sorted(faces, key=lambda face: -face.area_px)
    from_left = sorted(faces, key=lambda face: face.box_px[0] + face.box_px[2])
    named = {"largest": by_size[0], "left": from_left[0], "right": from_left[-1]}
    if which in named:
        return named[which]
    if not (which.isascii() and which.isdecimal()):
        raise InputError(f"{which!r} does not choose a face; say largest, left, right or a number from 0 up.")
    if int(which) >= len(by_size):
        found = "one face was" if len(by_size) == 1 else f"{len(by_size)} faces were"
        allowed = (
            "only 0 can be chosen"
            if len(by_size) == 1
            else f"choose a number from 0 (the largest) to {len(by_size) - 1}"
        )
        raise NoFaceError(f"Face number {which} was asked for, but {found} found in the picture; {allowed}.")
    return by_size[int(which)]


def _native_landmarker(running: Literal["image", "video"], num_faces: int, confidence: float) -> Any:
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(asset_path("face_landmarker.task"))),
        running_mode=vision.RunningMode.IMAGE if running == "image" else vision.RunningMode.VIDEO,
        num_faces=num_faces,
        min_face_detection_confidence=confidence,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    with quiet_native_stderr():
        return vision.FaceLandmarker.create_from_options(options)


def _native_image(rgb: Rgb) -> Any:
    import mediapipe as mp

    return mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
