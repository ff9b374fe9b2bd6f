"""The surface of an EG3D person: marching cubes on the density, coloured from the field.

The colours are the first three channels that the decoder gives, which super-resolution has not sharpened.
The grid is looked up slab by slab. The fast path looks up fine samples only where a grid of half the
resolution changes sides nearby, and may miss what is finer than that grid; the reference looks up all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes
from torch import Tensor
from torch.nn import functional as F

from mien.core.errors import InputError
from mien.generator.eg3d.decoder import FieldSamples
from mien.generator.eg3d.generator import RGB, Eg3dGenerator
from mien.generator.view import MeshConfig
from mien.io.mesh import Mesh
from mien.morphable.raster import vertex_normals

CHUNK: Final = 65536
SLAB: Final = 32
"""Layers of the grid that are looked up at a time."""
COARSER: Final = 2
MIDDLE: Final = 0.35
"""Radius, in sides of the box, within which triangles count for the largest part."""


def field_mesh(
    generator: Eg3dGenerator,
    planes: Float[Tensor, "1 3 channel y x"],
    config: MeshConfig | None = None,
    *,
    path: Literal["reference", "fast"] = "fast",
) -> Mesh:
    """The closed surface of a person, in world coordinates; where the box cuts it, it has a flat lid.

    Raises InputError if the density crosses the level nowhere.
    """
    config = config or MeshConfig()
    side, n = generator.config.rendering.box_side, config.resolution
    with torch.no_grad():
        vertices, faces = _march(generator, planes, config, path)
        if len(faces) == 0:
            raise InputError(
                f"The density of this person crosses {config.level:g} nowhere on a grid of {n} samples a "
                "side, so there is no surface; give another --level."
            )
        if config.largest_only:
            middle = np.linalg.norm(vertices / n - 0.5, axis=1) < MIDDLE
            vertices, faces = largest_part(vertices, faces, middle)
        xyz = ((vertices - 0.5) / n - 0.5) * side
        points = torch.from_numpy(xyz.astype(np.float32)).to(planes.device)
        rgb = torch.cat([part.rgb[0, :, :RGB].clone() for part in _samples(generator, planes, points)])
        normals = density_normals(generator, planes, points, step=side / n).cpu().numpy()
    flat = vertex_normals(xyz, faces)
    unsure = (np.abs(xyz) > side / 2 * (1 - 1 / n)).any(1) | (np.linalg.norm(normals, axis=1) < 0.5)
    normals[unsure] = flat[unsure]
    colours = (rgb.clamp(0, 1) * 255 + 0.5).to(torch.uint8).cpu().numpy()
    return Mesh(xyz.astype(np.float32), faces.astype(np.int32), normals.astype(np.float32), colours)


def density_normals(
    generator: Eg3dGenerator,
    planes: Float[Tensor, "1 3 channel y x"],
    points: Float[Tensor, "point 3"],
    *,
    step: float,
) -> Float[Tensor, "point 3"]:
    """Unit vectors down the density, by central differences over `step`; 0 where it is level."""
    slopes = []
    for axis in range(3):
        shift = torch.zeros(3, device=points.device)
        shift[axis] = step
        ahead, behind = (density_at(generator, planes, points + sign * shift) for sign in (1, -1))
        slopes.append(behind - ahead)
    return F.normalize(torch.stack(slopes, -1), dim=-1)


def density_at(
    generator: Eg3dGenerator, planes: Float[Tensor, "1 3 channel y x"], points: Float[Tensor, "point 3"]
) -> Float[Tensor, " point"]:
    """Raw densities, in chunks."""
    parts = [part.sigma[0, :, 0].clone() for part in _samples(generator, planes, points)]
    return torch.cat(parts) if parts else points.new_zeros(0)


def _samples(generator: Eg3dGenerator, planes: Tensor, points: Tensor) -> Iterator[FieldSamples]:
    for part in points.split(CHUNK):
        yield generator.field(planes, part[None])


def grid_middles(n: int, side: float) -> Float[Tensor, " n"]:
    """Middles of n equal cells of the box's side."""
    return ((torch.arange(n) + 0.5) / n - 0.5) * side


