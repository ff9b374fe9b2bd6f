"""Shading of eyes: a clear wet coat with a bulge over a refracted iris."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mien.training.procedural.atlas import ISLAND_COLUMNS, ISLAND_ROWS
from mien.training.procedural.light import Light
from mien.training.procedural.paint.eyes import RADIUS_RAD

CORNEA_GAIN: Final = 0.45
"""The cornea's normal turns this much faster than the eyeball's (radius 7.8 mm against 12 mm)."""
CHAMBER: Final = 0.30
"""Depth of the iris below the cornea's tip, in radii of the eyeball (3.6 mm)."""
WATER: Final = 1.336
F0_TEARS: Final = 0.025


@dataclass(frozen=True, eq=False)
class EyePoints:
    """N points on eyeballs."""

    normals: np.ndarray
    """float32 [N, 3], of the round eyeball, head frame."""
    coat: np.ndarray
    """float32 [N, 3], of the wet surface with the cornea's bulge."""
    uv: np.ndarray
    """float32 [N, 2], plane coordinates of what is seen through the surface."""


def eye_points(
    uv: np.ndarray, side: np.ndarray, R_head_eye: np.ndarray, view: np.ndarray, iris_rad: float
) -> EyePoints:
    """Points of eyeballs from plane coordinates [N, >=2], side [N] (0 left, 1 right), rotations [2, 3, 3] and
    unit directions to the camera [N, 3]."""
    x, y = _island_coordinates(uv, side)
    r = np.maximum(np.hypot(x, y), 1e-6)
    angle = r * RADIUS_RAD
    flat = np.stack([x / r, y / r], 1)
    R = R_head_eye[side]
    over = 1 - _smooth(angle, 0.75 * iris_rad, 1.2 * iris_rad)
    normals = _turned(R, flat, angle)
    coat = _turned(R, flat, angle * (1 + CORNEA_GAIN * over))
    v = np.einsum("nji,nj->ni", R, view)
    n = np.einsum("nji,nj->ni", R, coat)
    cos = np.clip((n * v).sum(1), 0.05, 1)
    ratio = 1 / WATER
    inside = np.sqrt(1 - ratio**2 * (1 - cos**2))
    ray = -v * ratio + n * (ratio * cos - inside)[:, None]
    depth = CHAMBER * np.clip(1 - (angle / iris_rad) ** 2, 0, 1)
    at = flat * np.sin(angle)[:, None] + ray[:, :2] * (depth / np.maximum(-ray[:, 2], 0.3))[:, None]
    reach = np.maximum(np.linalg.norm(at, axis=1), 1e-6)
    seen = np.arcsin(np.minimum(reach, np.sin(iris_rad) * 0.995))
    within = angle < iris_rad
    new = at / reach[:, None] * (seen / RADIUS_RAD)[:, None]
    new = np.where(within[:, None], new, np.stack([x, y], 1))
    return EyePoints(normals, coat, _plane_coordinates(new, side))


def coat_reflection(
    light: Light, coat: np.ndarray, view: np.ndarray, sky: np.ndarray, lit: np.ndarray
) -> np.ndarray:
    """Radiance [N, 3] that the tear film mirrors: the surroundings, and the key light where it is seen."""
    cos = np.clip((coat * view).sum(1, keepdims=True), 0.02, 1)
    mirror = (2 * cos * coat - view).astype(np.float32)
    fresnel = F0_TEARS + (1 - F0_TEARS) * (1 - cos) ** 5
    out = light.backdrop(mirror) * (sky**1.5)[:, None]
    for panel in light.panels[1:]:
        out += panel.radiance(mirror) * sky[:, None]
    key = light.panels[0].radiance(mirror) * lit[:, None]
    return np.asarray(fresnel * (out + np.minimum(key, 120)), dtype=np.float32)


def _smooth(x: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _turned(R: np.ndarray, flat: np.ndarray, angle: np.ndarray) -> np.ndarray:
    local = np.concatenate([flat * np.sin(angle)[:, None], np.cos(angle)[:, None]], 1)
    return np.asarray(np.einsum("nij,nj->ni", R, local), dtype=np.float32)


_LOW: Final = np.array([ISLAND_COLUMNS["eye_left"], ISLAND_COLUMNS["eye_right"]], np.float32)


def _island_coordinates(uv: np.ndarray, side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    left, right = _LOW[side, 0], _LOW[side, 1]
    low, high = ISLAND_ROWS
    return (2 * uv[:, 0] - left - right) / (right - left), (2 * uv[:, 1] - low - high) / (high - low)


def _plane_coordinates(xy: np.ndarray, side: np.ndarray) -> np.ndarray:
    left, right = _LOW[side, 0], _LOW[side, 1]
    low, high = ISLAND_ROWS
    u = (xy[:, 0] * (right - left) + left + right) / 2
    return np.stack([u, (xy[:, 1] * (high - low) + low + high) / 2], 1).astype(np.float32)
