"""Looking at a coloured mesh: every vertex's colour as it is, without light."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from mien.core.camera import Camera
from mien.io.mesh import Mesh
from mien.morphable.raster import MISS_DEPTH, RayScene, interpolate


@dataclass(frozen=True, eq=False)
class MeshView:
    """A picture of a mesh."""

    rgb: Float32[np.ndarray, "height width 3"]
    """In [0, 1], premultiplied by alpha."""
    alpha: Float32[np.ndarray, "height width"]
    distance: Float32[np.ndarray, "height width"]
    """Along the ray through the pixel's middle, EG3D units; 0 where nothing is hit."""
    normals: Float32[np.ndarray, "height width 3"]
    """The mesh's own, at those hits; 0 where nothing is hit."""


class MeshViewer:
    """A mesh ready to be drawn from anywhere."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._scene = RayScene(mesh.vertices, mesh.faces)

    def draw(self, camera: Camera, size_px: int, *, rays_per_side: int = 2) -> MeshView:
        """A square picture; each pixel is the mean of rays_per_side^2 rays."""
        side = size_px * rays_per_side
        colours = self._mesh.colours.astype(np.float32) / 255
        rgb, alpha = self._cast(camera, side, colours)[:2]
        shape = (size_px, rays_per_side, size_px, rays_per_side)
        _, hit, distance, normals = self._cast(camera, size_px, colours)
        length = np.linalg.norm(normals, axis=-1, keepdims=True)
        return MeshView(
            rgb=rgb.reshape(*shape, 3).mean((1, 3)),
            alpha=alpha.reshape(shape).mean((1, 3)),
            distance=distance * hit,
            normals=normals / np.maximum(length, 1e-6),
        )

    def _cast(self, camera: Camera, side: int, colours: np.ndarray) -> tuple[np.ndarray, ...]:
        rays = camera.rays(side, side)
        hits = self._scene.cast(rays.origins.reshape(-1, 3).numpy(), rays.directions.reshape(-1, 3).numpy())
        values = np.concatenate([colours, self._mesh.normals], 1)
        seen = interpolate(values, self._mesh.faces, hits).astype(np.float32).reshape(side, side, 6)
        distance = np.where(hits.hit, hits.depth, MISS_DEPTH).astype(np.float32).reshape(side, side)
        return seen[..., :3], hits.hit.astype(np.float32).reshape(side, side), distance, seen[..., 3:]
