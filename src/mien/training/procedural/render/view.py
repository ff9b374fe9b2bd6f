"""One view of a person: the picture, and exact geometry and meaning of every pixel."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from mien.core.camera import Camera
from mien.training.procedural.light import Light
from mien.training.procedural.render.buffers import Layer, draw_layers
from mien.training.procedural.render.scene import Scene
from mien.training.procedural.render.shadow import ShadowMap
from mien.training.procedural.render.surfaces import semantic_at, shade_layer
from mien.training.procedural.response import CLEAN, Response, photograph


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
    """bool [S, S], whether the first surface is hair, glasses or cloth."""
    off_planes: np.ndarray
    """float32 [S, S, 3], plane coordinates of the first surface where it is off the body."""


def render_view(
    scene: Scene,
    camera: Camera,
    size_px: int,
    *,
    supersampling: int = 2,
    light: Light | None = None,
    shadow: ShadowMap | None = None,
    response: Response = CLEAN,
    rng: np.random.Generator | None = None,
) -> ProceduralView:
    """Draw a scene. The light is the person's own unless given; a shadow map of that light may be reused."""
    light = light or scene.sitter.person.light
    shadow = shadow or scene.shadow(light)
    side = size_px * supersampling
    _, front = draw_layers(scene, camera, side)
    lit = shadow.visibility(front.xyz, front.normals)
    shaded = shade_layer(scene, front, light, camera, lit, side)
    linear, cover, received = (np.zeros((side * side, k), np.float32) for k in (3, 1, 3))
    linear[front.sample], received[front.sample], cover[front.sample] = shaded.radiance, shaded.irradiance, 1
    linear, cover, received = (_shrunk(t, size_px, supersampling) for t in (linear, cover, received))
    alpha = cover[..., 0]
    straight = linear / np.maximum(cover, 1e-3)
    rgb = photograph(straight, response, rng) * cover
    return ProceduralView(
        camera,
        light,
        linear,
        rgb.astype(np.float32),
        alpha,
        irradiance=received,
        **_geometry(scene, camera, size_px),
    )


def _geometry(scene: Scene, camera: Camera, size_px: int) -> dict[str, np.ndarray]:
    """What the rays through the pixels' middles meet."""
    body, front = draw_layers(scene, camera, size_px)
    cloth = front.face >= len(scene.body.faces)
    off = np.zeros(size_px * size_px, bool)
    off[front.sample[cloth]] = True
    planes = np.zeros((size_px * size_px, 3), np.float32)
    if cloth.any():
        planes[front.sample[cloth]] = scene.sitter.carrier.to_planes(
            torch.from_numpy(front.xyz[cloth])
        ).numpy()
    square = (size_px, size_px)
    return {
        "depth": _spread(front, front.distance, square),
        "normals": _spread(front, front.normals, square),
        "semantic": _spread(front, semantic_at(scene, front), square),
        "body_depth": _spread(body, body.distance, square),
        "body_planes": _spread(body, body.uv, square),
        "off_body": off.reshape(square),
        "off_planes": planes.reshape(*square, 3),
    }


def _spread(layer: Layer, values: np.ndarray, square: tuple[int, int]) -> np.ndarray:
    out = np.zeros((square[0] * square[1], *values.shape[1:]), values.dtype)
    out[layer.sample] = values
    return out.reshape(*square, *values.shape[1:])


def _shrunk(values: np.ndarray, size_px: int, n: int) -> np.ndarray:
    side = size_px * n
    small = cv2.resize(values.reshape(side, side, -1), (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.asarray(small.reshape(size_px, size_px, -1))
