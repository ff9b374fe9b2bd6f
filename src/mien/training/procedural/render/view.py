"""One view of a person: the picture, and exact geometry and meaning of every pixel."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch

from mien.core.camera import Camera
from mien.training.procedural.light import Light
from mien.training.procedural.render.buffers import Layer, draw_front, draw_layers
from mien.training.procedural.render.hairs import (
    FrontPixels,
    hair_pixels,
    light_strands,
    mostly,
    strand_hits,
)
from mien.training.procedural.render.scene import Scene
from mien.training.procedural.render.shadow import Shadows
from mien.training.procedural.render.spectacles import (
    DARK,
    GlassesSamples,
    draw_glasses_part,
    frame_radiance,
    through_lenses,
)
from mien.training.procedural.render.surfaces import BODY, semantic_at, shade_layer
from mien.training.procedural.response import CLEAN, Response, photograph
from mien.training.procedural.semantics import Semantic
from mien.training.procedural.strands.raster import StrandHits

ON_SKIN: Final = 0.006
"""Strands nearer than this to the skin behind them count as painted on it, EG3D units (3 mm)."""


@dataclass(frozen=True, eq=False)
class ProceduralView:
    """One view of S x S pixels."""

    camera: Camera
    light: Light
    linear: np.ndarray
    """float32 [S, S, 3], linear radiance, premultiplied by alpha."""
    rgb: np.ndarray
    """float32 [S, S, 3] in [0, 1], after the camera's response, premultiplied by alpha."""
    alpha: np.ndarray
    """float32 [S, S], share of the pixel that is covered."""
    depth: np.ndarray
    """float32 [S, S], distance along the middle ray to the first surface; 0 where none."""
    normals: np.ndarray
    """float32 [S, S, 3], unit, head frame, of that surface; 0 where none."""
    semantic: np.ndarray
    """uint8 [S, S], a `Semantic`."""
    irradiance: np.ndarray
    """float32 [S, S, 3], light on the surface / pi, mean of the pixel's samples."""
    body_depth: np.ndarray
    """float32 [S, S], distance to the body behind hair and cloth; 0 where none."""
    body_planes: np.ndarray
    """float32 [S, S, 3], plane coordinates of that point."""
    off_body: np.ndarray
    """bool [S, S], whether the first surface is cloth, glasses or hair that stands off the skin."""
    off_planes: np.ndarray
    """float32 [S, S, 3], plane coordinates of the first surface where it is off the body."""


def render_view(
    scene: Scene,
    camera: Camera,
    size_px: int,
    *,
    supersampling: int = 2,
    light: Light | None = None,
    shadows: Shadows | None = None,
    response: Response = CLEAN,
    rng: np.random.Generator | None = None,
    light_hidden: bool = True,
) -> ProceduralView:
    """Draw a scene. The light is the person's own unless given; shadows of that light may be reused.

    Without `light_hidden`, surfaces behind strands are not lit, which is faster: all is the same but the
    irradiance, which is 0 there.
    """
    light = light or scene.sitter.person.light
    shadows = shadows or scene.shadows(light)
    side = size_px * supersampling
    front = draw_front(scene, camera, side)
    hits = strand_hits(scene, front, camera, side)
    if not light_hidden:
        front = _beside_strands(scene, front, hits)
    lit = shadows.on_surfaces(front.xyz, front.normals)
    shaded = shade_layer(scene, front, light, camera, lit, side)
    linear, cover, received = (np.zeros((side * side, k), np.float32) for k in (3, 1, 3))
    linear[front.sample], received[front.sample], cover[front.sample] = shaded.radiance, shaded.irradiance, 1
    linear[hits.samples], cover[hits.samples] = light_strands(scene, hits, light, camera, shadows), 1
    worn = _put_glasses_on(scene, hits, camera, light, shadows, linear, cover)
    linear, cover, received = (_shrunk(t, size_px, supersampling) for t in (linear, cover, received))
    rgb = photograph(linear / np.maximum(cover, 1e-3), response, rng) * cover
    before = [
        hair_pixels(scene, hits, camera, size_px, supersampling),
        *_glasses_pixels(worn, size_px, supersampling),
    ]
    geometry = _geometry(scene, camera, size_px, before)
    return ProceduralView(
        camera, light, linear, rgb.astype(np.float32), cover[..., 0], irradiance=received, **geometry
    )


