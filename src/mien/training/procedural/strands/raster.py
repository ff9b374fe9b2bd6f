"""What a camera sees of strands, on a grid of samples finer than the picture."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from mien.core.camera import Camera
from mien.training.procedural.strands.base import Strands
from mien.training.procedural.strands.kernels import between, draw, project, tangents

SKIN_BIAS: Final = np.float32(0.0012)
"""How far below the surface that is already there a strand still shows, EG3D units: roots lie in the skin."""


@dataclass(frozen=True, eq=False)
class StrandHits:
    """The nearest strand in front of everything else, per sample of an H x W grid."""

    index: np.ndarray
    """int32 [H, W], the strand; -1 where none."""
    along: np.ndarray
    """float32 [H, W], 0 at the root to 1 at the tip."""
    depth: np.ndarray
    """float32 [H, W], distance along the ray; where there is no strand, of what was there before."""
    tangent: np.ndarray
    """float32 [H, W, 3], unit, towards the tip, head frame; 0 where none."""

    @cached_property
    def samples(self) -> np.ndarray:
        """int64 [N], row major, the samples that show a strand."""
        return np.flatnonzero(self.index.ravel() >= 0)

    def xyz(self, strands: Strands) -> np.ndarray:
        """float32 [N, 3], the points seen, head frame."""
        return self.interpolate(strands.points)

    def interpolate(self, values: np.ndarray, samples: np.ndarray | None = None) -> np.ndarray:
        """Values float32 [S, P, C] of the strands' points at the samples that show a strand: [N, C]; or at
        some of those samples [N]."""
        samples = self.samples if samples is None else samples
        out = np.empty((len(samples), values.shape[2]), np.float32)
        if len(out):
            index, along = self.index.ravel()[samples], self.along.ravel()[samples]
            between(np.ascontiguousarray(values, dtype=np.float32), index, along, out)
        return out


def rasterise_strands(strands: Strands, camera: Camera, samples_px: int, depth: np.ndarray) -> StrandHits:
    """Strands in front of surfaces at `depth` float32 [samples_px, samples_px] (distance along the ray; a
    large number where nothing is), as ribbons that face the camera."""
    count, size = strands.points.shape[:2], samples_px
    px, distance = np.empty((*count, 2), np.float32), np.empty(count, np.float32)
    K = camera.intrinsics.numpy().astype(np.float32) * np.float32(size)
    eye = camera.position.numpy().astype(np.float32)
    axes = np.ascontiguousarray(camera.R_world_camera.numpy().astype(np.float32))
    half = np.float32(0.5)
    centre = (K[0, 2] - half, K[1, 2] - half)
    project(strands.points, eye, axes, K[0, 0], K[1, 1], centre[0], centre[1], px, distance)
    index = np.full((size, size), -1, np.int32)
    along = np.zeros((size, size), np.float32)
    near = (depth + SKIN_BIAS).astype(np.float32)
    order = np.argsort(distance.min(1) if count[0] else distance[:, 0], kind="stable")
    draw(px, distance, strands.width, order, K[1, 1], index, along, near)
    tangent = np.zeros((size * size, 3), np.float32)
    seen = np.flatnonzero(index.ravel() >= 0)
    along_seen, tangent_seen = along.ravel()[seen], np.empty((len(seen), 3), np.float32)
    if len(seen):
        tangents(strands.points, index.ravel()[seen], along_seen, tangent_seen)
    tangent[seen] = tangent_seen
    return StrandHits(
        index, along, np.where(index >= 0, near, depth).astype(np.float32), tangent.reshape(size, size, 3)
    )
