"""The picture in which glasses are looked for: an upright strip around the eyes, by a similarity.

It follows from the head model's points as they lie in the photo, with the same function for a fitted head and
for a rendered one.
"""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.core.camera import Camera
from mien.morphable.facecrop import CROP_UNITS, FaceCrop, crop_for, cut_crop
from mien.morphable.glasses import EYE_RINGS
from mien.morphable.landmarks import LandmarkModel

STRIP_PX: Final = (96, 160)
"""Height and width."""
UNITS_PER_PX: Final = 0.002
"""Size of its pixels at the face's distance, EG3D units: a millimetre."""
LOWER_PX: Final = 4
"""How far its middle lies below the eyes."""


def seen_points(camera: Camera, points: Float[Tensor, "478 3"], size: tuple[int, int]) -> Tensor:
    """MediaPipe's points of the head frame as `crop_for` wants them, for a picture of (width, height)."""
    px = camera.project(points).uv * points.new_tensor(size)
    depth = (points - camera.position) @ camera.R_world_camera[:, 2]
    depth = (depth - depth.mean()) * size[0] * float(camera.intrinsics[0, 0]) / depth.mean()
    return torch.cat([px, depth[:, None]], 1).double()


def eye_crop(points: Float[Tensor, "478 3"], landmarks: LandmarkModel) -> FaceCrop:
    """The square, `STRIP_PX` wide, whose middle rows are the strip."""
    face = crop_for(points[None], landmarks)
    side = face.side_px * (STRIP_PX[1] * UNITS_PER_PX / CROP_UNITS)
    eyes = points[[i for ring in EYE_RINGS for i in ring], :2].mean(0)
    down = torch.stack([face.roll_rad.sin(), face.roll_rad.cos()], 1)
    return FaceCrop(eyes[None] + (LOWER_PX / STRIP_PX[1]) * side[:, None] * down, side, face.roll_rad)


def cut_strip(
    rgb: UInt8[np.ndarray, "height width 3"], crop: FaceCrop, *, beyond_px: int = 0
) -> Float[Tensor, "3 rows columns"]:
    """The strip in [0, 1], with so many more pixels on every side."""
    (height, width), more = STRIP_PX, 2 * beyond_px
    wide = FaceCrop(crop.centre_px, crop.side_px * ((width + more) / width), crop.roll_rad)
    square = cut_crop(rgb, wide, width + more)[0]
    start = (width - height) // 2
    return square[:, start : start + height + more]


def strip_from_photo(points_px: Float[Tensor, "point 2"], crop: FaceCrop) -> Float[Tensor, "point 2"]:
    """Pixels of the strip (its corner is 0, 0) of points of the photo."""
    height, width = STRIP_PX
    return (crop.from_photo(points_px[None])[0] + 0.5) * width - points_px.new_tensor(
        [0.0, (width - height) / 2]
    )


def photo_from_strip(points: Float[Tensor, "point 2"], crop: FaceCrop) -> Float[Tensor, "point 2"]:
    """Inverse of `strip_from_photo`."""
    height, width = STRIP_PX
    return crop.to_photo(((points + points.new_tensor([0.0, (width - height) / 2])) / width - 0.5)[None])[0]