@dataclass(frozen=True, eq=False)
class _Band:
    """A coarse look at the density, and where the surface can be."""

    sigma: Float[Tensor, "m m m"]
    near: Bool[Tensor, "m m m"]


def _march(
    generator: Eg3dGenerator, planes: Tensor, config: MeshConfig, path: Literal["reference", "fast"]
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices, in cells from a corner that lies half a cell outside of the first sample; triangles."""
    n = config.resolution
    band = None if path == "reference" else _band(generator, planes, config)
    volume = np.zeros((n + 2, n + 2, n + 2), np.float32)
    for start in range(0, n, SLAB):
        layers = slice(start, min(start + SLAB, n))
        sigma = _layers(generator, planes, config, band, layers).numpy()
        volume[layers.start + 1 : layers.stop + 1, 1:-1, 1:-1] = sigma
    put_lids(volume, config.level)
    if not volume.min() < config.level < volume.max():
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    # With "ascent", triangles of what is dense inside are counter-clockwise seen from outside.
    vertices, faces, _, _ = marching_cubes(volume, config.level, gradient_direction="ascent")
    return vertices.astype(np.float64), faces.astype(np.int64)


def _layers(
    generator: Eg3dGenerator, planes: Tensor, config: MeshConfig, band: _Band | None, x: slice
) -> Float[Tensor, "layer n n"]:
    """Densities of some layers of the grid."""
    middles = grid_middles(config.resolution, generator.config.rendering.box_side)
    grid = torch.stack(torch.meshgrid(middles[x], middles, middles, indexing="ij"), -1)
    if band is None:
        return density_at(generator, planes, grid.view(-1, 3).to(planes.device)).cpu().view(grid.shape[:3])
    index = torch.arange(config.resolution) * len(band.sigma) // config.resolution
    of_coarse = torch.meshgrid(index[x], index, index, indexing="ij")
    sigma, near = band.sigma[of_coarse], band.near[of_coarse]
    sigma[near] = density_at(generator, planes, grid[near].to(planes.device)).cpu()
    return sigma


def _band(generator: Eg3dGenerator, planes: Tensor, config: MeshConfig) -> _Band:
    m = max(config.resolution // COARSER, 8)
    middles = grid_middles(m, generator.config.rendering.box_side)
    grid = torch.cartesian_prod(middles, middles, middles).to(planes.device)
    sigma = density_at(generator, planes, grid).cpu().view(1, 1, m, m, m)
    low, high = -F.max_pool3d(-sigma, 3, 1, 1), F.max_pool3d(sigma, 3, 1, 1)
    return _Band(sigma[0, 0], ((low <= config.level) & (high >= config.level))[0, 0])


def put_lids(volume: Float[np.ndarray, "n n n"], level: float) -> None:
    """Set the outermost samples, which lie outside of the box, so that a solid ends in the box's faces."""
    for axis in range(3):
        layers = np.moveaxis(volume, axis, 0)
        for outside, inside in ((0, 1), (-1, -2)):
            layers[outside] = np.minimum(layers[inside], 2 * level - layers[inside])


def largest_part(
    vertices: np.ndarray, faces: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The connected part with most triangles whose first vertex `counts` (bool [V]), numbered anew.

    A wall behind a head may have more triangles than the head, but not in the middle of the box.
    """
    count = len(vertices)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    label = connected_components(graph, directed=False)[1]
    counted = faces[counts[faces[:, 0]], 0]
    part = label[counted if len(counted) else faces[:, 0]]
    kept = faces[label[faces[:, 0]] == np.bincount(part).argmax()]
    used, number = np.unique(kept, return_inverse=True)
    return vertices[used], number.reshape(-1, 3)
