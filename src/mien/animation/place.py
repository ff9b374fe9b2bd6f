"""Where a tracked head is: its place from the landmarks that no expression moves.

MediaPipe's own translation is that of all landmarks, so an open jaw or raised brows push the whole head by
a pixel or more. Given the rotation, the place that projects the rigid points of an average head to where they
are seen is a linear least squares problem.
"""

import math
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mien.morphable.model import load_head_model
from mien.tracking.faces import FaceObservation

VERTICAL_VIEW_RAD: Final = math.radians(63.0)
"""MediaPipe's vertical field of view, see `mien.tracking.observation`."""
# fmt: off
RIGID: Final = (
    33, 133, 362, 263, 130, 359, 226, 446, 143, 372, 244, 464, 168, 6, 197, 195, 5, 4, 127, 356, 162, 389, 21,
    251, 234, 454,
)
# fmt: on


@lru_cache(maxsize=1)
def rigid_points() -> Float[np.ndarray, "point 3"]:
    """The rigid points of the average head, head frame, EG3D units."""
    model = load_head_model()
    return model.landmarks(model.mean)[list(RIGID)].double().numpy()


def place_of_head(face: FaceObservation, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The head frame's origin [3] in camera axes (x right, y up, z to the viewer), EG3D units.

    `shape` is that of the picture (height, width, ...). A point P = R X + t is seen at f P / -P_z from the
    picture's middle, so every point gives two equations that are linear in t.
    """
    height, width = shape[:2]
    focal = 0.5 * height / math.tan(VERTICAL_VIEW_RAD / 2)
    turned = rigid_points() @ face.R_camera_head.astype(np.float64).T
    seen = (face.landmarks_px[list(RIGID)].astype(np.float64) - [width / 2, height / 2]) * [1, -1]
    rows, right = np.zeros((2, len(turned), 3)), np.zeros((2, len(turned)))
    for axis in (0, 1):
        rows[axis, :, axis] = focal
        rows[axis, :, 2] = seen[:, axis]
        right[axis] = -focal * turned[:, axis] - seen[:, axis] * turned[:, 2]
    place, *_ = np.linalg.lstsq(rows.reshape(-1, 3), right.reshape(-1), rcond=None)
    return place.astype(np.float32)
