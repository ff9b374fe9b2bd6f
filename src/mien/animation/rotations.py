"""Head rotations as numpy arrays: tangent vectors and yaw, pitch, roll, both ways.

Rotations here are `R_camera_head`: they carry head axes (x to the image's right in a frontal view, y up,
z towards the viewer) to camera axes of the same directions. Everything is vectorised over leading axes.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation


def rotation_log(R: NDArray[np.floating]) -> NDArray[np.float64]:
    """Tangent vectors [..., 3] in rad of the rotations [..., 3, 3]."""
    flat = np.asarray(R, np.float64).reshape(-1, 3, 3)
    return Rotation.from_matrix(flat).as_rotvec().reshape((*R.shape[:-2], 3))


def rotation_exp(vector_rad: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rotations [..., 3, 3] of the tangent vectors [..., 3] in rad: the inverse of `rotation_log`."""
    flat = np.asarray(vector_rad, np.float64).reshape(-1, 3)
    return Rotation.from_rotvec(flat).as_matrix().reshape((*vector_rad.shape[:-1], 3, 3))


def rotation_angle(R: NDArray[np.floating]) -> NDArray[np.float64]:
    """Angle in rad of each rotation, [...]: its geodesic distance to the identity."""
    return np.asarray(np.linalg.norm(rotation_log(R), axis=-1))


def head_angles(R_camera_head: NDArray[np.floating]) -> NDArray[np.float64]:
    """Yaw, pitch, roll in rad, [..., 3]: yaw > 0 looks to the image's right, pitch > 0 looks up,
    roll > 0 turns counter-clockwise in the image; `R = Ry(yaw) Rx(-pitch) Rz(roll)`."""
    flat = np.asarray(R_camera_head, np.float64).reshape(-1, 3, 3)
    yaw, minus_pitch, roll = Rotation.from_matrix(flat).as_euler("YXZ").T
    return np.stack([yaw, -minus_pitch, roll], -1).reshape((*R_camera_head.shape[:-2], 3))


def head_rotation(angles_rad: NDArray[np.floating]) -> NDArray[np.float64]:
    """R_camera_head [..., 3, 3] of yaw, pitch, roll in rad [..., 3]: the inverse of `head_angles`."""
    flat = np.asarray(angles_rad, np.float64).reshape(-1, 3) * [1.0, -1.0, 1.0]
    return Rotation.from_euler("YXZ", flat).as_matrix().reshape((*angles_rad.shape[:-1], 3, 3))


def nearest_rotation(M: NDArray[np.floating]) -> NDArray[np.float64]:
    """The rotation nearest to each matrix [..., 3, 3] in the Frobenius norm (orthogonal Procrustes)."""
    U, _, Vt = np.linalg.svd(np.asarray(M, np.float64))
    sign = np.linalg.det(U @ Vt)
    flip = np.ones((*sign.shape, 3))
    flip[..., 2] = sign
    return (U * flip[..., None, :]) @ Vt


def interpolate_rotations(
    R: NDArray[np.floating], time_s: NDArray[np.floating], query_s: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Rotations at the times `query_s` [Q] along the shortest ways between R [T, 3, 3] at the rising `time_s`
    [T]; the first and last are held beyond the ends."""
    right = np.clip(np.searchsorted(time_s, query_s), 1, max(len(time_s) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(time_s) - 1)
    span = np.where(right > left, time_s[right] - time_s[left], 1.0)
    share = np.clip((query_s - time_s[left]) / span, 0.0, 1.0)
    step = rotation_log(np.swapaxes(R[left], -1, -2) @ R[right])
    return np.asarray(R, np.float64)[left] @ rotation_exp(step * share[:, None])
