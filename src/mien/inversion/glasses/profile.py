"""What a photo shows across the rims: how thick they really are, and the colours of thin ones.

The network sees rims of wire wider than they are, and pixels beside them are half skin. Across a line that is
as dark everywhere, the contrast's integral over its peak is the line's width, blurred or not.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from scipy.ndimage import median_filter

from mien.core.camera import Camera
from mien.morphable.glasses import MM, Frame

REACH_MM: Final = 6.0
"""How far across a rim is looked, to either side."""
STEPS: Final = 49
BESIDE_MM: Final = 4.5
"""Distance from which on what is seen is not the rim."""
NEAR_MM: Final = 2.0
"""How far from its fitted line a rim may be."""
LEAST_CONTRAST: Final = 25 / 255
LEAST_SHARE: Final = 0.2
"""Share of the rings that must stand out for the thickness to be measured."""
THINNEST_MM: Final = 0.9
THIN: Final = 3.0 * MM
"""Below this thickness a ring has one colour: that of the pixel that is least like what lies outside."""
SMOOTH: Final = 5
"""Rings whose median colour is taken."""


@dataclass(frozen=True, eq=False)
class Profiles:
    """Colours across the two rims of K points, from inside to outside."""

    away_mm: np.ndarray
    """float64 [S], outwards positive."""
    rgb: np.ndarray
    """float32 [2, K, S, 3] in [0, 1]."""


def profiles_of(rgb: np.ndarray, frame: Frame, camera: Camera) -> Profiles:
    """Look at a photo (uint8 [H, W, 3]) across the rims."""
    away = np.linspace(-REACH_MM, REACH_MM, STEPS)
    picture, found = rgb.astype(np.float32) / 255, []
    for index in range(2):
        rim = frame.rim(index)
        along = np.roll(rim, -1, 0) - np.roll(rim, 1, 0)
        normal = np.stack([along[:, 1], -along[:, 0], 0 * along[:, 0]], 1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        normal *= np.sign(((rim - rim.mean(0)) * normal).sum(1).mean())
        points = rim[:, None] + away[:, None] * MM * normal[:, None]
        uv = camera.project(torch.from_numpy(points.reshape(-1, 3)).float()).uv.numpy()
        px = (uv * [rgb.shape[1], rgb.shape[0]] - 0.5).astype(np.float32).reshape(*points.shape[:2], 2)
        found.append(cv2.remap(picture, px[..., 0], px[..., 1], cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE))
    return Profiles(away, np.stack(found))


def rim_thickness(profiles: Profiles) -> float | None:
    """Thickness (EG3D units) of rims before skin on both sides; None if too few stand out from it."""
    away, rgb = profiles.away_mm, profiles.rgb
    inside, outside = (rgb[:, :, part].mean(2)[:, :, None] for part in (away < -BESIDE_MM, away > BESIDE_MM))
    share = ((away + REACH_MM) / (2 * REACH_MM))[:, None]
    contrast = np.linalg.norm(rgb - (inside * (1 - share) + outside * share), axis=-1)
    contrast = np.where(np.abs(away) < BESIDE_MM, contrast, 0)
    peak = contrast[:, :, np.abs(away) < NEAR_MM].max(-1)
    clear = peak > LEAST_CONTRAST
    if clear.mean() < LEAST_SHARE:
        return None
    area = np.maximum(contrast - LEAST_CONTRAST / 2, 0).sum(-1) * (away[1] - away[0])
    width = area[clear] / (peak[clear] - LEAST_CONTRAST / 2)
    return max(float(np.median(width)), THINNEST_MM) * MM


def rim_colours(profiles: Profiles, thickness: float) -> np.ndarray:
    """Colours [2, K, 3] of thin rims, see `THIN`."""
    away, rgb = profiles.away_mm, profiles.rgb
    outside = rgb[:, :, away > BESIDE_MM].mean(2)[:, :, None]
    near = np.abs(away) <= max(NEAR_MM / 2, thickness / MM / 2)
    unlike = np.linalg.norm(rgb[:, :, near] - outside, axis=-1)
    best = unlike.argmax(-1)[..., None, None]
    found = np.take_along_axis(rgb[:, :, near], best, 2)[:, :, 0]
    return np.asarray(median_filter(found, (1, SMOOTH, 1), mode="wrap"))
