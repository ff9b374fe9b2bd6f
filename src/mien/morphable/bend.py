"""Carrying points near a face from one expression to another: a displacement field around the mesh.

As in GNARF (Bergman et al. 2022): what is sampled at a point of the frame's face lies, in the planes of
another expression, where the mesh says that this piece of skin was. The field is a grid around what
moves. Each node takes the mean displacement of the nearest points of the surface that the camera sees,
with weights that fall smoothly to zero at the last neighbour, and fades away from the surface.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional as F

from mien.core.compiled import has_numba, in_pieces
from mien.morphable.landmarks import LIPS_INNER, LIPS_OUTER
from mien.morphable.model import MorphableModel
from mien.morphable.raster import RayScene

SEEN_WITHIN: Final = 2e-3
"""A point of the mesh is seen if a ray to it ends this close before it (head units)."""
EDGE: Final = 0.15
"""Share of a finer grid's half side over which it takes over."""
STILL: Final = 2e-4
"""The grid goes around what moves farther than this (head units, 0.1 mm)."""
Means = Callable[[np.ndarray, float, np.ndarray], np.ndarray]
"""Low corner [3], distance and numbers (x, y, z) of nodes to their displacements, float32 [z, y, x, 3]."""
EngineName = Literal["auto", "tree", "compiled"]


@dataclass(frozen=True)
class BendConfig:
    """The grid. Lengths in units of the head (1.9 to a metre)."""

    cell: float = 0.008
    """Distance of the nodes: 4 mm."""
    fine_cell: float = 0.003
    """The same around eyes and lips, where what moves far lies next to what does not."""
    margin: float = 0.025
    """Of those finer grids, around the eyeballs and the lips."""
    neighbours: int = 6
    reach: tuple[float, float] = (0.02, 0.05)
    """Full displacement up to the first distance from the surface, none from the second on."""
    engine: EngineName = "auto"
    """How the nearest points are found. "compiled" needs numba; "tree" is the reference, with scipy."""


