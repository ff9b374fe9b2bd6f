"""Shadows of the key light: an orthographic depth map of the head, looked up in a disc that grows."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from mien.training.procedural.light import KeyLight
from mien.training.procedural.render.kernels import FAR, rasterise, shadows
from mien.training.procedural.strands.shadow import StrandShadow

MAP_SIDE: Final = 768
HALF_WIDTH: Final = 0.52
"""Of the square around the head that the map covers, EG3D units; beyond it nothing is shaded."""
CENTRE: Final = np.array([0.0, -0.1, -0.05], np.float32)
DISTANCE: Final = 2.0
SPOTS: Final = 20
LEAST_BLUR: Final = 0.0035
LARGEST_BLUR: Final = 0.07


@dataclass(frozen=True, eq=False)
class ShadowMap:
    """Distances from a plane in front of the light."""

    depth: np.ndarray
    """float32 [S, S]."""
    origin: np.ndarray
    """float32 [3], of texel (0, 0)."""
    axes: np.ndarray
    """float32 [3, 3], rows: along columns, along rows, away from the light."""
    sizes: np.ndarray
    """float32 [3]: tangent of the light's half angle, least and largest radius of the blur."""

    def visibility(self, xyz: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Share of the key light float32 [N] that reaches points [N, 3] with unit normals."""
        out = np.empty(len(xyz), np.float32)
        scale = np.float32(MAP_SIDE / (2 * HALF_WIDTH))
        shadows(self.depth, self.origin, self.axes, scale, xyz, normals, self.sizes, _spots(), out)
        return out


@lru_cache(maxsize=1)
def _spots() -> np.ndarray:
    """Points float32 [SPOTS, 2] spread over the unit disc (Vogel's spiral)."""
    k = np.arange(SPOTS) + 0.5
    r, turn = np.sqrt(k / SPOTS), k * 2.39996
    return np.stack([r * np.cos(turn), r * np.sin(turn)], 1).astype(np.float32)


def light_axes(direction: np.ndarray) -> np.ndarray:
    """Right-handed axes float32 [3, 3] as rows: right, down, away from the light in `direction`."""
    away = -direction / np.linalg.norm(direction)
    right = np.cross(away, [0.0, 1.0, 0.0] if abs(away[1]) < 0.9 else [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(away, right), away]).astype(np.float32)


def cast_shadow(key: KeyLight, meshes: list[tuple[np.ndarray, np.ndarray]]) -> ShadowMap:
    """Depth map of meshes (vertices [V, 3], faces [F, 3]) as the key light sees them."""
    axes = light_axes(key.direction)
    texel = 2 * HALF_WIDTH / MAP_SIDE
    origin = CENTRE - HALF_WIDTH * (axes[0] + axes[1]) - DISTANCE * axes[2]
    depth = np.full((MAP_SIDE, MAP_SIDE), FAR, np.float32)
    face = np.empty((MAP_SIDE, MAP_SIDE), np.int32)
    bary = np.empty((MAP_SIDE, MAP_SIDE, 2), np.float32)
    none = np.zeros((1, 1), np.float32)
    for vertices, faces in meshes:
        local = (vertices - origin) @ axes.T
        px = (local[:, :2] / texel).astype(np.float64)
        rasterise(
            px, local[:, 2].astype(np.float64), faces, 0, np.zeros(len(faces), np.float32),
            none, np.zeros((1, 3, 2), np.float32), face, bary, depth,
        )  # fmt: skip
    sizes = np.array([np.tan(key.softness_rad), LEAST_BLUR, LARGEST_BLUR], np.float32)
    return ShadowMap(depth, origin.astype(np.float32), axes, sizes)


@dataclass(frozen=True, eq=False)
class Shadows:
    """What the key light meets before a point: surfaces, and strands."""

    surfaces: ShadowMap
    strands: StrandShadow
    direction: np.ndarray
    """float32 [3], unit, towards the light."""

    def on_surfaces(self, xyz: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Share of the key light float32 [N] that reaches surface points [N, 3] with unit normals."""
        return np.asarray(self.surfaces.visibility(xyz, normals) * self.strands.transmittance(xyz))

    def on_strands(self, xyz: np.ndarray) -> np.ndarray:
        """Share of the key light float32 [N] that reaches points [N, 3] of strands."""
        towards = np.ascontiguousarray(np.broadcast_to(self.direction, xyz.shape), dtype=np.float32)
        return np.asarray(self.surfaces.visibility(xyz, towards) * self.strands.transmittance(xyz))
