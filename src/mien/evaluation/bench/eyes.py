"""What a tracker and a recognition network see in a picture of the benchmark, each picture looked at once.

What was seen is kept by the picture's bytes: the copied photo is the same in every view and expression.
These are estimators: their figures are kept apart from those against the truth.
"""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from types import TracebackType
from typing import Final

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from mien.core.errors import AssetError
from mien.evaluation.identity import IdentityMeter
from mien.tracking.faces import FaceTracker

Rgb = UInt8[np.ndarray, "height width 3"]

MOST_KEPT: Final = 512
"""Pictures whose glances are kept; the one looked at longest ago goes first."""


@dataclass(frozen=True, eq=False)
class Glance:
    """A face as it is seen."""

    R_camera_head: NDArray[np.floating]
    coefficients: NDArray[np.floating]
    landmarks_px: NDArray[np.floating]
    identity: NDArray[np.float64] | None
    """None if dlib is not installed."""


class Eyes:
    """A tracker for single pictures, and dlib where it is installed; a context manager."""

    def __init__(self) -> None:
        self._tracker = FaceTracker()
        self._kept: OrderedDict[tuple[bytes, tuple[int, ...], bool], Glance | None] = OrderedDict()
        try:
            self._meter: IdentityMeter | None = IdentityMeter()
        except AssetError:
            self._meter = None

    def __enter__(self) -> "Eyes":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tracker.close()

    @property
    def knows_identity(self) -> bool:
        """Whether dlib is installed."""
        return self._meter is not None

    def look(self, rgb: Rgb, *, identity: bool = True) -> Glance | None:
        """The face of a picture; None where none is found."""
        key = (sha256(rgb.tobytes()).digest(), rgb.shape, identity)
        if key not in self._kept:
            self._kept[key] = self.look_afresh(rgb, identity=identity)
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    def look_afresh(self, rgb: Rgb, *, identity: bool = True) -> Glance | None:
        """The same as `look`, without what is kept."""
        faces = self._tracker.detect(rgb)
        if not faces:
            return None
        face = faces[0]
        numbers = self._meter(rgb, face) if identity and self._meter is not None else None
        return Glance(face.R_camera_head, face.coefficients, face.landmarks_px, numbers)
