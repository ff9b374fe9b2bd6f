"""A head in an expression, ready for many cameras: vertices, normals, exposure, gradients of the chart."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import torch

from mien.core.sphere import sphere_directions
from mien.morphable.model import PARTS, MorphableModel
from mien.morphable.raster import RayScene, vertex_normals

SKY_RAYS: Final = 40
OPEN_PARTS: Final = ("teeth_upper", "teeth_lower", "tongue", "mouth")
"""Their exposure changes with the jaw, and is found anew for every expression."""
MOUTH_LANDMARKS: Final = (0, 17, 61, 291)
LIFT: Final = 0.002
SOCKET: Final = 0.05
"""Radius around an eyeball's middle within which its socket lies, EG3D units."""
HIDDEN_PUSH: Final = {"teeth_upper": 0.012, "teeth_lower": 0.014, "tongue": 0.006}
"""Depth by which skin wins over what is behind it: the model's teeth may cut through lips and chin."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles with what shading needs. V vertices, F faces."""

    vertices: np.ndarray
    """float32 [V, 3], head frame."""
    normals: np.ndarray
    """float32 [V, 3], unit, outwards."""
    faces: np.ndarray
    """int32 [F, 3]."""
    sky: np.ndarray
    """float32 [V], share of the surroundings seen."""
    grad_u: np.ndarray
    """float32 [F, 3], change of u along the surface."""
    grad_v: np.ndarray
    """float32 [F, 3]."""


def chart_gradients(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How u and v change along each triangle: two float32 [F, 3]; uv [F, 3, 2] at the corners."""
    tri = vertices[faces]
    a, b = tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0]
    n = np.cross(a, b)
    area = np.maximum((n * n).sum(1, keepdims=True), 1e-14)
    first, second = np.cross(b, n) / area, np.cross(n, a) / area
    d = uv[:, 1:] - uv[:, :1]
    grad = d[:, 0, :, None] * first[:, None] + d[:, 1, :, None] * second[:, None]
    longest = np.linalg.norm(grad, axis=-1, keepdims=True)
    grad *= np.minimum(1, 60 / np.maximum(longest, 1e-9))  # slivers of the chart must not spike
    return grad[:, 0].astype(np.float32), grad[:, 1].astype(np.float32)


@lru_cache(maxsize=2)
def _open_vertices(model: MorphableModel) -> np.ndarray:
    index = torch.cat([model.part_vertices(p) for p in OPEN_PARTS]).unique().numpy()
    near = model.landmarks(model.mean)[list(MOUTH_LANDMARKS)].numpy().mean(0)
    v = model.mean.numpy()
    lips = (np.abs(v - near) < [0.085, 0.05, 0.05]).all(1)
    return np.union1d(index, np.flatnonzero(lips & (model.exposure.numpy() < 0.7)))


@lru_cache(maxsize=2)
def socket_faces(model: MorphableModel) -> np.ndarray:
    """Bool [F]: the body's triangles behind and beside the eyeballs, seen in the corners of open eyes."""
    v, sky = model.mean.numpy(), model.exposure.numpy()
    near = np.zeros(len(v), bool)
    for index in model.eyeball_vertices:
        ball = v[index.numpy()]
        near |= np.linalg.norm(v - (ball.max(0) + ball.min(0)) / 2, axis=1) < SOCKET
    body = model.part_faces("body").numpy()
    return np.asarray(body & (near & (sky < 0.35))[model.faces_np].all(1))


@lru_cache(maxsize=2)
def head_faces(model: MorphableModel) -> np.ndarray:
    """Triangles that hide the sky: int32 [F, 3], all but eyeballs."""
    eyes = [PARTS.index(p) for p in ("eye_left", "eye_right")]
    return model.faces_np[~np.isin(model.part_of_face.numpy(), eyes)]


def sky_shares(model: MorphableModel, vertices: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Share of the sky each vertex sees, float32 [V]; the skin's is the mean head's."""
    sky = model.exposure.numpy().astype(np.float32).copy()
    index = _open_vertices(model)
    n = normals[index]
    d = np.repeat(sphere_directions(SKY_RAYS)[None], len(index), 0)
    weight = np.clip((d * n[:, None]).sum(-1), 0, None)
    start = np.repeat((vertices[index] + n * LIFT)[:, None], SKY_RAYS, 1)
    up = weight > 0
    hit = np.zeros(weight.shape, bool)
    hit[up] = RayScene(vertices, head_faces(model)).cast(start[up], d[up]).hit
    sky[index] = (weight * ~hit).sum(1) / np.maximum(weight.sum(1), 1e-6)
    return sky


def pose_body(model: MorphableModel, identity: np.ndarray, expression: np.ndarray) -> Surface:
    """The model's mesh for identity [K] and expression [52]."""
    vertices = model.vertices(torch.from_numpy(identity), torch.from_numpy(expression)).numpy()
    vertices = np.ascontiguousarray(vertices, dtype=np.float32)
    normals = vertex_normals(vertices, model.faces_np).astype(np.float32)
    grads = chart_gradients(vertices, model.faces_np, model.canonical_corners[..., :2].numpy())
    return Surface(vertices, normals, model.faces_np, sky_shares(model, vertices, normals), *grads)


@lru_cache(maxsize=2)
def face_pushes(model: MorphableModel) -> np.ndarray:
    """Depth added to each triangle where surfaces compete, float32 [F]."""
    part = model.part_of_face.numpy()
    push = np.zeros(len(part), np.float32)
    for name, by in HIDDEN_PUSH.items():
        push[part == PARTS.index(name)] = by
    return push
