"""The template head as hair sees it: points to grow from, and a distance field to stay out of."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from mien.morphable import chart
from mien.morphable.model import MorphableModel
from mien.morphable.raster import vertex_normals
from mien.morphable.regions import region_faces
from mien.training.procedural.strands.base import Roots

SPACING: Final = 0.0105
"""Of the distance field's nodes, EG3D units."""
LOW: Final = np.array([-0.50, -0.62, -0.46])
HIGH: Final = np.array([0.50, 0.42, 0.30])
"""Corners of the distance field, template head's frame."""
SCALP_POOL: Final = 90_000
FACE_POOL: Final = 90_000
COARSE_POOL: Final = 40_000
EAR_MIDDLE: Final = np.array([-0.005, -0.075])
EAR_SIZE: Final = (0.05, 0.042)
EAR_HEIGHT: Final = 0.012
"""Middle (y, z), reach (y, z) and height of an ear under hair, EG3D units."""
FACE_REACH: Final = 0.02
"""Distance within which a surface is taken as flat for the distance field, EG3D units."""


@dataclass(frozen=True, eq=False)
class Pool:
    """N points spread evenly over a part of the template's surface."""

    roots: Roots
    xyz: np.ndarray
    """float32 [N, 3]."""
    normals: np.ndarray
    """float32 [N, 3], unit, outwards."""
    azimuth: np.ndarray
    """float32 [N], rad, 0 at the nose, positive to the image's right."""
    height: np.ndarray
    """float32 [N], height of the hairline's kind: arc length up from the chart's equator plus its height."""

    def __len__(self) -> int:
        return len(self.xyz)


@dataclass(frozen=True, eq=False)
class DistanceField:
    """Signed distance to the template's surface on a grid, positive outside."""

    values: np.ndarray
    """float32 [X, Y, Z]."""
    low: np.ndarray
    """float32 [3], of node (0, 0, 0)."""
    inverse_spacing: np.float32


@lru_cache(maxsize=1)
def scalp_pool(model: MorphableModel) -> Pool:
    """Points where hair of the head may grow: above the neck's nape, without the ears."""
    xyz = model.mean.numpy()[model.faces_np].mean(1)
    ears = region_faces(model)["ears"].numpy()
    sky = model.exposure.numpy()[model.faces_np].mean(1)
    theta = np.abs(np.arctan2(xyz[:, 0], xyz[:, 2] - chart.AXIS_Z))
    above = np.where(theta > np.radians(70), xyz[:, 1] > -0.24, xyz[:, 1] > 0.05)
    return _pool(model, _body(model) & above & ~ears & (sky > 0.15), SCALP_POOL, seed=11)


@lru_cache(maxsize=1)
def face_pool(model: MorphableModel) -> Pool:
    """Points where beard and brows may grow: the face, the jaw's underside and the upper neck."""
    xyz = model.mean.numpy()[model.faces_np].mean(1)
    sky = model.exposure.numpy()[model.faces_np].mean(1)
    front = (xyz[:, 2] > -0.06) & (xyz[:, 1] > -0.29) & (xyz[:, 1] < 0.12)
    ears = region_faces(model)["ears"].numpy()
    return _pool(model, _body(model) & front & ~ears & (sky > 0.1), FACE_POOL, seed=12)


