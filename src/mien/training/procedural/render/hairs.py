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
from mien.training.procedural.strands.shade import shade_strands

MEANING: Final = {
    StrandKind.HAIR: Semantic.HAIR, StrandKind.BEARD: Semantic.BEARD,
    StrandKind.BROW: Semantic.BROW, StrandKind.LASH: Semantic.LASH,
}  # fmt: skip
MEANING_TABLE: Final = np.array([MEANING[k] for k in sorted(MEANING)], np.uint8)
SEEN_SHARE: Final = 0.5
"""A pixel shows hair where at least this share of its samples does."""


@dataclass(frozen=True, eq=False)
class HairPixels:
    """The pixels of a picture that show strands, one point each. N pixels."""

    pixel: np.ndarray
    """int64 [N], row major."""
    xyz: np.ndarray
    """float32 [N, 3], head frame."""
    distance: np.ndarray
    """float32 [N], along the ray."""
    tangent: np.ndarray
    """float32 [N, 3], unit."""
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
    shaded = shade_strands(hits, scene.strands, light, camera, lit, sky)
    return np.asarray(shaded.reshape(-1, 3)[hits.samples])


def hair_pixels(scene: Scene, hits: StrandHits, size_px: int, supersampling: int) -> HairPixels:
    """Pixels of which most samples show strands; of each, the first such sample."""
    n, side = supersampling, size_px * supersampling
    seen = (hits.index >= 0).reshape(size_px, n, size_px, n)
    pixel = np.flatnonzero(seen.mean((1, 3)) >= SEEN_SHARE)
    row, column = np.divmod(pixel, size_px)
    within = seen.transpose(0, 2, 1, 3).reshape(-1, n * n)[pixel].argmax(1)
    sample = (row * n + within // n) * side + column * n + within % n
    at = np.searchsorted(hits.samples, sample)
    return HairPixels(
        pixel,
        hits.xyz(scene.strands)[at],
        hits.depth.ravel()[sample],
        hits.tangent.reshape(-1, 3)[sample],
        MEANING_TABLE[scene.strands.kind[hits.index.ravel()[sample]]],
    )
