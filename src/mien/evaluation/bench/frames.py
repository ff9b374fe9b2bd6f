"""Turning a head before its camera, and measuring how two heads lie.

Camera axes here are x right, y up, z to the viewer (`R_camera_head`). The true camera of a view goes around
the true head's origin from C to C'. That is the same picture as the camera staying and the head turning about
its own origin by `turn = R_C' R_C^T` in camera axes. A subject knows neither C nor C'. It is asked for `turn`
only, and applies it to its own estimate of the photo's camera, about its own head's origin; the framing (the
intrinsics) is the photo's. So a wrong estimate of size, place or pose is seen as such in every view.
"""

import math
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.animation.place import RIGID
from mien.core.camera import Camera
from mien.core.geometry import nearest_rotation
from mien.evaluation.bench.plan import FOCAL

FLIP: Final = (1.0, -1.0, -1.0)


def bench_camera(yaw_deg: float, pitch_deg: float) -> Camera:
    """A true camera of the benchmark; (0, 0) is the photo's."""
    return Camera.orbit(math.radians(yaw_deg), math.radians(pitch_deg), focal=FOCAL)


def head_pose(camera: Camera) -> tuple[Float[Tensor, "3 3"], Float[Tensor, "3"]]:
    """R_camera_head and the head origin's place in camera axes x right, y up, z to the viewer."""
    R = camera.R_world_camera.new_tensor(FLIP)[:, None] * camera.R_world_camera.T
    return R, -R @ camera.position


def turn_between(camera: Camera, other: Camera) -> Float[Tensor, "3 3"]:
    """The head's turn in camera axes from what the first camera sees to what the other one sees."""
    return head_pose(other)[0] @ head_pose(camera)[0].T


def turned_camera(camera: Camera, turn: Float[Tensor, "3 3"]) -> Camera:
    """The camera that sees the head turned about its origin by `turn` in camera axes, at the same place."""
    R, place = head_pose(camera)
    R = turn.to(R) @ R
    T = torch.eye(4, dtype=R.dtype)
    T[:3, :3] = R.T * R.new_tensor(FLIP)
    T[:3, 3] = -R.T @ place
    return Camera(T, camera.intrinsics)


def to_camera(camera: Camera, xyz_head: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
    """Points of the head's frame in camera axes."""
    R, place = head_pose(camera)
    return xyz_head @ R.T + place


def rotation_between(xyz: Float[Tensor, "point 3"], xyz_true: Float[Tensor, "point 3"]) -> np.ndarray:
    """The rotation [3, 3] that lays the true points best on the others, whatever their place and size.

    Orthogonal Procrustes over points that no expression moves; both are MediaPipe's 478.
    """
    one, other = (p[list(RIGID)].double() for p in (xyz, xyz_true))
    M = (one - one.mean(0)).T @ (other - other.mean(0))
    return nearest_rotation(M).numpy()
