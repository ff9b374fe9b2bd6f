"""Parts of a true picture, and how far a subject is off in each: where the error is."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from mien.core.camera import Camera
from mien.training.procedural.render.view import ProceduralView
from mien.training.procedural.semantics import Semantic

CHIN: Final = 152
"""MediaPipe's lowest point of the chin."""
EYE_CORNERS: Final = (33, 263)
"""Outer ones."""
UNITS_PER_MM: Final = 0.0019
"""EG3D units."""
SOLID: Final = 0.5
"""Alpha from which on a pixel shows the person."""


class Region(IntEnum):
    """What a pixel of the true picture shows."""

    BACKGROUND = 0
    """True alpha below one half."""
    FACE = 1
    """Within the hull of the projected landmarks; lips, eyes, brows and beard included."""
    HEAD = 2
    """Ears, temples and bare scalp: skin outside of that hull, above the chin."""
    NECK = 3
    """Skin below the chin."""
    HAIR = 4
    CLOTHES = 5
    GLASSES = 6


@dataclass(frozen=True)
class RegionScore:
    """How a subject is off in one region of a view."""

    pixels: int
    squared_error: float
    """Sum over the pixels of the squared difference, mean of the channels, 8-bit levels."""
    squared_error_uncovered: float
    """That part of it where the subject's alpha is below one half; in the background, above it."""
    depth_error_mm: float | None
    """Median; None without a depth on both sides."""


def region_map(view: ProceduralView, landmarks: Float[Tensor, "478 3"]) -> UInt8[np.ndarray, "size size"]:
    """The region of every pixel of a procedural view. Edge pixels take that of the nearest known one."""
    size_px, known = len(view.alpha), view.semantic != Semantic.BACKGROUND
    out = np.full(view.alpha.shape, Region.FACE, np.uint8)
    rays = view.camera.rays(size_px, size_px)
    y = (rays.origins + rays.directions * torch.from_numpy(view.depth)[..., None])[..., 1].numpy()
    beside = hull_mask(view.camera.project(landmarks).uv.double().numpy() * size_px, size_px) == 0
    below = y < float(landmarks[CHIN, 1])
    out[beside] = np.where(below, Region.NECK, Region.HEAD)[beside]
    out[view.semantic == Semantic.HAIR] = Region.HAIR
    out[view.semantic == Semantic.CLOTHES] = Region.CLOTHES
    out[np.isin(view.semantic, (Semantic.GLASSES, Semantic.LENS))] = Region.GLASSES
    if known.any():
        nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
        out = out[tuple(nearest)]
    out[view.alpha < SOLID] = Region.BACKGROUND
    return out


def hull_mask(points_px: Float[np.ndarray, "point 2"], size_px: int) -> UInt8[np.ndarray, "size size"]:
    """1 within the convex hull of points in pixels."""
    mask = np.zeros((size_px, size_px), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points_px).astype(np.int32)), (1,))
    return mask


def relative_depth_mm(
    distance: Float[Tensor, "height width"],
    camera: Camera,
    landmarks: Float[Tensor, "478 3"],
    *,
    scale: float = 1.0,
) -> Float[np.ndarray, "height width"]:
    """How far behind the middle of the eyes' outer corners a pixel's surface lies along the camera's axis.

    Distances are along the rays; the result is NaN where they are 0. `scale` is applied to it.
    """
    axis = camera.R_world_camera[:, 2]
    z = distance * (camera.rays(*distance.shape).directions @ axis)
    middle = landmarks[list(EYE_CORNERS)].mean(0)
    behind = (z - (middle - camera.position) @ axis) * scale / UNITS_PER_MM
    return np.where(distance.numpy() > 0, behind.numpy(), np.nan)


def eyes_apart(landmarks: Float[Tensor, "478 3"]) -> float:
    """Distance of the eyes' outer corners, EG3D units."""
    corners = landmarks[list(EYE_CORNERS)]
    return float((corners[0] - corners[1]).norm())


def region_scores(
    squared: Float[np.ndarray, "height width"],
    covered: np.ndarray,
    regions: UInt8[np.ndarray, "height width"],
    depth_error_mm: Float[np.ndarray, "height width"] | None,
) -> dict[str, RegionScore]:
    """A score of every region that is there. `covered`: where the subject's alpha is at least one half."""
    out = {}
    for region in Region:
        there = regions == region
        if not there.any():
            continue
        wrong = covered if region == Region.BACKGROUND else ~covered
        median = None
        if depth_error_mm is not None and region != Region.BACKGROUND:
            median = median_known(depth_error_mm[there])
        out[region.name.lower()] = RegionScore(
            int(there.sum()), float(squared[there].sum()), float(squared[there & wrong].sum()), median
        )
    return out


def median_known(values: Float[np.ndarray, " value"]) -> float | None:
    """Of those that are numbers; None if there is none."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None
