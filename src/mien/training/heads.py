"""Procedural heads: random people with exact factors, rendered from exact cameras with alpha and depth."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch

from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera
from mien.generator.samples import rest_expression
from mien.morphable.carry import make_carrier
from mien.morphable.model import MorphableModel
from mien.morphable.raster import Hits, cast_rays, interpolate, interpolate_corners, vertex_normals
from mien.morphable.shell import height_shell
from mien.training.hair import NO_HAIR, Hair, dye_scalp, random_hair
from mien.training.paint import ATLAS, Look, paint_atlas, random_look

IDENTITY_STD: Final = 0.8
WARM: Final = np.array([1.0, 0.1, -1.0])
"""Light differs along this direction of colour, from daylight to lamps; never towards green or purple."""


@dataclass(frozen=True)
class Light:
    """Ambient plus two directional lights in the head frame."""

    ambient: np.ndarray  # [3]
    directions: np.ndarray  # [2, 3] unit
    colours: np.ndarray  # [2, 3]


@dataclass(frozen=True, eq=False)
class Head:
    """One person: shape, atlas, hair and light."""

    identity: np.ndarray  # float32 [K]
    look: Look
    hair: Hair
    light: Light
    atlas: np.ndarray  # float32 [ATLAS, ATLAS, 3], albedo of the body and the islands
    shell_vertices: np.ndarray  # float32 [N, 3] head frame
    shell_faces: np.ndarray
    shell_corners: np.ndarray


@dataclass(frozen=True, eq=False)
class HeadRender:
    """One view. P = size * size pixels, row major."""

    rgb: np.ndarray  # uint8 [P, 3], black where transparent
    alpha: np.ndarray  # bool [P]
    body_depth: np.ndarray  # float32 [P], distance to the body behind any hair; 0 where none
    body_planes: np.ndarray  # float32 [P, 3], plane coordinates of the body hit
    depth: np.ndarray  # float32 [P], distance to the first surface; 0 where none
    is_hair: np.ndarray  # bool [P]
    hair_planes: np.ndarray  # float32 [P, 3], plane coordinates of the hair hit; zero where no hair is seen


def random_light(rng: np.random.Generator) -> Light:
    """Soft frontal key light from a random side, weaker fill."""
    key = np.array([rng.uniform(-0.9, 0.9), rng.uniform(-0.1, 0.9), 1.0])
    fill = np.array([-key[0], rng.uniform(-0.3, 0.5), 0.6])
    directions = np.stack([key / np.linalg.norm(key), fill / np.linalg.norm(fill)])
    tint = 1 + rng.normal(0, 0.05, (2, 1)) * WARM
    level = rng.uniform(0.3, 0.65)
    ambient = level * (1 + rng.normal(0, 0.025) * WARM)
    strength = np.array([[rng.uniform(0.75, 1.05) - level], [rng.uniform(0.0, 0.2)]])
    return Light(ambient, directions, strength * tint)


def random_head(model: MorphableModel, rng: np.random.Generator) -> Head:
    """Draw a person."""
    identity = rng.normal(0, IDENTITY_STD, model.component_count).astype(np.float32)
    look, light = random_look(rng), random_light(rng)
    hair = random_hair(model, look.hair, rng)
    atlas = dye_scalp(paint_atlas(model, look, rng), hair, model)
    surface = height_shell(model, torch.from_numpy(hair.height), NO_HAIR * 0.7)
    neutral = model.vertices(torch.from_numpy(identity), torch.zeros(52))
    shell = make_carrier(model, neutral).to_head(surface.vertices).numpy()
    return Head(identity, look, hair, light, atlas, shell, surface.faces, surface.corners)


def random_expression(rng: np.random.Generator) -> np.ndarray:
    """Random ARKit coefficients float32 [52]: a few at random, often a jaw, a smile or a blink."""
    e = np.zeros(52, np.float32)
    for j in rng.choice(52, rng.integers(0, 6), replace=False):
        e[j] = rng.uniform(0, 1)
    if rng.uniform() < 0.5:
        e[ARKIT_INDEX["jawOpen"]] = rng.uniform(0, 0.9)
    for names, odds in (
        (("mouthSmileLeft", "mouthSmileRight"), 0.35),
        (("eyeBlinkLeft", "eyeBlinkRight"), 0.25),
    ):
        if rng.uniform() < odds:
            value = rng.uniform()
            for n in names:
                e[ARKIT_INDEX[n]] = value
    e[ARKIT_INDEX["tongueOut"]] = 0
    return np.clip(e + rest_expression().numpy(), 0, 1)


def random_camera(rng: np.random.Generator) -> Camera:
    """A view on EG3D's orbit: yaw mostly within 50 degrees, sometimes from the side or the back."""
    yaw = rng.uniform(-np.pi, np.pi) if rng.uniform() < 0.12 else np.clip(rng.normal(0, 0.55), -1.4, 1.4)
    return Camera.orbit(float(yaw), float(np.clip(rng.normal(0, 0.2), -0.5, 0.5)))


