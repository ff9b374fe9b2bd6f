"""Strands: thin curves that start on the skin of a head."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from mien.morphable.raster import vertex_normals


class StrandKind(IntEnum):
    """What a strand is."""

    HAIR = 0
    BEARD = 1
    BROW = 2
    LASH = 3


@dataclass(frozen=True, eq=False)
class Roots:
    """Points of the head model's surface."""

    face: np.ndarray
    """int32 [S], triangle."""
    barycentric: np.ndarray
    """float32 [S, 3]."""

    def of(self, which: np.ndarray) -> "Roots":
        """Of some strands."""
        return Roots(self.face[which], self.barycentric[which])

    def interpolate(self, values: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Values of the vertices [V, C] at the roots, float32 [S, C]; faces are the model's [F, 3]."""
        return np.einsum("sc,scd->sd", self.barycentric, values[faces[self.face]]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Strands:
    """S strands of P points each, root first, in the head frame of a person's head, EG3D units."""

    points: np.ndarray
    """float32 [S, P, 3]."""
    width: np.ndarray
    """float32 [S], full width near the root; towards the tip they get thinner."""
    albedo: np.ndarray
    """float32 [S, 3], linear colour of a dense tuft of such strands."""
    kind: np.ndarray
    """uint8 [S], a `StrandKind`."""
    roots: Roots

    def __len__(self) -> int:
        return len(self.points)

    @property
    def points_per_strand(self) -> int:
        """P."""
        return self.points.shape[1]

    def of(self, which: np.ndarray) -> "Strands":
        """Some strands (indices or a mask)."""
        rest = (self.width[which], self.albedo[which], self.kind[which], self.roots.of(which))
        return Strands(self.points[which], *rest)

    def resampled(self, count: int) -> "Strands":
        """The same curves with another number of points each (linear between the old ones)."""
        if count == self.points_per_strand:
            return self
        at = np.linspace(0, self.points_per_strand - 1, count)
        low = np.minimum(at.astype(int), self.points_per_strand - 2)
        share = (at - low).astype(np.float32)[None, :, None]
        points = self.points[:, low] * (1 - share) + self.points[:, low + 1] * share
        return Strands(points, self.width, self.albedo, self.kind, self.roots)

    def moved(self, vertices_neutral: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> "Strands":
        """Carry what sits on moving skin (beard, brows, lashes) from the neutral head to an expression.

        Each strand moves as a rigid body: with its root, and turned like the skin's normal there.
        vertices [V, 3] of both heads; faces [F, 3] of the model. Hair of the scalp stays.
        """
        bound = np.flatnonzero(self.kind != StrandKind.HAIR)
        roots = self.roots.of(bound)
        old, new = (roots.interpolate(v, faces) for v in (vertices_neutral, vertices))
        before, after = (
            _unit(roots.interpolate(vertex_normals(v, faces), faces)) for v in (vertices_neutral, vertices)
        )
        local = self.points[bound] - old[:, None]
        points = self.points.copy()
        points[bound] = _turned(local, before, after) + new[:, None]
        return Strands(points, self.width, self.albedo, self.kind, self.roots)


def join(parts: Sequence[Strands]) -> Strands:
    """All strands in one, with as many points each as the longest part has.

    Raises ValueError if there is no part.
    """
    if not parts:
        raise ValueError("join got no strands; give it at least one part (it may hold zero strands).")
    most = max(p.points_per_strand for p in parts)
    even = [p.resampled(most) for p in parts]
    return Strands(
        np.concatenate([p.points for p in even]),
        np.concatenate([p.width for p in even]),
        np.concatenate([p.albedo for p in even]),
        np.concatenate([p.kind for p in even]),
        Roots(
            np.concatenate([p.roots.face for p in even]), np.concatenate([p.roots.barycentric for p in even])
        ),
    )


def no_strands(points_per_strand: int = 2) -> Strands:
    """Nothing."""
    roots = Roots(np.zeros(0, np.int32), np.zeros((0, 3), np.float32))
    empty = np.zeros((0, points_per_strand, 3), np.float32)
    return Strands(empty, np.zeros(0, np.float32), np.zeros((0, 3), np.float32), np.zeros(0, np.uint8), roots)


def _unit(v: np.ndarray) -> np.ndarray:
    return np.asarray(v / (np.linalg.norm(v, axis=-1, keepdims=True) + 1e-9))


def _turned(local: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Vectors [S, P, 3] under the smallest rotations that take unit vectors `before` to `after` [S, 3].

    With c = before x after, R v = v + c x v + c x (c x v) / (1 + before . after).
    """
    axis = np.cross(before, after)[:, None]
    scale = 1 / np.maximum(1 + (before * after).sum(-1), 1e-3)
    once = np.cross(axis, local)
    return np.asarray(local + once + np.cross(axis, once) * scale[:, None, None], dtype=np.float32)
