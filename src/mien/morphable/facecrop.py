"""The picture that the image encoder sees: an upright square around a face, by a similarity.

Place, scale and roll follow from the face's points alone, with the same function for MediaPipe's points and
for the true points of a rendered head.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.morphable.encoder import align
from mien.morphable.landmarks import FACE_OVAL, LandmarkModel
from mien.tracking.faces import FaceObservation

CROP_UNITS: Final = 0.42
"""Side of the crop at the face's distance, EG3D units; a face is 0.31 high."""
OVAL_WEIGHT: Final = 0.3
"""Of the outline's points in the rigid motion: the face's edge slides over the head."""


@dataclass(frozen=True, eq=False)
class FaceCrop:
    """Upright squares in a picture, in its pixels (x right, y down)."""

    centre_px: Float[Tensor, "n 2"]
    side_px: Float[Tensor, " n"]
    roll_rad: Float[Tensor, " n"]
    """How far the square's top is turned in the picture, counter-clockwise as seen."""

    @property
    def axes_px(self) -> Float[Tensor, "n 2 2"]:
        """Takes columns (x right, y down, in sides from the middle) to pixels from the centre."""
        cos, sin = self.side_px * self.roll_rad.cos(), self.side_px * self.roll_rad.sin()
        return torch.stack([torch.stack([cos, sin], 1), torch.stack([-sin, cos], 1)], 1)

    @property
    def R_camera_crop(self) -> Float[Tensor, "n 3 3"]:
        """Rotation about the axis to the viewer (x right, y up) from the upright crop to the picture."""
        cos, sin, zero = self.roll_rad.cos(), self.roll_rad.sin(), torch.zeros_like(self.roll_rad)
        rows = (cos, -sin, zero, sin, cos, zero, zero, zero, torch.ones_like(zero))
        return torch.stack(rows, 1).unflatten(1, (3, 3))

    def to_photo(self, points: Float[Tensor, "n point 2"]) -> Float[Tensor, "n point 2"]:
        """Pixels of points that are in sides from the crop's middle."""
        return self.centre_px[:, None] + points @ self.axes_px.transpose(1, 2)

    def from_photo(self, points_px: Float[Tensor, "n point 2"]) -> Float[Tensor, "n point 2"]:
        """Inverse of `to_photo`."""
        flat = (points_px - self.centre_px[:, None]) @ self.axes_px
        return flat / self.side_px[:, None, None] ** 2


def crop_for(points: Float[Tensor, "n 478 3"], landmarks: LandmarkModel) -> FaceCrop:
    """Crops of faces whose points are given in pixels (x right, y down, depth away from the viewer).

    The mean head is laid on the points by a rotation, scale and shift.
    """
    weight = torch.ones(478, dtype=points.dtype)
    weight[torch.tensor(FACE_OVAL)] = OVAL_WEIGHT
    weight = weight / weight.sum()
    aligned = align(points, landmarks.mean.to(points.dtype), weight)
    across = aligned.R_camera_head[:, :2, 0]
    return FaceCrop(
        centre_px=(weight[:, None] * points[..., :2]).sum(1),
        side_px=CROP_UNITS * aligned.scale,
        roll_rad=torch.atan2(across[:, 1], across[:, 0]),
    )


def observed_points(face: FaceObservation) -> Float[Tensor, "478 3"]:
    """A tracked face's points with their depth, as `crop_for` wants them, in double precision."""
    flat, depth = torch.from_numpy(face.landmarks_px), torch.from_numpy(face.landmarks_depth)
    return torch.cat([flat, depth[:, None]], 1).double()


def cut_crop(
    rgb: UInt8[np.ndarray, "height width 3"], crop: FaceCrop, size_px: int
) -> Float[Tensor, "1 3 size size"]:
    """The first crop's pixels in [0, 1]; beyond the picture its edge goes on.

    Where the picture is finer than the crop it is first shrunk by area, so that nothing aliases.
    """
    step = float(crop.side_px[0]) / size_px
    shrink = max(1.0, step)
    height, width = rgb.shape[:2]
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) if shrink > 1 else rgb
    to_small = np.array([[size[0] / width], [size[1] / height]])
    A = to_small * crop.axes_px[0].double().numpy() / size_px
    origin = to_small[:, 0] * crop.centre_px[0].double().numpy() - A @ [size_px / 2, size_px / 2]
    centres = np.concatenate([A, (A @ [0.5, 0.5] + origin - 0.5)[:, None]], 1)  # between pixels' centres
    cut = cv2.warpAffine(
        small, centres, (size_px, size_px), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return torch.from_numpy(np.ascontiguousarray(cut)).permute(2, 0, 1)[None].float() / 255
