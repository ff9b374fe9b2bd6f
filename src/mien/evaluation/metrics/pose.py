"""Pose errors of heads.

APD = mean |delta| over frames and yaw, pitch, roll, in rad; range 0 to about pi; lower is better. An L1 mean
over angles, not a norm, as the scripts around StyleHEAT and Next3D have it (there on Deep3DFaceRecon's
angles). It depends on the choice of axes; the geodesic angle, |log(R_a^T R_b)| in degrees, 0 to 180, does
not. Angles of `head_angles`; rotations are R_camera_head.
"""

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mien.animation.rotations import head_angles
from mien.evaluation.metrics.shapes import same_length

Array = NDArray[np.floating]


def average_pose_distance(angles_rad: Array, angles_driver_rad: Array) -> float:
    """APD of angles [T, 3] in rad; differences are taken around the circle."""
    same_length(angles_rad, angles_driver_rad)
    apart = np.asarray(angles_rad, np.float64) - angles_driver_rad
    return float(np.abs(np.arctan2(np.sin(apart), np.cos(apart))).mean())


def rotation_pose_distance(
    R_output: Float[np.ndarray, "frame 3 3"], R_driver: Float[np.ndarray, "frame2 3 3"]
) -> float:
    """APD of rotations, by their yaw, pitch and roll."""
    same_length(R_output, R_driver)
    return average_pose_distance(head_angles(R_output), head_angles(R_driver))


def relative_rotations(R: Array) -> NDArray[np.float64]:
    """Turns since the first frame in camera axes, `R_t R_0^T`."""
    R = np.asarray(R, np.float64)
    return R @ R[0].T


def rotation_angles_deg(R: Array) -> NDArray[np.float64]:
    """Geodesic angle in degrees of rotations [..., 3, 3]; accurate near 0, where the cosine alone is not."""
    R = np.asarray(R, np.float64)
    skew = np.stack(
        [R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], -1
    )
    sine, cosine = np.linalg.norm(skew, axis=-1) / 2, (np.trace(R, axis1=-2, axis2=-1) - 1) / 2
    return np.asarray(np.degrees(np.arctan2(sine, cosine)))


def geodesic_errors_deg(R_output: Array, R_driver: Array) -> NDArray[np.float64]:
    """Angle per frame between rotations [T, 3, 3], [T]."""
    same_length(R_output, R_driver)
    return rotation_angles_deg(np.swapaxes(np.asarray(R_driver, np.float64), -1, -2) @ R_output)


def pose_errors_deg(R_output: Array, R_driver: Array) -> NDArray[np.float64]:
    """Angle per frame between the output's and the driver's turn since the first frame, [T]."""
    same_length(R_output, R_driver)
    return geodesic_errors_deg(relative_rotations(R_output), relative_rotations(R_driver))
