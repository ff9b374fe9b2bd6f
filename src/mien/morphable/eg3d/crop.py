"""EG3D's crop of any photo: five landmarks give an axis-aligned square, which becomes 512 x 512 pixels.

The convention (Deng et al. 2019, as EG3D uses it): a weak-perspective least-squares fit (POS) of five
standard 3D points to both eyes, the tip of the nose and the corners of the mouth says how many pixels one
unit (100 mm) of the standard head takes. The photo is scaled so that it takes 300, 1024 x 1024 pixels are cut
out around the origin of the standard head, of these the middle 700 x 700, and those become 512 x 512. Only
scale and shift: a tilted head stays tilted.

The usual standard points belong to a face model under a licence of its own, so ours come from our head:
- **scale**: our head model is metric (`UNITS_PER_METRE`; its mean has the 61 mm between the pupils of an
  adult), so its points need no fitted factor: 300 pixels of the 1024 are 100 mm, the crop is 233 mm wide at
  the face;
- **origin**: the standard head's is the mean of the vertices of a face without ears and neck; ours is the
  centroid of the mean head's surface inside MediaPipe's outline of the face. Where exactly that outline ends
  matters by about 5 mm up or down, 2 % of the picture; yaw, pitch and roll do not depend on it.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from mien.morphable.crop import CropRegion
from mien.morphable.landmarks import FACE_OVAL
from mien.morphable.model import MorphableModel

CROP_PX: Final = 512
UNITS_PER_METRE: Final = 1.9
"""Of the head model."""
POS_UNIT_M: Final = 0.1
"""The standard head's unit."""
POS_SCALE_PX: Final = 300.0
"""Pixels per standard unit, before the cut."""
POS_CUT_PX: Final = 700.0
"""Side of the part that becomes the crop, in the same pixels."""

Outside = Literal["black", "reflect"]
"""What stands where the photo ends: `black` as in EG3D's own preparation of single photos; `reflect` mirrors
the edge and blurs it more and more, as in FFHQ's preparation, so as in the pictures the checkpoints saw."""

FIVE: Final = ((33, 133), (362, 263), (1, 4), (61,), (291,))
"""Landmarks whose means are the five points: the eyes (picture's left first), nose, corners of the mouth."""
MIRRORED_FIVE: Final = (1, 0, 2, 4, 3)
BLUR_SHARE: Final = 0.02
FADE_SHARE: Final = 0.3
"""Outside, as shares of the crop: full blur, and how far until the photo's middle colour is reached."""


@dataclass(frozen=True, eq=False)
class StandardHead:
    """The mean head in standard units; x right, y up, z to the viewer."""

    five: Float[np.ndarray, "5 3"]
    """About `origin`, in units of 100 mm."""
    origin: Float[np.ndarray, "3"]
    """In the head frame, in its units."""


@lru_cache(maxsize=2)
def standard_head(model: MorphableModel) -> StandardHead:
    """The five points of the mean head and their origin."""
    origin = _face_centroid(model)
    five = five_points(model.landmarks(model.mean).double().numpy())
    five = (five + five[list(MIRRORED_FIVE)] * [-1, 1, 1]) / 2  # the mean head is symmetric but for noise
    return StandardHead((five - origin) / (UNITS_PER_METRE * POS_UNIT_M), origin)


def five_points(landmarks: Float[np.ndarray, "478 axis"]) -> Float[np.ndarray, "5 axis"]:
    """Eyes, nose and corners of the mouth out of MediaPipe's points."""
    return np.stack([landmarks[list(points)].mean(0) for points in FIVE])


def fit_pos(
    five_px: Float[np.ndarray, "5 2"], five: Float[np.ndarray, "5 3"]
) -> tuple[float, Float[np.ndarray, "2"]]:
    """Scale (px per unit) and the origin's place (px) of the weak perspective view of `five` at `five_px`.

    Least squares for the affine map px = A X + t, scale = mean length of A's rows (DeMenthon and Davis 1995,
    Model-based object pose in 25 lines of code: POS).
    """
    solution, *_ = np.linalg.lstsq(np.concatenate([five, np.ones((5, 1))], 1), five_px, rcond=None)
    return float(np.linalg.norm(solution[:3], axis=0).mean()), solution[3]


def eg3d_region(five_px: Float[np.ndarray, "5 2"], model: MorphableModel) -> CropRegion:
    """The part of the photo that becomes EG3D's crop, from the five points in photo pixels."""
    scale, origin_px = fit_pos(five_px, standard_head(model).five)
    return CropRegion(float(origin_px[0]), float(origin_px[1]), POS_CUT_PX / POS_SCALE_PX * scale)


