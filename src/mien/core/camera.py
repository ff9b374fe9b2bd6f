"""The one camera of mien. Only this module knows the OpenCV, OpenGL and EG3D layouts.

World = head frame: x to the image's right in a frontal view, y up, z towards the viewer, in EG3D units.
Camera axes are OpenCV's: x right, y down, z forward. Image coordinates uv are in [0, 1] from the top left
corner; the centre of pixel (column, row) is ((column + 0.5) / width, (row + 0.5) / height).
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.errors import InputError

FFHQ_FOCAL: Final = 4.2647
"""Focal length of EG3D's FFHQ crop, in image widths."""
ORBIT_RADIUS: Final = 2.7
"""Distance of EG3D's cameras from the middle of the head, in EG3D units."""

_MIN_DEPTH = 1e-6


@dataclass(frozen=True, eq=False)
class Projection:
    """World points as a camera sees them."""

    uv: Float[Tensor, "*batch 2"]
    """Image coordinates, (0, 0) at the top left corner and (1, 1) at the bottom right one."""
    depth: Float[Tensor, "*batch"]
    """Distance along the camera's z axis (not along the ray), in world units; negative behind the camera."""


@dataclass(frozen=True, eq=False)
class Rays:
    """Rays in world coordinates, for example one through the centre of each pixel."""

    origins: Float[Tensor, "*batch 3"]
    directions: Float[Tensor, "*batch 3"]
    """Unit vectors, away from the camera."""


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera. Immutable; all methods keep the dtype and device of `T_world_camera`."""

    T_world_camera: Float[Tensor, "4 4"]
    """Takes points in OpenCV camera axes to the world; a rotation and a translation."""
    intrinsics: Float[Tensor, "3 3"]
    """[[fx, skew, cx], [0, fy, cy], [0, 0, 1]], row 1 divided by the image's width, row 2 by its height."""

    @property
    def R_world_camera(self) -> Float[Tensor, "3 3"]:
        """The camera's axes as columns, in the world."""
        return self.T_world_camera[:3, :3]

    @property
    def position(self) -> Float[Tensor, "3"]:
        """The camera's centre in the world."""
        return self.T_world_camera[:3, 3]

    def to(self, device: torch.device | str | None = None, *, dtype: torch.dtype | None = None) -> "Camera":
        """The same camera on another device or in another dtype."""
        return Camera(
            self.T_world_camera.to(device=device, dtype=dtype), self.intrinsics.to(device=device, dtype=dtype)
        )

    def project(self, xyz_world: Float[Tensor, "*batch 3"]) -> Projection:
        """Where world points fall in the image; at depth <= 0 the uv is finite but has no meaning."""
        xyz_camera = (xyz_world - self.position) @ self.R_world_camera
        x, y, depth = xyz_camera.unbind(-1)
        divisor = torch.where(depth.abs() < _MIN_DEPTH, torch.full_like(depth, _MIN_DEPTH), depth)
        x, y = x / divisor, y / divisor
        K = self.intrinsics
        uv = torch.stack((K[0, 0] * x + K[0, 1] * y + K[0, 2], K[1, 1] * y + K[1, 2]), dim=-1)
        return Projection(uv=uv, depth=depth)

    def unproject(
        self, uv: Float[Tensor, "*batch 2"], depth: Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch 3"]:
        """World points that `project` takes to `uv` and `depth` (z-depth): its inverse."""
        xyz_camera = self._image_plane(uv) * depth[..., None]
        return xyz_camera @ self.R_world_camera.T + self.position

    def rays(self, height_px: int, width_px: int) -> Rays:
        """Rays through all pixel centres of an image of this size."""
        like = self.T_world_camera
        u = (torch.arange(width_px, dtype=like.dtype, device=like.device) + 0.5) / width_px
        v = (torch.arange(height_px, dtype=like.dtype, device=like.device) + 0.5) / height_px
        return self.rays_at(torch.stack((u.expand(height_px, -1), v[:, None].expand(-1, width_px)), dim=-1))

    def rays_at(self, uv: Float[Tensor, "*batch 2"]) -> Rays:
        """Rays through points of the image."""
        directions = self._image_plane(uv) @ self.R_world_camera.T
        directions = torch.nn.functional.normalize(directions, dim=-1)
        return Rays(origins=self.position.expand_as(directions), directions=directions)

    def _image_plane(self, uv: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 3"]:
        """Points of the plane z = 1 in camera axes."""
        K = self.intrinsics
        y = (uv[..., 1] - K[1, 2]) / K[1, 1]
        x = (uv[..., 0] - K[0, 2] - K[0, 1] * y) / K[0, 0]
        return torch.stack((x, y, torch.ones_like(x)), dim=-1)

    @classmethod
    def orbit(
        cls,
        yaw_rad: float,
        pitch_rad: float,
        *,
        radius: float = ORBIT_RADIUS,
        pivot: tuple[float, float, float] = (0.0, 0.0, 0.0),
        focal: float = FFHQ_FOCAL,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "Camera":
        """A camera on a sphere around `pivot`, looking at it, upright; (0, 0) is the frontal view.

        It sits at pivot + radius (sin yaw cos pitch, sin pitch, cos yaw cos pitch): positive yaw towards the
        image's right, positive pitch above the head. Well defined at the poles too.
        """
        sy, cy, sp, cp = math.sin(yaw_rad), math.cos(yaw_rad), math.sin(pitch_rad), math.cos(pitch_rad)
        backward = (sy * cp, sp, cy * cp)
        columns = ((cy, 0.0, -sy), (sy * sp, -cp, cy * sp), tuple(-b for b in backward))
        position = [p + radius * b for p, b in zip(pivot, backward, strict=True)]
        T = torch.eye(4, dtype=torch.float64)
        T[:3, :3] = torch.tensor(columns, dtype=torch.float64).T
        T[:3, 3] = torch.tensor(position, dtype=torch.float64)
        return cls(T.to(device=device, dtype=dtype), intrinsics_of(focal, device=device, dtype=dtype))

    @classmethod
    def look_at(
        cls,
        position: Float[Tensor, "3"],
        target: Float[Tensor, "3"],
        *,
        focal: float = FFHQ_FOCAL,
        up: tuple[float, float, float] = (0.0, 1.0, 0.0),
    ) -> "Camera":
        """A camera at `position` with `target` in the middle of its image and `up` upwards.

        Raises ValueError if the viewing direction is (nearly) parallel to `up`, or has no length.
        """
        normalize = torch.nn.functional.normalize
        forward = normalize(target - position, dim=0)
        right = torch.linalg.cross(forward, torch.tensor(up, dtype=position.dtype, device=position.device))
        if right.norm() < 1e-6:
            raise ValueError(
                "The viewing direction is parallel to `up` or has no length; choose another `up`."
            )
        right = normalize(right, dim=0)
        axes = torch.stack((right, torch.linalg.cross(forward, right), forward, position), dim=1)
        T = torch.cat((axes, axes.new_tensor([[0.0, 0.0, 0.0, 1.0]])))
        return cls(T, intrinsics_of(focal, device=position.device, dtype=position.dtype))

    def to_label(self) -> Float[Tensor, "25"]:
        """EG3D's 25 numbers: the 4x4 camera-to-world matrix, then the 3x3 intrinsics, both row by row."""
        return torch.cat((self.T_world_camera.flatten(), self.intrinsics.flatten()))

    @classmethod
    def from_label(cls, label: Float[Tensor, "25"]) -> "Camera":
        """Inverse of `to_label`. Raises InputError if the numbers are not a camera."""
        camera = cls(label[:16].reshape(4, 4), label[16:].reshape(3, 3))
        _check_rigid(camera.T_world_camera)
        K = camera.intrinsics
        if not torch.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0:
            raise InputError(
                f"The camera label has intrinsics {K.tolist()}; expected finite numbers with positive focal "
                "lengths, normalised by the image size. Check that the label has EG3D's order."
            )
        return camera

    def mirrored(self) -> "Camera":
        """The camera of the mirrored picture of a mirrored world: x changes sign in both."""
        signs = self.T_world_camera.new_tensor([-1.0, 1.0, 1.0, 1.0])
        K = self.intrinsics.clone()
        K[0, 1], K[0, 2] = -K[0, 1], 1 - K[0, 2]
        return Camera(signs[:, None] * self.T_world_camera * signs, K)

    def to_opengl(self) -> Float[Tensor, "4 4"]:
        """Camera-to-world matrix in OpenGL axes: x right, y up, z backward."""
        return self.T_world_camera * self.T_world_camera.new_tensor([1.0, -1.0, -1.0, 1.0])

    @classmethod
    def from_opengl(
        cls, T_world_opengl: Float[Tensor, "4 4"], intrinsics: Float[Tensor, "3 3"] | None = None
    ) -> "Camera":
        """Inverse of `to_opengl`; the intrinsics are those of the FFHQ crop unless given."""
        _check_rigid(T_world_opengl)
        if intrinsics is None:
            intrinsics = intrinsics_of(FFHQ_FOCAL, device=T_world_opengl.device, dtype=T_world_opengl.dtype)
        return cls(T_world_opengl * T_world_opengl.new_tensor([1.0, -1.0, -1.0, 1.0]), intrinsics)


def intrinsics_of(
    focal: float, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Float[Tensor, "3 3"]:
    """Normalised intrinsics of a square image with its principal point in the middle."""
    rows = [[focal, 0.0, 0.5], [0.0, focal, 0.5], [0.0, 0.0, 1.0]]
    return torch.tensor(rows, device=device, dtype=dtype)


def _check_rigid(T: Float[Tensor, "4 4"]) -> None:
    R = T[:3, :3]
    error = (R.T @ R - torch.eye(3, dtype=T.dtype, device=T.device)).abs().max()
    last_row_error = (T[3] - T.new_tensor([0.0, 0.0, 0.0, 1.0])).abs().max()
    # `not <=` also catches NaN.
    if not error <= 1e-2 or not last_row_error <= 1e-4 or not torch.isfinite(T).all() or torch.det(R) < 0:
        raise InputError(
            f"The camera matrix {T.tolist()} is not a rotation and a translation; expected a 4x4 "
            "camera-to-world matrix whose last row is 0 0 0 1. Check the order of the numbers."
        )