@dataclass(frozen=True, eq=False)
class Patch:
    """Displacements on the nodes of a box, the corners included."""

    low: Float[Tensor, "3"]
    span: Float[Tensor, "3"]
    displacement: Float[Tensor, "3 z y x"]

    def place(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
        """Coordinates in the box, from -1 to 1."""
        return (points - self.low.to(points)) / self.span.to(points) * 2 - 1

    def at(self, place: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
        """Displacements there, trilinear, zero beyond the box."""
        grid = place.reshape(1, 1, 1, -1, 3)
        found = F.grid_sample(
            self.displacement.to(place)[None], grid, mode="bilinear", padding_mode="zeros", align_corners=True
        )
        return found[0, :, 0, 0].T


@dataclass(frozen=True, eq=False)
class Bend:
    """x -> x + d(x): a coarse grid, and finer ones in it that take over smoothly."""

    coarse: Patch
    fine: tuple[Patch, ...]

    def apply(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Points carried, in the frame of the head."""
        flat = points.reshape(-1, 3)
        place = self.coarse.place(flat)
        inside = torch.nonzero((place.abs() <= 1).all(1))[:, 0]
        near = flat[inside]
        moved = self.coarse.at(place[inside])
        for patch in self.fine:
            place = patch.place(near)
            index = torch.nonzero((place.abs() < 1).all(1))[:, 0]
            place = place[index]
            share = ((1 - place.abs().amax(1)) / EDGE).clamp(0, 1)[:, None]
            moved = moved.index_add(0, index, share * (patch.at(place) - moved[index]))
        return flat.index_add(0, inside, moved).reshape(points.shape)


def make_bend(
    model: MorphableModel,
    before: Float[Tensor, "vertex 3"],
    after: Float[Tensor, "vertex 3"],
    *,
    seen_from: Float[Tensor, "3"] | None = None,
    config: BendConfig | None = None,
) -> Bend | None:
    """The field that carries points near the mesh `before` as it goes to `after`; None if nothing moves.

    With `seen_from`, a point in the head's frame, only what is seen of `before` from there moves anything:
    lids, for instance, and not the eyeballs behind them.
    """
    config = config or BendConfig()
    points, moves = _surface(model, before.numpy(), after.numpy(), seen_from)
    moving = np.linalg.norm(moves, axis=1) > STILL
    if not moving.any():
        return None
    means, reach = ENGINES[_chosen(config.engine)](points, moves, config), config.reach[1]
    low, high = points[moving].min(0) - reach, points[moving].max(0) + reach
    coarse = _patch(means, low, high, config.cell)
    fine = []
    for box in _busy_boxes(model, before.numpy(), config.margin):
        inside = ((points[moving] >= box[0]) & (points[moving] <= box[1])).all(1)
        if inside.any():
            fine.append(_patch(means, *box, config.fine_cell))
    return Bend(coarse, tuple(fine))


def _busy_boxes(
    model: MorphableModel, vertices: np.ndarray, margin: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Corners of boxes around either eye and the lips."""
    lips = model.landmarks(torch.from_numpy(vertices))[list(LIPS_OUTER + LIPS_INNER)].numpy()
    groups = [*(vertices[index.numpy()] for index in model.eyeball_vertices), lips]
    return [(group.min(0) - margin, group.max(0) + margin) for group in groups]


def _patch(means: Means, low: np.ndarray, high: np.ndarray, cell: float) -> Patch:
    counts = np.ceil((high - low) / cell).astype(int) + 1
    field = means(np.asarray(low, np.float64), cell, counts)
    span = torch.from_numpy((counts - 1) * cell).float()
    return Patch(torch.from_numpy(low).float(), span, torch.from_numpy(field).permute(3, 0, 1, 2))


def _surface(
    model: MorphableModel, before: np.ndarray, after: np.ndarray, seen_from: Tensor | None
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and middles of triangles of `before` [N, 3], those that are seen, and how they move [N, 3]."""
    faces = model.faces_np
    used = np.unique(faces)
    points = np.concatenate([before[used], before[faces].mean(1)])
    moves = np.concatenate([after[used], after[faces].mean(1)]) - points
    if seen_from is None:
        return points, moves
    away = points - seen_from.numpy()
    distance = np.linalg.norm(away, axis=1)
    hits = RayScene(before, faces).cast(seen_from.numpy(), away / distance[:, None])
    seen = hits.depth > distance - SEEN_WITHIN
    return points[seen], moves[seen]


def _chosen(name: EngineName) -> EngineName:
    if name != "auto":
        return name
    return "compiled" if has_numba() else "tree"


def _tree_means(points: np.ndarray, moves: np.ndarray, config: BendConfig) -> Means:
    tree = cKDTree(points)

    def means(low: np.ndarray, cell: float, counts: np.ndarray) -> np.ndarray:
        axes = [low[k] + np.arange(counts[k]) * cell for k in range(3)]
        nodes = np.stack(np.meshgrid(*axes[::-1], indexing="ij"), -1)[..., ::-1]
        distance, index = tree.query(
            nodes.reshape(-1, 3), k=config.neighbours + 1, distance_upper_bound=config.reach[1]
        )
        return _mean_move(distance, index, moves, config).reshape(nodes.shape).astype(np.float32)

    return means


def _compiled_means(points: np.ndarray, moves: np.ndarray, config: BendConfig) -> Means:
    from mien.morphable.kernels.nearest import BLOCK, mean_moves

    near, far = (np.float32(x) for x in config.reach)
    points, moves = np.ascontiguousarray(points), np.ascontiguousarray(moves)

    def means(low: np.ndarray, cell: float, counts: np.ndarray) -> np.ndarray:
        out = np.empty((*counts[::-1], 3), np.float32)

        def layers(first: int) -> None:
            mean_moves(points, moves, low, float(cell), first, config.neighbours + 1, near, far, out)

        in_pieces(layers, range(0, len(out), BLOCK))
        return out

    return means


def _mean_move(distance: np.ndarray, index: np.ndarray, moves: np.ndarray, config: BendConfig) -> np.ndarray:
    """Modified Shepard interpolation: weights ((R - d) / (R d))^2, R the distance of the last neighbour."""
    found = np.isfinite(distance)
    last = np.where(found, distance, 0).max(1, keepdims=True) * (1 + 1e-6) + 1e-9
    d = np.where(found, np.maximum(distance, 1e-6), last)
    weight = ((last - d) / (last * d)) ** 2
    total = weight.sum(1, keepdims=True)
    padded = np.concatenate([moves, np.zeros((1, 3), moves.dtype)])
    mean = (weight[..., None] * padded[index]).sum(1) / np.maximum(total, 1e-12)
    near, far = config.reach
    t = np.clip((far - distance[:, :1]) / (far - near), 0, 1)
    return np.where(found[:, :1], mean * t * t * (3 - 2 * t), 0.0)


ENGINES: Final[dict[EngineName, Callable[[np.ndarray, np.ndarray, BendConfig], Means]]] = {
    "tree": _tree_means,
    "compiled": _compiled_means,
}
