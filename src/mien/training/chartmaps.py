"""A head as canonical maps: shaded body colour, shaded hair colour and hair height over the chart."""

from functools import lru_cache

import cv2
import numpy as np

from mien.morphable.model import MorphableModel
from mien.morphable.raster import vertex_normals
from mien.training.heads import Head, shade
from mien.training.paint import ATLAS, fill_triangle


@lru_cache(maxsize=1)
def chart_normals(model: MorphableModel) -> np.ndarray:
    """Unit normals of the template per atlas texel [ATLAS, ATLAS, 3]; zero where there is no surface."""
    corners = (model.canonical_corners[..., :2].numpy() + 1) / 2 * ATLAS - 0.5
    normal = vertex_normals(model.mean.numpy(), model.faces_np)[model.faces_np]
    image = np.zeros((ATLAS, ATLAS, 3), np.float32)
    for f in np.argsort(model.exposure.numpy()[model.faces_np].mean(1), kind="stable"):
        fill_triangle(image, corners[f], normal[f])
    return image / (np.linalg.norm(image, axis=-1, keepdims=True) + 1e-9)


def head_maps(model: MorphableModel, head: Head, size: int) -> np.ndarray:
    """float16 [7, size, size]: shaded body RGB, shaded hair RGB (both in [0, 1]), hair height."""
    normals = chart_normals(model).reshape(-1, 3)
    hair_normals = _hair_normals(model, head)
    body = shade(head.atlas.reshape(-1, 3), normals, head.light).reshape(ATLAS, ATLAS, 3)
    hair = shade(head.hair.texture.reshape(-1, 3), hair_normals, head.light).reshape(ATLAS, ATLAS, 3)
    stack = np.concatenate([body, hair], -1).clip(0, 1).astype(np.float32)
    small = cv2.resize(stack, (size, size), interpolation=cv2.INTER_AREA)
    height = cv2.resize(head.hair.height, (size, size), interpolation=cv2.INTER_AREA)
    return np.concatenate([small, height[..., None]], -1).transpose(2, 0, 1).astype(np.float16)


def _hair_normals(model: MorphableModel, head: Head) -> np.ndarray:
    n = head.hair.height.shape[0]
    points = head.shell_vertices.reshape(n, n, 3)
    du = np.roll(points, -1, 1) - np.roll(points, 1, 1)
    dv = np.gradient(points, axis=0)
    normal = np.cross(du, dv)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
    outward = np.stack([points[..., 0], np.zeros((n, n)), points[..., 2] + 0.07], -1)
    normal *= np.sign((normal * outward).sum(-1, keepdims=True) + 1e-9)
    return cv2.resize(normal.astype(np.float32), (ATLAS, ATLAS)).reshape(-1, 3)
