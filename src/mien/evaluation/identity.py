"""Identity of faces: dlib's 128 numbers, from the optional packages of `pip install 'mien[eval]'`.

Two pictures of one person are below a distance of 0.6 (King, "High quality face recognition with deep metric
learning", dlib, 2017). The numbers have no gradient: this is a measure, not a loss.
"""

import importlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import AssetError
from mien.tracking.faces import FaceObservation

BOX_SHARE: Final = 0.9
"""Side of dlib's face box as a share of the side of the landmarks' box."""


class IdentityMeter:
    """Gives the identity of a face in a picture. Raises AssetError if the packages are not installed."""

    def __init__(self) -> None:
        try:
            dlib: Any = importlib.import_module("dlib")
            models: Any = importlib.import_module("face_recognition_models")
        except ImportError as error:
            raise AssetError(
                f"Measuring identity needs dlib and its models ({error.name} is missing); "
                "run pip install 'mien[eval]'."
            ) from error
        self._rectangle: Any = dlib.rectangle
        self._detector: Any = dlib.get_frontal_face_detector()
        self._predictor: Any = dlib.shape_predictor(models.pose_predictor_model_location())
        self._network: Any = dlib.face_recognition_model_v1(models.face_recognition_model_location())

    def __call__(self, rgb: NDArray[np.uint8], face: FaceObservation) -> NDArray[np.float64]:
        """The 128 numbers of a tracked face: in dlib's own box where dlib finds it too, else in ours."""
        rgb = np.ascontiguousarray(rgb)
        shape = self._predictor(rgb, self._box(rgb, face))
        return np.array(self._network.compute_face_descriptor(rgb, shape))

    def _box(self, rgb: NDArray[np.uint8], face: FaceObservation) -> Any:
        x0, y0, x1, y1 = face.box_px
        middle = (x0 + x1) / 2, (y0 + y1) / 2
        size_px = max(x1 - x0, y1 - y0)
        for box in self._detector(rgb, 0):
            center = box.center()
            if max(abs(center.x - middle[0]), abs(center.y - middle[1])) < 0.3 * size_px:
                return box
        half = BOX_SHARE * size_px / 2
        corners = (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
        return self._rectangle(*(round(corner) for corner in corners))


def identity_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Euclidean distance of two identities; below 0.6 it is the same person."""
    return float(np.linalg.norm(one - other))
