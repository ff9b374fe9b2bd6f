"""Head poses as programs around ARKit and MediaPipe write them: matrices, quaternions, angles.

All of them have the axes of mien's head: x to the image's right in a frontal view, y up, z to the viewer; the
camera's are the same. Lengths are metres, or centimetres in the matrices of MediaPipe.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mien.animation.arkit_forms import plain
from mien.animation.live_link import HEAD, head_rotations
from mien.animation.motion import MAX_ROTATION_ERROR, UNITS_PER_METRE
from mien.animation.rotations import head_rotation, nearest_rotation
from mien.core.errors import InputError

MATRIX_KEYS: Final = (
    "transform", "headtransform", "facetransform", "matrix", "headmatrix", "transformationmatrix",
    "facialtransformationmatrix", "headpose",
)  # fmt: skip
ROTATION_KEYS: Final = ("rotation", "headrotation", "headpose", "head", "orientation")
POSITION_KEYS: Final = ("position", "headposition", "translation")
FARTHEST_M: Final = 5.0
"""A head that is farther away is measured in centimetres."""
LARGEST_RAD: Final = 3.2
"""Angles beyond this are degrees."""


@dataclass(frozen=True, eq=False)
class HeadPose:
    """Where a head is in one frame."""

    R_camera_head: NDArray[np.float64]
    """[3, 3]"""
    place: NDArray[np.float64] | None
    """[3] EG3D units, in front of the camera (z < 0); None if the file does not tell."""


def head_pose(frame: Mapping[str, Any], where: str) -> HeadPose | None:
    """The pose that a frame of JSON holds under any of the usual names, or None if it holds none."""
    entries = {plain(key): value for key, value in frame.items()}
    for key in MATRIX_KEYS:
        if key in entries and _is_matrix(entries[key]):
            return _pose_of_matrix(entries[key], where)
    angles = [_number(entries.get(name.lower())) for name in HEAD]
    if None not in angles:
        return HeadPose(head_rotations(np.array([angles], np.float64))[0], None)
    place = next((_place(entries[key], where) for key in POSITION_KEYS if key in entries), None)
    for key in ROTATION_KEYS:
        if entries.get(key):
            value = entries[key]
            inner = _place(value, where) if isinstance(value, Mapping) and "px" in value else place
            return HeadPose(rotation_of(value, where), inner)
    return None


def rotation_of(value: object, where: str) -> NDArray[np.float64]:
    """[3, 3] of a quaternion x, y, z, w; of Euler angles x, y, z in rad as in three.js (order XYZ); or of
    yaw, pitch, roll as in `mien.animation.rotations.head_angles`, in degrees if they end in _deg or are
    beyond what rad can be."""
    if isinstance(value, list | tuple) and len(value) == 4:
        return _of_quaternion([_finite(x, where) for x in value], where)
    if isinstance(value, Mapping):
        entries = {plain(key): value[key] for key in value}
        for names in (("x", "y", "z", "w"), ("rx", "ry", "rz", "rw")):
            if all(name in entries for name in names):
                return _of_quaternion([_finite(entries[name], where) for name in names], where)
        if all(name in entries for name in ("x", "y", "z")):
            return _of_euler(entries, where)
        for ending in ("", "deg", "rad"):
            turns = [f"{angle}{ending}" for angle in ("yaw", "pitch", "roll")]
            if all(name in entries for name in turns):
                angles = np.array([_finite(entries[name], where) for name in turns])
                in_degrees = ending == "deg" or (not ending and np.abs(angles).max() > LARGEST_RAD)
                return head_rotation(np.radians(angles) if in_degrees else angles)
    raise InputError(
        f"{where} has a head rotation {str(value)[:60]!r}, expected a quaternion x, y, z, w, angles yaw, "
        "pitch, roll, or a 4 x 4 matrix; see docs/motion.md."
    )


def _pose_of_matrix(value: object, where: str) -> HeadPose:
    M = np.array(np.asarray(value, np.float64).reshape(4, 4))
    if not np.isfinite(M).all():
        raise InputError(f"{where} has a head matrix with numbers that are not finite; correct it.")
    if np.abs(M[:3, 3]).max() < 1e-9:  # columns one after the other, as simd and three.js have them
        M = M.T
    R = M[:3, :3]
    error = np.abs(R @ R.T - np.eye(3)).max()
    if error > MAX_ROTATION_ERROR or np.linalg.det(R) < 0:
        raise InputError(f"{where} has a head matrix whose axes are not a rotation; correct it.")
    return HeadPose(nearest_rotation(R), _in_units(M[:3, 3]))


def _of_quaternion(xyzw: list[float], where: str) -> NDArray[np.float64]:
    if np.linalg.norm(xyzw) < 1e-6:
        raise InputError(f"{where} has a head quaternion of length 0, expected length 1; correct it.")
    return Rotation.from_quat(xyzw).as_matrix()


def _of_euler(entries: Mapping[str, Any], where: str) -> NDArray[np.float64]:
    order = str(entries.get("order", "XYZ")).upper()
    angles = [_finite(entries[axis], where) for axis in ("x", "y", "z")]
    if sorted(order) != ["X", "Y", "Z"] or max(map(abs, angles)) > LARGEST_RAD:
        raise InputError(
            f"{where} has the head angles {angles} in order {order}, expected rad in an order such as XYZ; "
            "convert degrees to rad, or give a quaternion."
        )
    by_axis = dict(zip("XYZ", angles, strict=True))
    return Rotation.from_euler(order, [by_axis[axis] for axis in order]).as_matrix()


def _place(value: object, where: str) -> NDArray[np.float64] | None:
    if isinstance(value, Mapping):
        entries = {plain(key): value[key] for key in value}
        names = ("px", "py", "pz") if "px" in entries else ("x", "y", "z")
        value = [entries.get(name) for name in names]
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise InputError(f"{where} has a head position {str(value)[:60]!r}, expected x, y, z in metres.")
    return _in_units(np.array([_finite(x, where) for x in value]))


def _in_units(xyz: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """EG3D units of a place in metres or centimetres; None where it is not before the camera."""
    if xyz[2] >= -0.05:
        return None
    return xyz * UNITS_PER_METRE / (100.0 if np.linalg.norm(xyz) > FARTHEST_M else 1.0)


def _is_matrix(value: object) -> bool:
    if not isinstance(value, list):
        return False
    try:
        return np.asarray(value, np.float64).size == 16
    except (ValueError, TypeError):
        return False


def _finite(value: object, where: str) -> float:
    number = _number(value)
    if number is None or not np.isfinite(number):
        raise InputError(f"{where} has {value!r} where a number of the head's pose is expected; correct it.")
    return number


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