@lru_cache(maxsize=1)
def distance_field(model: MorphableModel) -> DistanceField:
    """Distance to the template, found once per process (about 0.5 s)."""
    sky = model.exposure.numpy()[model.faces_np].mean(1)
    coarse = _pool(model, _body(model) & (sky > 0.05), COARSE_POOL, seed=13)
    fine = scalp_pool(model)
    kept = ~region_faces(model)["ears"].numpy()[coarse.roots.face]
    xyz = np.concatenate([coarse.xyz[kept], fine.xyz[::2]])
    normals = np.concatenate([coarse.normals[kept], fine.normals[::2]])
    xyz, normals = _without_creases(xyz, normals)
    axes = [np.arange(a, b, SPACING) for a, b in zip(LOW, HIGH, strict=True)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    index = _nearest(nodes, [len(a) for a in axes], xyz)
    away = nodes - xyz[index]
    far, flat = np.linalg.norm(away, axis=1), (away * normals[index]).sum(1)
    near = np.clip(2 - far / FACE_REACH, 0, 1)
    values = near * flat + (1 - near) * far * np.sign(flat)
    values = values - _ears(nodes)
    grid = values.reshape([len(a) for a in axes]).astype(np.float32)
    return DistanceField(grid, LOW.astype(np.float32), np.float32(1 / SPACING))


def _nearest(nodes: np.ndarray, shape: list[int], xyz: np.ndarray) -> np.ndarray:
    """Index [N] of a sample [M, 3] near each node [N, 3] of the grid: the nearest one within `FACE_REACH`,
    farther away one of the nearest node's that has any."""
    cell = np.round((xyz - LOW) / SPACING).astype(int)
    inside = np.flatnonzero(((cell >= 0) & (cell < shape)).all(1))
    holder = np.full(shape, -1)
    holder[tuple(cell[inside].T)] = inside
    gap, at = distance_transform_edt(holder < 0, return_indices=True)
    index = holder[tuple(at)].ravel()
    close = np.flatnonzero(gap.ravel() * SPACING < 2 * FACE_REACH)
    index[close] = cKDTree(xyz).query(nodes[close])[1]
    return np.asarray(index)


def _without_creases(xyz: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples and normals [N, 3] without the creases where ears join the head, whose planes lead astray; the
    rest there faces sideways, so that the gap that the ears leave closes evenly."""
    y, z = (xyz[:, 1:] - EAR_MIDDLE).T
    beside = np.clip((np.abs(xyz[:, 0]) - 0.08) / 0.03, 0, 1)
    zone = np.exp(-((y / 0.075) ** 4) - (z / 0.065) ** 4) * beside
    out = np.stack([xyz[:, 0], 0 * z, 0.5 * (xyz[:, 2] - chart.AXIS_Z)], 1)
    out /= np.linalg.norm(out, axis=1, keepdims=True) + 1e-9
    kept = ((normals * out).sum(1) > 0.75) | (zone < 0.3)
    normals = normals + zone[:, None] * (out - normals)
    normals = normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9)
    return xyz[kept], normals[kept]


def _ears(xyz: np.ndarray) -> np.ndarray:
    """How far ears under hair stand off the head at points [N, 3]: smooth mounds, for hair presses ears flat
    and slides over them."""
    y, z = (xyz[:, 1:] - EAR_MIDDLE).T
    mound = np.exp(-((y / EAR_SIZE[0]) ** 2) - (z / EAR_SIZE[1]) ** 2)
    return np.asarray(EAR_HEIGHT * mound * np.clip((np.abs(xyz[:, 0]) - 0.09) / 0.03, 0, 1))


def _body(model: MorphableModel) -> np.ndarray:
    return np.asarray(model.part_faces("body").numpy())


def _pool(model: MorphableModel, chosen: np.ndarray, count: int, *, seed: int) -> Pool:
    rng = np.random.default_rng(seed)
    vertices, faces = model.mean.numpy(), model.faces_np
    index = np.flatnonzero(chosen)
    tri = vertices[faces[index]]
    area = np.linalg.norm(np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0]), axis=1)
    total = np.cumsum(area)
    face = index[np.minimum(np.searchsorted(total, (np.arange(count) + rng.uniform(size=count)) / count
                                            * total[-1]), len(index) - 1)]  # fmt: skip
    a, b = np.sqrt(rng.uniform(size=count)), rng.uniform(size=count)
    weights = np.stack([1 - a, a * (1 - b), a * b], 1).astype(np.float32)
    roots = Roots(face.astype(np.int32), weights)
    xyz = roots.interpolate(vertices, faces)
    normals = roots.interpolate(vertex_normals(vertices, faces), faces)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    cap = chart.capsule(torch.from_numpy(xyz)).numpy()
    return Pool(roots, xyz, normals, cap[:, 0], cap[:, 1] + np.float32(chart.CENTRE_Y))
