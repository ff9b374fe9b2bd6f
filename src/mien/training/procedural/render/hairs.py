"""Strands in a view: which samples show them, and their light."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mien.core.camera import Camera
from mien.training.procedural.light import Light
from mien.training.procedural.render.buffers import Layer
from mien.training.procedural.render.kernels import FAR
from mien.training.procedural.render.scene import Scene
from mien.training.procedural.render.shadow import Shadows
from mien.training.procedural.semantics import Semantic
from mien.training.procedural.strands.base import StrandKind
from mien.training.procedural.strands.raster import StrandHits, rasterise_strands
from mien.training.procedural.strands.shade import shade_samples

MEANING: Final = {
    StrandKind.HAIR: Semantic.HAIR, StrandKind.BEARD: Semantic.BEARD,
    StrandKind.BROW: Semantic.BROW, StrandKind.LASH: Semantic.LASH,
}  # fmt: skip
MEANING_TABLE: Final = np.array([MEANING[k] for k in sorted(MEANING)], np.uint8)
SEEN_SHARE: Final = 0.5
"""A pixel shows hair where at least this share of its samples does."""


@dataclass(frozen=True, eq=False)
class FrontPixels:
    """N pixels of a picture that show something thin before the surfaces, one point each."""

    pixel: np.ndarray
    """int64 [N], row major."""
    xyz: np.ndarray
    """float32 [N, 3], head frame."""
    distance: np.ndarray
    """float32 [N], along the ray."""
    normals: np.ndarray
    """float32 [N, 3], unit, towards the camera; of strands across the strand."""
    semantic: np.ndarray
    """uint8 [N]."""


def strand_hits(scene: Scene, front: Layer, camera: Camera, side_px: int) -> StrandHits:
    """Strands in front of the surfaces, on side_px x side_px samples."""
    depth = np.full(side_px * side_px, FAR, np.float32)
    depth[front.sample] = front.distance
    return rasterise_strands(scene.strands, camera, side_px, depth.reshape(side_px, side_px))


def light_strands(
    scene: Scene, hits: StrandHits, light: Light, camera: Camera, shadows: Shadows
) -> np.ndarray:
    """Linear radiance float32 [N, 3] of the samples that show strands."""
    xyz = hits.xyz(scene.strands)
    lit, sky = shadows.on_strands(xyz), scene.strand_sky.share(xyz)
    return shade_samples(hits, xyz, scene.strands, light, camera, lit, sky)


def mostly(seen: np.ndarray, size_px: int, supersampling: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of which most samples are seen (bool [S * S samples]), and of each the first such sample."""
    n, side = supersampling, size_px * supersampling
    seen = seen.reshape(size_px, n, size_px, n).transpose(0, 2, 1, 3).reshape(-1, n * n)
    pixel = np.flatnonzero(seen.mean(1) >= SEEN_SHARE)
    row, column = np.divmod(pixel, size_px)
    within = seen[pixel].argmax(1)
    return pixel, (row * n + within // n) * side + column * n + within % n


def hair_pixels(
    scene: Scene, hits: StrandHits, camera: Camera, size_px: int, supersampling: int
) -> FrontPixels:
    """Pixels of which most samples show strands; of each, the first such sample."""
    pixel, sample = mostly(hits.index.ravel() >= 0, size_px, supersampling)
    xyz = hits.interpolate(scene.strands.points, sample)
    tangent = hits.tangent.reshape(-1, 3)[sample]
    view = camera.position.numpy().astype(np.float32) - xyz
    across = view - (view * tangent).sum(1, keepdims=True) * tangent
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    semantic = MEANING_TABLE[scene.strands.kind[hits.index.ravel()[sample]]]
    return FrontPixels(pixel, xyz, hits.depth.ravel()[sample], across, semantic)
