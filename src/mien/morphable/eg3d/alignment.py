"""A photo's face as EG3D sees it: crop, camera, and where our head lies in EG3D's world.

Official labels come from a camera 10 units (1 m) before a face model in units of 100 mm, at C: position =
0.27 C + (0, 0.006, 0.161), then scaled to a distance of 2.7 from the origin, the rotation left as it is. So
one unit is 0.27 of EG3D's, and the face model's origin lies at (0, 0.006, 0.161) in EG3D's world. Our head is
carried there by the same numbers, its centroid (see `crop`) in place of the face model's. Scaling the
camera's position about the world's origin and the head with it changes no pixel: so the head's scale is an
output, about 1.4 EG3D units for one of ours, a little less seen from the front than from the side.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.core.camera import FFHQ_FOCAL, ORBIT_RADIUS, Camera, intrinsics_of
from mien.core.viewpoint import ViewAngles
from mien.morphable.crop import CropRegion
from mien.morphable.eg3d.crop import CROP_PX, POS_UNIT_M, UNITS_PER_METRE, similarity
from mien.morphable.fit import FaceFit

WORLD_PER_STANDARD: Final = 0.27
"""EG3D units per 100 mm, before the position is scaled."""
FACE_ORIGIN_WORLD: Final = (0.0, 0.006, 0.161)
"""Where the face's centroid lies in EG3D's world, before the position is scaled."""
WORLD_PER_HEAD: Final = WORLD_PER_STANDARD / (UNITS_PER_METRE * POS_UNIT_M)


@dataclass(frozen=True, eq=False)
class Eg3dAlignment:
    """A photo's face as EG3D sees it."""

    image: UInt8[np.ndarray, "512 512 3"]
    """The crop."""
    crop: CropRegion
    """Where it lies in the photo: `px_from_uv` and `uv_from_px` go both ways."""
    camera: Camera
    """Of the crop, in EG3D's world, at a distance of 2.7; `camera.to_label()` is the 25 numbers."""
    angles: ViewAngles
    """The camera's."""
    world_scale: float
    """EG3D units per unit of our head."""
    world_shift: Float[Tensor, "3"]
    """x_world = world_scale x_head + world_shift; the axes are the same."""
    fit: FaceFit
    """Of the close-up: its identity and expression count here, its crop and camera are not EG3D's."""

    @property
    def A_crop_photo(self) -> Float[np.ndarray, "2 3"]:
        """Crop pixels = A [x, y, 1] of photo pixels; pixel corners count from 0."""
        return similarity(self.crop)

    def crop_from_photo(self, px: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Photo pixels in the crop's pixels."""
        return self.crop.uv_from_px(px) * CROP_PX

    def photo_from_crop(self, px: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Inverse of `crop_from_photo`."""
        return self.crop.px_from_uv(px / CROP_PX)

    def to_world(self, xyz_head: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Points of our head in EG3D's world."""
        return xyz_head * self.world_scale + self.world_shift

    def corrected(
        self, *, yaw_rad: float | None = None, pitch_rad: float | None = None, roll_rad: float | None = None
    ) -> "Eg3dAlignment":
        """The same crop with other angles; the face stays where it is in the picture."""
        given = {"yaw_rad": yaw_rad, "pitch_rad": pitch_rad, "roll_rad": roll_rad}
        angles = replace(self.angles, **{name: value for name, value in given.items() if value is not None})
        size = self.world_scale / WORLD_PER_HEAD
        face = self.camera.R_world_camera.double().T @ (_origin() - self.camera.position.double() / size)
        return place(angles, face, self._head_origin(), image=self.image, crop=self.crop, fit=self.fit)

    @property
    def head_camera(self) -> Camera:
        """The same camera in our head's frame: the same picture of our head."""
        T = self.camera.T_world_camera.clone()
        T[:3, 3] = (self.camera.position - self.world_shift) / self.world_scale
        return replace(self.camera, T_world_camera=T)

    @property
    def face_world(self) -> Float[Tensor, "3"]:
        """The face's centroid in EG3D's world."""
        return (_origin() * (self.world_scale / WORLD_PER_HEAD)).float()

    def _head_origin(self) -> Float[Tensor, "3"]:
        """The face's centroid in the head frame."""
        size = self.world_scale / WORLD_PER_HEAD
        return (_origin() - self.world_shift.double() / size) / WORLD_PER_HEAD


def place(
    angles: ViewAngles,
    face_camera: Float[Tensor, "3"],
    origin: Float[Tensor, "3"],
    *,
    image: UInt8[np.ndarray, "512 512 3"],
    crop: CropRegion,
    fit: FaceFit,
) -> Eg3dAlignment:
    """The alignment of a camera with these angles that sees the face's centroid at `face_camera`.

    `face_camera` is in camera axes and EG3D units before the position is scaled; `origin` is the centroid in
    the head frame.
    """
    R = angles.rotation()
    position = _origin() - R @ face_camera
    size = ORBIT_RADIUS / float(position.norm())
    T = torch.eye(4, dtype=torch.float64)
    T[:3, :3], T[:3, 3] = R, position * size
    return Eg3dAlignment(
        image=image,
        crop=crop,
        camera=Camera(T.float(), intrinsics_of(FFHQ_FOCAL)),
        angles=angles,
        world_scale=size * WORLD_PER_HEAD,
        world_shift=(size * (_origin() - WORLD_PER_HEAD * origin)).float(),
        fit=fit,
    )


def _origin() -> Float[Tensor, "3"]:
    return torch.tensor(FACE_ORIGIN_WORLD, dtype=torch.float64)
