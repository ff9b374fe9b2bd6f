"""First-hit ray casting against the head mesh (Embree): the plain reference and the only rasteriser."""

from dataclasses import dataclass

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh

MISS_DEPTH = 1e9


@dataclass(frozen=True)
class Hits:
    """First hits of N rays; rays that miss have face -1 and depth `MISS_DEPTH`."""

    face: np.ndarray  # int32 [N]
    barycentric: np.ndarray  # float32 [N, 3]; zero where missed
    depth: np.ndarray  # float32 [N], distance along the unit direction

    @property
    def hit(self) -> np.ndarray:
        """Bool [N]: whether the ray met the mesh."""
        return self.face >= 0

    def of(self, rays: np.ndarray) -> "Hits":
        """Of some rays (indices)."""
        return Hits(self.face[rays], self.barycentric[rays], self.depth[rays])


class RayScene:
    """Triangles (vertices [V, 3], faces [F, 3]) ready for ray casting."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        self._triangles = np.ascontiguousarray(vertices[faces], dtype=np.float32)
        self._scene = rtcore_scene.EmbreeScene()
        TriangleMesh(self._scene, self._triangles)

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> Hits:
        """First hits of rays (origins [N, 3] or [3], unit directions [N, 3])."""
        if len(directions) == 0:
            return Hits(np.zeros(0, np.int32), np.zeros((0, 3), np.float32), np.zeros(0, np.float32))
        start = np.ascontiguousarray(np.broadcast_to(origins, directions.shape), dtype=np.float32)
        result = self._scene.run(start, np.ascontiguousarray(directions, dtype=np.float32), output=1)
        face = result["primID"].astype(np.int32)
        hit = face >= 0
        u, v = result["u"], result["v"]
        barycentric = np.stack([1 - u - v, u, v], 1).astype(np.float32) * hit[:, None]
        return Hits(face, barycentric, np.where(hit, result["tfar"], MISS_DEPTH).astype(np.float32))

    def leaving(self, hits: Hits, directions: np.ndarray) -> np.ndarray:
        """Bool [N]: whether a ray meets its triangle from behind (it leaves the surface there)."""
        tri = self._triangles[np.maximum(hits.face, 0)]
        normal = np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0])
        return ((normal * directions).sum(1) > 0) & hits.hit


def cast_rays(vertices: np.ndarray, faces: np.ndarray, origins: np.ndarray, directions: np.ndarray) -> Hits:
    """Cast rays (origins [N, 3], unit directions [N, 3]) at triangles (vertices [V, 3], faces [F, 3])."""
    return RayScene(vertices, faces).cast(origins, directions)


def interpolate(values: np.ndarray, faces: np.ndarray, hits: Hits) -> np.ndarray:
    """Per-vertex values [V, C] at the hits: [N, C], zero where missed."""
    corner = values[faces[np.maximum(hits.face, 0)]]
    return np.einsum("nc,ncd->nd", hits.barycentric, corner)


def interpolate_corners(corner_values: np.ndarray, hits: Hits) -> np.ndarray:
    """Per-corner values [F, 3, C] at the hits: [N, C], zero where missed."""
    return np.einsum("nc,ncd->nd", hits.barycentric, corner_values[np.maximum(hits.face, 0)])


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals [V, 3]."""
    tri = vertices[faces]
    flat = np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0])
    normal = np.stack(
        [np.bincount(faces.ravel(), np.repeat(flat[:, k], 3), len(vertices)) for k in range(3)], 1
    )
    return normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12)
