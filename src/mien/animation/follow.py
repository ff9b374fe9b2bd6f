"""What tracking carries from frame to frame: whom it follows, and whether anything has changed."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.animation.kept_track import State
from mien.core.errors import NoFaceError
from mien.tracking.faces import FaceObservation, choose_face

STILL_BLOCK_PX: Final = 16
STILL_LEVELS: Final = 7.0
STILL_MEAN_LEVELS: Final = 1.0

Rgb = NDArray[np.uint8]


class FaceFollower:
    """Keeps to one person: chosen by `which` in the first frame with faces, then the nearest face.

    A face farther away than its own size is another person or the result of a cut; then it is chosen anew.
    """

    def __init__(self, which: str = "largest") -> None:
        self._which = which
        self._last_px: NDArray[np.float64] | None = None
        """Box of the face in the last frame that showed it: x0, y0, x1, y1."""
        self.missing: NoFaceError | None = None
        """Why faces that were seen could not be chosen from, for example because there are too few."""

    @property
    def state(self) -> State:
        """What the next choice depends on."""
        return {} if self._last_px is None else {"box_px": self._last_px}

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._last_px = state.get("box_px")

    def __call__(self, faces: list[FaceObservation]) -> FaceObservation | None:
        """The followed face, or None if it is not in the picture."""
        if not faces:
            return None
        chosen = None if self._last_px is None else min(faces, key=self._distance)
        if chosen is None or self._distance(chosen) > 1.0:
            try:
                chosen = choose_face(faces, self._which)
            except NoFaceError as error:
                self.missing = error
                return None
        self._last_px = np.asarray(chosen.box_px, np.float64)
        return chosen

    def _distance(self, face: FaceObservation) -> float:
        """Distance of the box centres in sizes of the last box."""
        assert self._last_px is not None
        old, new = self._last_px, np.asarray(face.box_px, float)
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

    @property
    def state(self) -> State:
        """What the next answers depend on."""
        if self._first is None or self._last is None:
            return {}
        return {"first": self._first, "last": self._last, "is_still": np.array(self.is_still_clip)}

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._first, self._last = state["first"], state["last"]
        self.is_still_clip = bool(state["is_still"])

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
