"""Which triangle each sample of a picture sees: of the body alone, and of all surfaces."""

from dataclasses import dataclass, fields

import numpy as np

from mien.core.camera import Camera
from mien.training.procedural.render.kernels import FAR, attributes, rasterise
from mien.training.procedural.render.posed import face_pushes
from mien.training.procedural.render.scene import Scene

NO_MASK = np.zeros((1, 1), np.float32)
NO_UV = np.zeros((1, 3, 2), np.float32)
Buffers = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of S x S samples: triangle int32, barycentric coordinates float32 of two corners, depth float32."""


@dataclass(frozen=True, eq=False)
class Layer:
    """What N of the S x S samples of a picture meet first. Samples that meet nothing are left out."""

    sample: np.ndarray
    """int64 [N], row major."""
    face: np.ndarray
    """int32 [N], triangle of the scene's pile."""
    xyz: np.ndarray
    """float32 [N, 3], head frame."""
    normals: np.ndarray
    """float32 [N, 3], unit, smooth."""
    sky: np.ndarray
    """float32 [N], share of the surroundings seen."""
    uv: np.ndarray
    """float32 [N, 3], plane coordinates."""
    distance: np.ndarray
    """float32 [N], along the ray, EG3D units."""

    def of(self, some: np.ndarray) -> "Layer":
        """Some of the N (indices)."""
        return Layer(*(getattr(self, field.name)[some] for field in fields(self)))


def draw_layers(scene: Scene, camera: Camera, side_px: int) -> tuple[Layer, Layer]:
    """The body alone, and the front: body and cloth."""
    buffers = _body_buffers(scene, camera, side_px)
    body = _layer(scene, buffers, camera)
    _put_cloth_on(scene, camera, buffers)
    return body, _layer(scene, buffers, camera)


def draw_front(scene: Scene, camera: Camera, side_px: int) -> Layer:
    """The front alone."""
    buffers = _body_buffers(scene, camera, side_px)
    _put_cloth_on(scene, camera, buffers)
    return _layer(scene, buffers, camera)


def _body_buffers(scene: Scene, camera: Camera, side_px: int) -> Buffers:
    buffers = (
        np.full((side_px, side_px), -1, np.int32),
        np.zeros((side_px, side_px, 2), np.float32),
        np.full((side_px, side_px), FAR, np.float32),
    )
    px, z = projected(camera, scene.body.vertices, side_px)
    rasterise(px, z, scene.body.faces, 0, face_pushes(scene.sitter.model), NO_MASK, NO_UV, *buffers)
    return buffers


def _put_cloth_on(scene: Scene, camera: Camera, buffers: Buffers) -> None:
    px, z = projected(camera, scene.cloth.vertices, len(buffers[0]))
    still = np.zeros(len(scene.cloth.faces), np.float32)
    mask = scene.sitter.appearance.cloth
    rasterise(px, z, scene.cloth.faces, len(scene.body.faces), still, mask, scene.cloth_mask_uv, *buffers)


def projected(camera: Camera, vertices: np.ndarray, side_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates float64 [V, 2] (pixel centres whole) and depth float64 [V]."""
    T = camera.T_world_camera.numpy().astype(np.float64)
    xyz = (vertices - T[:3, 3]) @ T[:3, :3]
    K = camera.intrinsics.numpy().astype(np.float64)
    z = xyz[:, 2]
    q = (xyz / np.maximum(z, 1e-6)[:, None]) @ K.T
    return np.ascontiguousarray(q[:, :2] * side_px - 0.5), np.ascontiguousarray(z)


def _layer(scene: Scene, buffers: Buffers, camera: Camera) -> Layer:
    face, bary, _ = buffers
    eye = camera.position.numpy().astype(np.float32)
    sample = np.flatnonzero(face.ravel() >= 0)
    f, b = face.ravel()[sample], bary.reshape(-1, 2)[sample]
    pile, n = scene.pile, len(sample)
    xyz, normals, uv = (np.empty((n, 3), np.float32) for _ in range(3))
    sky = np.empty(n, np.float32)
    attributes(f, b, pile.faces, pile.vertices, pile.normals, pile.sky, scene.corners, xyz, normals, sky, uv)
    return Layer(sample, f, xyz, normals, sky, uv, np.linalg.norm(xyz - eye, axis=1))