def shade(albedo: np.ndarray, normal: np.ndarray, light: Light) -> np.ndarray:
    """Wrapped Lambert shading [P, 3]."""
    wrapped = np.clip((normal @ light.directions.T + 0.3) / 1.3, 0, None)
    return albedo * (light.ambient + wrapped @ light.colours)


def sample_atlas(atlas: np.ndarray, planes: np.ndarray) -> np.ndarray:
    """Atlas colours [P, C] at plane coordinates [P, >=2]; u wraps."""
    x = (np.mod(planes[:, 0] + 1, 2) / 2 * ATLAS - 0.5).astype(np.float32)
    y = ((planes[:, 1] + 1) / 2 * ATLAS - 0.5).astype(np.float32)
    width = 256  # OpenCV refuses maps longer than 32767 on a side
    x, y = (np.pad(t, (0, -len(t) % width)).reshape(-1, width) for t in (x, y))
    out = cv2.remap(atlas, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(-1, out.shape[-1])[: len(planes)]


def render_head(
    model: MorphableModel,
    head: Head,
    expression: np.ndarray,
    camera: Camera,
    size: int,
    *,
    with_hair: bool = True,
) -> HeadRender:
    """Ray cast one view of size x size pixels: body first, then the hair shell in front of it."""
    vertices = model.vertices(torch.from_numpy(head.identity), torch.from_numpy(expression)).numpy()
    rays = camera.rays(size, size)
    origins, directions = rays.origins.reshape(-1, 3).numpy(), rays.directions.reshape(-1, 3).numpy()
    body = cast_rays(vertices, model.faces_np, origins, directions)
    planes = interpolate_corners(model.canonical_corners.numpy(), body)
    rgb = _shaded(vertices, model.faces_np, body, sample_atlas(head.atlas, planes), head.light, directions)
    depth, is_hair, hair_planes = body.depth.copy(), np.zeros(len(rgb), bool), np.zeros_like(planes)
    if with_hair and len(head.shell_faces):
        hair = cast_rays(head.shell_vertices, head.shell_faces, origins, directions)
        is_hair = hair.hit & (hair.depth < body.depth)
        hair_planes = interpolate_corners(head.shell_corners, hair) * is_hair[:, None]
        strand = sample_atlas(head.hair.texture, hair_planes)
        colour = _shaded(head.shell_vertices, head.shell_faces, hair, strand, head.light, directions)
        rgb[is_hair] = colour[is_hair]
        depth = np.where(is_hair, hair.depth, depth)
    alpha = body.hit | is_hair
    return HeadRender(
        rgb=(np.clip(rgb, 0, 1) * 255 * alpha[:, None]).astype(np.uint8),
        alpha=alpha,
        body_depth=np.where(body.hit, body.depth, 0).astype(np.float32),
        body_planes=planes.astype(np.float32),
        depth=np.where(alpha, depth, 0).astype(np.float32),
        is_hair=is_hair,
        hair_planes=hair_planes.astype(np.float32),
    )


def render_rgba(
    model: MorphableModel,
    head: Head,
    expression: np.ndarray,
    camera: Camera,
    size: int,
    *,
    supersampling: int = 2,
) -> np.ndarray:
    """Premultiplied RGBA float32 [size, size, 4] in [0, 1] with smooth edges."""
    n = supersampling
    out = render_head(model, head, expression, camera, size * n)
    rgba = np.concatenate([out.rgb / 255, out.alpha[:, None]], 1).astype(np.float32)
    return rgba.reshape(size, n, size, n, 4).mean((1, 3))


def _shaded(
    vertices: np.ndarray,
    faces: np.ndarray,
    hits: Hits,
    albedo: np.ndarray,
    light: Light,
    directions: np.ndarray,
) -> np.ndarray:
    normal = interpolate(vertex_normals(vertices, faces), faces, hits)
    normal *= -np.sign((normal * directions).sum(1, keepdims=True))  # towards the viewer
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    return shade(albedo, normal, light)
