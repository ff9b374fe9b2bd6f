"""Pictures that show a fit: the mesh over the photo, lips, eyes and outline as lines, landmarks as dots."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from mien.core.camera import Camera
from mien.morphable.fit import FaceFit
from mien.morphable.landmarks import (
    BROW_LEFT,
    BROW_RIGHT,
    EYELIDS_LEFT,
    EYELIDS_RIGHT,
    IRISES,
    LIPS_INNER,
    LIPS_OUTER,
)
from mien.morphable.model import PARTS, MorphableModel
from mien.morphable.raster import Hits, cast_rays, interpolate, vertex_normals

CLOSED_LINES: Final = (LIPS_OUTER, LIPS_INNER, EYELIDS_RIGHT, EYELIDS_LEFT, IRISES[1:5], IRISES[6:10])
BROW_LINES: Final = (BROW_RIGHT[:5], BROW_LEFT[:5])
LINE_RGB: Final = (255, 235, 60)
OUTLINE_RGB: Final = (40, 220, 255)
DOT_RGB: Final = (255, 40, 40)
DOT_SHARE: Final = 0.002
"""Radius of a dot as a share of the crop."""
PART_RGB: Final = {
    "eye_left": (250, 250, 250),
    "eye_right": (250, 250, 250),
    "teeth_upper": (245, 240, 215),
    "teeth_lower": (245, 240, 215),
    "tongue": (190, 90, 90),
    "mouth": (120, 30, 30),
}
SKIN_RGB: Final = (205, 190, 180)


@dataclass(frozen=True)
class OverlayConfig:
    """How the overlay looks."""

    opacity: float = 0.55
    """Of the shaded mesh."""
    longest_side_px: int = 1280
    """Larger photos are shrunk to this."""
    draw_lines: bool = True
    draw_dots: bool = True


def draw_overlay(
    photo: UInt8[np.ndarray, "height width 3"],
    fit: FaceFit,
    model: MorphableModel,
    *,
    detected_px: Float[np.ndarray, "478 2"] | None = None,
    config: OverlayConfig | None = None,
) -> UInt8[np.ndarray, "out_height out_width 3"]:
    """The photo with the fitted mesh over it; `detected_px` become dots, the model's points lines."""
    config = config or OverlayConfig()
    height, width = photo.shape[:2]
    scale = min(1.0, config.longest_side_px / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = cv2.resize(photo, size, interpolation=cv2.INTER_AREA) if scale < 1 else photo.copy()
    ratio = np.array([size[0] / width, size[1] / height])
    shaded, is_hit = shade(fit, model, fit.photo_camera(width, height), size)
    blend = config.opacity * is_hit[..., None]
    picture = (picture * (1 - blend) + shaded * blend + 0.5).astype(np.uint8)
    if config.draw_lines:
        contours, _ = cv2.findContours(is_hit.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, OUTLINE_RGB, 1, cv2.LINE_AA)
        draw_lines(picture, fit.landmarks_px.numpy() * ratio)
    if config.draw_dots and detected_px is not None:
        radius = round(16 * max(0.6, fit.crop.side_px * ratio[0] * DOT_SHARE))
        for x, y in detected_px * ratio:
            cv2.circle(picture, _fixed(x, y), radius, DOT_RGB, -1, cv2.LINE_AA, shift=4)
    return picture


def shade(
    fit: FaceFit, model: MorphableModel, camera: Camera, size: tuple[int, int]
) -> tuple[Float[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]]:
    """The mesh lit from the camera, RGB in [0, 255], and where it is seen; `size` is (width, height)."""
    width, height = size
    vertices = fit.vertices(model).numpy()
    left, top, right, bottom = _bounds(torch.from_numpy(vertices), camera, size)
    rays = camera.rays(height, width)
    window = (slice(top, bottom), slice(left, right))
    directions = rays.directions[window].numpy().reshape(-1, 3)
    hits = cast_rays(vertices, model.faces_np, camera.position.numpy(), directions)
    normal = interpolate(vertex_normals(vertices, model.faces_np), model.faces_np, hits)
    facing = np.abs(np.einsum("nc,nc->n", normal, directions))
    colour = _part_colours(model, hits) * (0.25 + 0.75 * facing[:, None])
    picture, is_hit = np.zeros((height, width, 3)), np.zeros((height, width), dtype=bool)
    shape = (bottom - top, right - left)
    picture[window] = colour.reshape(*shape, 3)
    is_hit[window] = hits.hit.reshape(shape)
    return picture, is_hit


def _bounds(vertices: torch.Tensor, camera: Camera, size: tuple[int, int]) -> tuple[int, int, int, int]:
    px = camera.project(vertices).uv.numpy() * np.array(size)
    low = np.floor(px.min(0)).clip(0, size).astype(int)
    high = np.ceil(px.max(0) + 1).clip(0, size).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _part_colours(model: MorphableModel, hits: Hits) -> Float[np.ndarray, "ray 3"]:
    palette = np.array([PART_RGB.get(part, SKIN_RGB) for part in PARTS], dtype=np.float64)
    return palette[model.part_of_face.numpy()[np.maximum(hits.face, 0)]]


def draw_lines(picture: UInt8[np.ndarray, "height width 3"], points_px: Float[np.ndarray, "478 2"]) -> None:
    """Lips, lids, irises and brows, into the picture."""
    for lines, closed in ((CLOSED_LINES, True), (BROW_LINES, False)):
        for line in lines:
            polygon = np.array([_fixed(*points_px[i]) for i in line])
            cv2.polylines(picture, [polygon], closed, LINE_RGB, 1, cv2.LINE_AA, shift=4)


def _fixed(x: float, y: float) -> tuple[int, int]:
    """Photo coordinates to OpenCV's fixed point with 4 fractional bits, whose pixel centres are integers."""
    return round((x - 0.5) * 16), round((y - 0.5) * 16)
