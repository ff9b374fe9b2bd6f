"""Glasses in a view: a solid frame, and lenses that tint what is behind them and mirror the surroundings."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mien.core.camera import Camera
from mien.morphable.raster import vertex_normals
from mien.training.procedural.glasses import GlassesMesh
from mien.training.procedural.light import Light
from mien.training.procedural.render.buffers import projected
from mien.training.procedural.render.kernels import FAR, attributes, rasterise
from mien.training.procedural.render.shadow import Shadows

NO_MASK: Final = np.zeros((1, 1), np.float32)
DARK: Final = 0.5
"""Lenses that hide more than this of what is behind them are a surface of their own."""
GLARE: Final = 40.0
"""Largest radiance that a lens mirrors."""


@dataclass(frozen=True, eq=False)
class GlassesSamples:
    """The nearest point of a frame or of lenses in N of the S x S samples of a picture."""

    sample: np.ndarray
    """int64 [N], row major."""
    face: np.ndarray
    """int32 [N], of the glasses' mesh."""
    xyz: np.ndarray
    """float32 [N, 3], head frame."""
    normals: np.ndarray
    """float32 [N, 3], unit, towards the camera."""
    distance: np.ndarray
    """float32 [N], along the ray."""
    view: np.ndarray
    """float32 [N, 3], unit, to the camera."""

    def before(self, distance: np.ndarray) -> "GlassesSamples":
        """Those in front of what each sample of the picture [S * S] meets at a distance."""
        kept = np.flatnonzero(self.distance < distance[self.sample])
        return GlassesSamples(
            *(getattr(self, n)[kept] for n in ("sample", "face", "xyz", "normals", "distance", "view"))
        )


def draw_glasses_part(mesh: GlassesMesh, camera: Camera, side_px: int, *, lenses: bool) -> GlassesSamples:
    """The frame, or the lenses, alone."""
    faces = np.ascontiguousarray(mesh.faces[mesh.is_lens == lenses])
    number = np.flatnonzero(mesh.is_lens == lenses).astype(np.int32)
    square = (side_px, side_px)
    found, bary = np.full(square, -1, np.int32), np.zeros((*square, 2), np.float32)
    depth = np.full(square, FAR, np.float32)
    px, z = projected(camera, mesh.vertices, side_px)
    push, no_uv = np.zeros(len(faces), np.float32), np.zeros((1, 3, 2), np.float32)
    rasterise(px, z, faces, 0, push, NO_MASK, no_uv, found, bary, depth)
    sample = np.flatnonzero(found.ravel() >= 0)
    f, n = found.ravel()[sample], len(sample)
    xyz, normals, unused = (np.empty((n, 3), np.float32) for _ in range(3))
    vertex = vertex_normals(mesh.vertices, mesh.faces).astype(np.float32)
    flat, zero = np.zeros((len(faces), 3, 3), np.float32), np.zeros(len(vertex), np.float32)
    at = bary.reshape(-1, 2)[sample]
    attributes(f, at, faces, mesh.vertices, vertex, zero, flat, xyz, normals, np.empty(n, np.float32), unused)
    view = camera.position.numpy().astype(np.float32) - xyz
    distance = np.linalg.norm(view, axis=1)
    view /= distance[:, None]
    normals *= np.where((normals * view).sum(1, keepdims=True) < 0, -1, 1).astype(np.float32)
    return GlassesSamples(sample, number[f], xyz, normals, distance, view)


def frame_radiance(mesh: GlassesMesh, at: GlassesSamples, light: Light, shadows: Shadows) -> np.ndarray:
    """Linear radiance [N, 3] of points of the frame."""
    lit = shadows.on_strands(at.xyz + 0.003 * at.normals)[:, None]
    albedo, f0 = mesh.albedo[at.face], mesh.reflectance[at.face][:, None]
    metal = f0 > 0.3
    diffuse = (
        np.where(metal, 0.15, 1) * albedo * (light.irradiance(at.normals) + light.direct(at.normals) * lit)
    )
    cos = np.clip((at.normals * at.view).sum(1, keepdims=True), 0.03, 1)
    mirror = (2 * cos * at.normals - at.view).astype(np.float32)
    fresnel = np.where(metal, albedo / 0.6, f0) + (1 - f0) * 0.6 * (1 - cos) ** 5
    half = at.view + light.key.direction
    half /= np.linalg.norm(half, axis=1, keepdims=True) + 1e-6
    alpha = mesh.roughness[at.face][:, None] ** 2 + 0.03
    nh = np.clip((at.normals * half).sum(1, keepdims=True), 0, 1)
    lobe = alpha**2 / (np.pi * (nh**2 * (alpha**2 - 1) + 1) ** 2) / 4
    facing = np.clip(at.normals @ light.key.direction, 0, 1)[:, None]
    gloss = fresnel * (light.irradiance(mirror) + np.pi * lobe * facing * lit * light.key.colour)
    return np.asarray(diffuse + np.minimum(gloss, 8), dtype=np.float32)


def through_lenses(
    mesh: GlassesMesh, at: GlassesSamples, light: Light, shadows: Shadows, behind: np.ndarray
) -> np.ndarray:
    """Linear radiance [N, 3] of points of the lenses with radiance `behind` [N, 3] them."""
    passed = mesh.transmission[at.face]
    alpha, albedo = mesh.alpha[at.face][:, None], mesh.albedo[at.face]
    cos = np.clip((at.normals * at.view).sum(1, keepdims=True), 0.03, 1)
    mirror = (2 * cos * at.normals - at.view).astype(np.float32)
    f0 = mesh.reflectance[at.face][:, None]
    fresnel = f0 + (1 - f0) * (1 - cos) ** 5
    own = alpha * albedo * light.irradiance(at.normals)
    lit = shadows.on_strands(at.xyz + 0.004 * at.normals)[:, None]
    seen = (
        light.backdrop(mirror) * 0.6
        + np.minimum(light.radiance(mirror) - light.backdrop(mirror), GLARE) * lit
    )
    return np.asarray((1 - fresnel) * (behind * passed + own) + fresnel * seen, dtype=np.float32)
