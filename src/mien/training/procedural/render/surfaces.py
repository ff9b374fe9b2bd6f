"""Shading what the samples of a picture see: maps from the atlas, then light; eyes apart."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from mien.core.camera import Camera
from mien.morphable.model import PARTS
from mien.training.procedural.atlas import ATLAS, STRIP_WIDTH
from mien.training.procedural.light import Light
from mien.training.procedural.render.buffers import Layer
from mien.training.procedural.render.eyeballs import coat_reflection, eye_points
from mien.training.procedural.render.kernels import fetch
from mien.training.procedural.render.scene import Scene
from mien.training.procedural.render.shading import ALBEDO, CHANNELS, SCATTER, shade

EYE_LEFT, EYE_RIGHT = PARTS.index("eye_left"), PARTS.index("eye_right")
BODY: Final = PARTS.index("body")
LID_SHADE: Final = 0.55
"""How much the lids darken the eyeball right at their edge."""
LID_REACH: Final = 0.0045
"""Distance over which that fades, EG3D units (2.4 mm)."""
MOUTH_PARTS: Final = tuple(PARTS.index(p) for p in ("teeth_upper", "teeth_lower", "tongue", "mouth"))


@dataclass(frozen=True, eq=False)
class Shaded:
    """N lit samples."""

    radiance: np.ndarray
    """float32 [N, 3], linear."""
    irradiance: np.ndarray
    """float32 [N, 3], light on the surface / pi."""
    semantic: np.ndarray
    """uint8 [N]."""


def look_up(scene: Scene, layer: Layer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps float32 [N, CHANNELS], slopes of the relief float32 [N, 2] and semantics uint8 [N] of samples."""
    a, n = scene.sitter.appearance, len(layer.face)
    maps, slope = np.empty((n, CHANNELS), np.float32), np.empty((n, 2), np.float32)
    semantic = np.empty(n, np.uint8)
    on_body = scene.part[layer.face] == BODY
    for chosen, side, images in (
        (np.flatnonzero(on_body), ATLAS, (a.maps, scene.relief, a.material)),
        (np.flatnonzero(~on_body), STRIP_WIDTH, (a.strip_maps, a.strip_slopes, a.strip_material)),
    ):
        u, v = ((layer.uv[chosen, k] + 1) * np.float32(side / 2) - np.float32(0.5) for k in range(2))
        for image, out in ((images[0], maps), (images[1], slope)):
            found = np.empty((len(chosen), image.shape[2]), np.float32)
            fetch(image, u, v, found)
            out[chosen] = found
        row = np.clip(np.rint(v).astype(np.int64), 0, images[2].shape[0] - 1)
        semantic[chosen] = images[2][row, np.rint(u).astype(np.int64) % side]
    return maps, slope, semantic


def shade_layer(
    scene: Scene, layer: Layer, light: Light, camera: Camera, lit: np.ndarray, side_px: int
) -> Shaded:
    """Light the samples of a layer; lit [N] is the share of the key light that reaches them."""
    maps, slope, semantic = look_up(scene, layer)
    eye = camera.position.numpy().astype(np.float32)
    out, received = np.empty_like(layer.xyz), np.empty_like(layer.xyz)
    pile = scene.pile
    part = scene.part[layer.face]
    eyes = np.flatnonzero((part == EYE_LEFT) | (part == EYE_RIGHT))
    normals, sky, coat = layer.normals, layer.sky, None
    if len(eyes):
        view = eye - layer.xyz[eyes]
        view /= np.linalg.norm(view, axis=1, keepdims=True)
        side = (part[eyes] == EYE_RIGHT).astype(np.int64)
        points = eye_points(
            layer.uv[eyes], side, scene.eye_rotations, view, scene.sitter.person.eyes.iris_rad
        )
        normals, sky = normals.copy(), sky.copy()
        maps[eyes], semantic[eyes] = _eye_maps(scene, points.uv)
        normals[eyes] = points.normals
        slope[eyes] = 0
        sky[eyes] = sky[eyes] * lid_shade(layer, eyes, side_px)
        coat = points.coat
    keep = maps[:, 4].copy()
    if len(eyes):
        maps[eyes, 4] = 0.0  # the tear film reflects instead
    k = light.key
    shade(
        layer.xyz, normals, layer.face, pile.grad_u, pile.grad_v, slope, maps, sky, lit, eye,
        k.direction, k.colour, light.sh, out, received,
    )  # fmt: skip
    if coat is not None:
        out[eyes] += coat_reflection(light, coat, view, sky[eyes], lit[eyes]) * keep[eyes, None]
    return Shaded(out, received, semantic)


def _eye_maps(scene: Scene, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a = scene.sitter.appearance
    u, v = ((uv[:, k] + 1) * np.float32(STRIP_WIDTH / 2) - np.float32(0.5) for k in range(2))
    maps = np.empty((len(uv), CHANNELS), np.float32)
    fetch(a.strip_maps, u.astype(np.float32), v.astype(np.float32), maps)
    row = np.clip(np.rint(v).astype(np.int64), 0, a.strip_material.shape[0] - 1)
    iris = 1 - maps[:, SCATTER]
    maps[:, ALBEDO : ALBEDO + 3] *= (1 + 0.35 * iris)[:, None]  # the cornea gathers light
    return maps, a.strip_material[row, np.clip(np.rint(u).astype(np.int64), 0, STRIP_WIDTH - 1)]


def lid_shade(layer: Layer, eyes: np.ndarray, side_px: int) -> np.ndarray:
    """Factor [E] on the light of the surroundings near the lids' edges, by distance over the picture."""
    mask = np.zeros(side_px * side_px, np.uint8)
    mask[layer.sample[eyes]] = 1
    far = cv2.distanceTransform(mask.reshape(side_px, side_px), cv2.DIST_L2, 3).ravel()[layer.sample[eyes]]
    unit = layer.distance[eyes] / (4.2647 * side_px)
    return np.asarray(1 - LID_SHADE * np.exp(-np.maximum(far - 0.5, 0) * unit / LID_REACH), dtype=np.float32)


def semantic_at(scene: Scene, layer: Layer) -> np.ndarray:
    """Semantics uint8 [N] of samples without shading."""
    return look_up(scene, layer)[2]