def similarity(region: CropRegion) -> Float[np.ndarray, "2 3"]:
    """A with crop pixels = A [x, y, 1] of photo pixels, exactly; pixel corners count from 0."""
    factor = CROP_PX / region.side_px
    x, y = region.corner_px
    return np.array([[factor, 0.0, -factor * x], [0.0, factor, -factor * y]])


def sample_crop(
    rgb: UInt8[np.ndarray, "height width 3"], region: CropRegion, outside: Outside = "reflect"
) -> UInt8[np.ndarray, "512 512 3"]:
    """The crop, Lanczos-filtered."""
    x, y = region.corner_px
    margin = 4 + math.ceil(4 * region.side_px / CROP_PX)
    left, top, extent = math.floor(x) - margin, math.floor(y) - margin, math.ceil(region.side_px) + 2 * margin
    index = np.arange(extent + 1)
    rows, columns = _mirror(top + index, rgb.shape[0]), _mirror(left + index, rgb.shape[1])
    source = rgb[rows[:, None], columns]
    if outside == "black":
        is_inside = _inside(top + index, rgb.shape[0])[:, None] & _inside(left + index, rgb.shape[1])
        source = source * is_inside[..., None].astype(np.uint8)
    box = (x - left, y - top, x - left + region.side_px, y - top + region.side_px)
    picture = Image.fromarray(source).resize((CROP_PX, CROP_PX), Image.Resampling.LANCZOS, box=box)
    crop = np.asarray(picture)
    return crop if outside == "black" else _soften(crop, _distance_outside(rgb.shape, region))


def _soften(
    crop: UInt8[np.ndarray, "512 512 3"], distance: Float[np.ndarray, "512 512"]
) -> UInt8[np.ndarray, "512 512 3"]:
    """Blur what lies outside the photo and let it fade into the photo's middle colour."""
    if not distance.any():
        return crop
    sigma = BLUR_SHARE * CROP_PX
    soft = cv2.GaussianBlur(crop, (0, 0), sigma).astype(np.float64)
    blur = np.clip(distance / (3 * sigma), 0, 1)[..., None]
    fade = np.clip(distance / (FADE_SHARE * CROP_PX), 0, 1)[..., None]
    inside = crop[distance == 0]
    middle = np.median(inside, axis=0) if len(inside) else np.full(3, 128.0)
    mixed = crop * (1 - blur) + soft * blur
    return (mixed * (1 - fade) + middle * fade + 0.5).astype(np.uint8)


def _distance_outside(shape: tuple[int, ...], region: CropRegion) -> Float[np.ndarray, "512 512"]:
    """How far each crop pixel lies outside the photo, in crop pixels."""
    centres = (np.arange(CROP_PX) + 0.5) / CROP_PX * region.side_px
    x, y = centres + region.corner_px[0], centres + region.corner_px[1]
    beyond_x, beyond_y = (
        np.maximum(np.maximum(-t, t - size), 0) for t, size in ((x, shape[1]), (y, shape[0]))
    )
    return np.maximum(beyond_x[None], beyond_y[:, None]) * (CROP_PX / region.side_px)


def _mirror(index: np.ndarray, size: int) -> np.ndarray:
    """Indices beyond the edge, folded back."""
    folded = np.mod(index, 2 * size)
    return np.where(folded < size, folded, 2 * size - 1 - folded)


def _inside(index: np.ndarray, size: int) -> np.ndarray:
    return (index >= 0) & (index < size)


def _face_centroid(model: MorphableModel) -> Float[np.ndarray, "3"]:
    """Area-weighted centroid of the mean head's skin inside the outline of the face, on the middle plane."""
    triangles = model.mean.double()[model.faces[model.part_faces("body")]]
    centre = triangles.mean(1).numpy()
    normal = torch.linalg.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]).numpy()
    outline = model.landmarks(model.mean)[list(FACE_OVAL)].numpy()
    grid = np.round(outline[:, None, :2] * 1e5).astype(np.int32)
    is_face = np.array([cv2.pointPolygonTest(grid, tuple(p * 1e5), False) >= 0 for p in centre[:, :2]])
    is_face &= (centre[:, 2] > 0) & (normal[:, 2] > 0)
    weight = np.linalg.norm(normal, axis=1) * is_face
    return (weight[:, None] * centre).sum(0) / weight.sum() * [0, 1, 1]
