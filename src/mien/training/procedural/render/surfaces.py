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
from mien.training.procedural.render.posed import socket_faces
from mien.training.procedural.render.scene import Scene
from mien.training.procedural.render.shading import ALBEDO, CHANNELS, SCATTER, shade

EYE_LEFT, EYE_RIGHT = PARTS.index("eye_left"), PARTS.index("eye_right")
BODY: Final = PARTS.index("body")
LID_SHADE: Final = 0.9
"""How much the lids darken the eyeball right at their edge."""
LID_REACH: Final = 0.0055
"""Distance over which that fades, EG3D units (3 mm)."""
CARUNCLE: Final = np.array([0.42, 0.17, 0.14], np.float32)
SOCKET_SKY: Final = 0.4
OPEN_EYE_SKY: Final = 0.7
LIP_SHADE: Final = 0.8
LIP_REACH: Final = 0.008
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
    pile, focal = scene.pile, float(camera.intrinsics[1, 1])
    part = scene.part[layer.face]
    eyes = np.flatnonzero((part == EYE_LEFT) | (part == EYE_RIGHT))
    normals, sky, coat = layer.normals, layer.sky, None
    _moisten_sockets(scene, layer, maps)
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
        sky[eyes] = OPEN_EYE_SKY * edge_shade(layer, eyes, side_px, focal, depth=LID_SHADE, reach=LID_REACH)
        lit = lit.copy()
        lit[eyes] *= 0.3 + 0.7 * sky[eyes] / OPEN_EYE_SKY
        coat = points.coat
    mouth = np.flatnonzero(np.isin(part, MOUTH_PARTS))
    if len(mouth):
        sky = sky.copy() if sky is layer.sky else sky
        sky[mouth] *= edge_shade(layer, mouth, side_px, focal, depth=LIP_SHADE, reach=LIP_REACH)
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


def _moisten_sockets(scene: Scene, layer: Layer, maps: np.ndarray) -> None:
    """The corners of the eyes are wet and pink; the chart has no texels of their own for them."""
    count = len(scene.body.faces)
    wet = np.flatnonzero(
        (layer.face < count) & socket_faces(scene.sitter.model)[np.minimum(layer.face, count - 1)]
    )
    maps[wet, :3] = 0.45 * maps[wet, :3] + 0.55 * CARUNCLE
    maps[wet, 3], maps[wet, 4] = 0.3, 1.3
    layer.sky[wet] = np.maximum(layer.sky[wet], SOCKET_SKY)


def _eye_maps(scene: Scene, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a = scene.sitter.appearance
    u, v = ((uv[:, k] + 1) * np.float32(STRIP_WIDTH / 2) - np.float32(0.5) for k in range(2))
    maps = np.empty((len(uv), CHANNELS), np.float32)
    fetch(a.strip_maps, u.astype(np.float32), v.astype(np.float32), maps)
    row = np.clip(np.rint(v).astype(np.int64), 0, a.strip_material.shape[0] - 1)
    iris = 1 - maps[:, SCATTER]
    maps[:, ALBEDO : ALBEDO + 3] *= (1 + 0.35 * iris)[:, None]  # the cornea gathers light
    return maps, a.strip_material[row, np.clip(np.rint(u).astype(np.int64), 0, STRIP_WIDTH - 1)]


def edge_shade(
    layer: Layer, inner: np.ndarray, side_px: int, focal: float, *, depth: float, reach: float
) -> np.ndarray:
    """Factor [E] on the light of the surroundings: the lids darken the eyeballs, and the lips the teeth, at
    their edges. inner [E]: samples of what they frame; the distance is taken over the picture."""
    at = layer.sample[inner]
    y, x = np.divmod(at, side_px)
    y, x = y - y.min() + 1, x - x.min() + 1
    mask = np.zeros((y.max() + 2, x.max() + 2), np.uint8)
    mask[y, x] = 1
    near = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    row = np.arange(len(mask))[:, None]
    below = row - np.maximum.accumulate(np.where(mask == 0, row, 0), axis=0)
    unit = layer.distance[inner] / (focal * side_px)
    shade = np.ones(len(inner))
    for far, share in ((near, 0.55), (below, 0.7)):
        shade *= 1 - depth * share * np.exp(-np.maximum(far[y, x] - 0.5, 0) * unit / reach)
    return shade.astype(np.float32)


def semantic_at(scene: Scene, layer: Layer) -> np.ndarray:
    """Semantics uint8 [N] of samples without shading."""
    return look_up(scene, layer)[2]