def _beside_strands(scene: Scene, front: Layer, hits: StrandHits) -> Layer:
    """What no strand hides, and all of eyes and mouth: these are shaded by the outline of what is seen."""
    bare = hits.index.ravel()[front.sample] < 0
    return front.of(np.flatnonzero(bare | (scene.part[front.face] != BODY)))


def _put_glasses_on(
    scene: Scene, hits: StrandHits, camera: Camera, light: Light, shadows: Shadows, linear: np.ndarray,
    cover: np.ndarray,
) -> list[GlassesSamples]:  # fmt: skip
    """Draw glasses over samples [S * S, 3] and their cover [S * S, 1]; give those that are surfaces."""
    mesh, side = scene.sitter.glasses, hits.index.shape[0]
    if mesh is None:
        return []
    lens = draw_glasses_part(mesh, camera, side, lenses=True).before(hits.depth.ravel())
    linear[lens.sample] = through_lenses(mesh, lens, light, shadows, linear[lens.sample])
    cover[lens.sample, 0] = np.maximum(cover[lens.sample, 0], mesh.alpha[lens.face])
    frame = draw_glasses_part(mesh, camera, side, lenses=False).before(hits.depth.ravel())
    linear[frame.sample], cover[frame.sample] = frame_radiance(mesh, frame, light, shadows), 1
    dark = bool(len(lens.face)) and mesh.alpha[lens.face[0]] > DARK
    return [lens, frame] if dark else [frame]


def _glasses_pixels(worn: list[GlassesSamples], size_px: int, supersampling: int) -> list[FrontPixels]:
    """Frame and dark lenses as pixels."""
    out = []
    for part, kind in zip(worn[::-1], (Semantic.GLASSES, Semantic.LENS), strict=False):
        seen = np.zeros((size_px * supersampling) ** 2, bool)
        seen[part.sample] = True
        pixel, sample = mostly(seen, size_px, supersampling)
        at = np.searchsorted(part.sample, sample)
        meaning = np.full(len(pixel), kind, np.uint8)
        out.append(FrontPixels(pixel, part.xyz[at], part.distance[at], part.normals[at], meaning))
    return out[::-1]


def _geometry(scene: Scene, camera: Camera, size_px: int, before: list[FrontPixels]) -> dict[str, np.ndarray]:
    """What the rays through the pixels' middles meet; thin things are where most of a pixel shows them."""
    body, front = draw_layers(scene, camera, size_px)
    count = size_px * size_px
    depth, normals = _spread(front, front.distance, count), _spread(front, front.normals, count)
    semantic, body_depth = (
        _spread(front, semantic_at(scene, front), count),
        _spread(body, body.distance, count),
    )
    xyz, off = _spread(front, front.xyz, count), np.zeros(count, bool)
    off[front.sample] = front.face >= len(scene.body.faces)
    semantic[off] = Semantic.CLOTHES
    for part in before:
        pixel, behind = part.pixel, body_depth[part.pixel]
        depth[pixel] = np.minimum(part.distance, np.where(depth[pixel] > 0, depth[pixel], np.inf))
        normals[pixel], semantic[pixel], xyz[pixel] = part.normals, part.semantic, part.xyz
        off[pixel] = (behind == 0) | (behind - part.distance > ON_SKIN)
    planes = np.zeros((count, 3), np.float32)
    if off.any():
        planes[off] = scene.sitter.carrier.to_planes(torch.from_numpy(xyz[off])).numpy()
    flat = {
        "depth": depth,
        "normals": normals,
        "semantic": semantic,
        "body_depth": body_depth,
        "body_planes": _spread(body, body.uv, count),
        "off_body": off,
        "off_planes": planes,
    }
    return {name: t.reshape(size_px, size_px, *t.shape[1:]) for name, t in flat.items()}


def _spread(layer: Layer, values: np.ndarray, count: int) -> np.ndarray:
    out = np.zeros((count, *values.shape[1:]), values.dtype)
    out[layer.sample] = values
    return out


def _shrunk(values: np.ndarray, size_px: int, n: int) -> np.ndarray:
    side = size_px * n
    small = cv2.resize(values.reshape(side, side, -1), (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.asarray(small.reshape(size_px, size_px, -1))
