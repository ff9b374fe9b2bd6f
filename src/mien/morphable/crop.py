"""The aligned crop: an axis-aligned square of the photo, as the FFHQ-like camera sees it, and its inverse."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from PIL import Image
from torch import Tensor

from mien.core.camera import FFHQ_FOCAL


@dataclass(frozen=True)
class CropRegion:
    """A square in photo pixels; pixel (column, row) has its centre at (column + 0.5, row + 0.5)."""

    centre_x_px: float
    centre_y_px: float
    side_px: float

    @property
    def corner_px(self) -> tuple[float, float]:
        """The top left corner; it may lie outside the photo."""
        return self.centre_x_px - self.side_px / 2, self.centre_y_px - self.side_px / 2

    def scaled(self, factor: float) -> "CropRegion":
        """The same square in a picture that is so much larger."""
        return CropRegion(self.centre_x_px * factor, self.centre_y_px * factor, self.side_px * factor)

    def px_from_uv(self, uv: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Photo pixels of crop coordinates in [0, 1]."""
        return uv * self.side_px + np.array(self.corner_px, dtype=uv.dtype)

    def uv_from_px(self, px: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Inverse of `px_from_uv`."""
        return (px - np.array(self.corner_px, dtype=px.dtype)) / self.side_px

    def photo_intrinsics(self, width_px: int, height_px: int) -> Float[Tensor, "3 3"]:
        """Normalised intrinsics of the whole photo, for the pose of the crop's camera.

        From px = corner + side uv: f_photo = f side / width and c_photo = centre / width (or height).
        """
        fx, fy = FFHQ_FOCAL * self.side_px / width_px, FFHQ_FOCAL * self.side_px / height_px
        cx, cy = self.centre_x_px / width_px, self.centre_y_px / height_px
        return torch.tensor([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    def sample(
        self, image: UInt8[np.ndarray, "height width 3"] | Float32[np.ndarray, "height width"], size_px: int
    ) -> UInt8[np.ndarray, "size size 3"] | Float32[np.ndarray, "size size"]:
        """The crop at size_px x size_px: area-filtered when shrinking, bilinear when enlarging.

        Outside the photo its edge is repeated.
        """
        x, y = self.corner_px
        height, width = image.shape[:2]
        margin = 2 + math.ceil(2 * self.side_px / size_px)
        left, top = math.floor(x) - margin, math.floor(y) - margin
        extent = math.ceil(self.side_px) + 2 * margin + 1
        columns = np.arange(left, left + extent).clip(0, width - 1)
        rows = np.arange(top, top + extent).clip(0, height - 1)
        source = Image.fromarray(np.ascontiguousarray(image[rows[:, None], columns]))
        box = (x - left, y - top, x - left + self.side_px, y - top + self.side_px)
        return np.asarray(source.resize((size_px, size_px), Image.Resampling.BILINEAR, box=box))
