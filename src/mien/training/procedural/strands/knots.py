"""Buns and pony tails: what is tied at the back of the head."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from mien.morphable.model import MorphableModel
from mien.training.procedural.strands import growth_kernels as kernels
from mien.training.procedural.strands.base import StrandKind, Strands
from mien.training.procedural.strands.looks import HairLook
from mien.training.procedural.strands.plan import Plan
from mien.training.procedural.strands.skull import DistanceField, scalp_pool

BUN_STRANDS = 3600
TAIL_STRANDS = 6000


@lru_cache(maxsize=8)
def _back(model: MorphableModel, height_mm: int) -> np.ndarray:
    pool = scalp_pool(model)
    target = np.array([0, height_mm * 0.0019, -0.40])
    k = np.argmin(((pool.xyz - target) ** 2).sum(1))
    return np.asarray(pool.xyz[k] + 0.010 * pool.normals[k]) * [0, 1, 1]


def knot_point(model: MorphableModel, look: HairLook) -> np.ndarray:
    """Where hair is tied, float32 [3], template head: high or low on the back of the head by the look."""
    return _back(model, round(-20 + 150 * look.swept)).astype(np.float32)


def knot_strands(
    plan: Plan, look: HairLook, scalp: Strands, field: DistanceField, rng: np.random.Generator
) -> Strands:
    """Strands of the bun or tail; each borrows root and colour of a strand of the scalp."""
    knot = plan.extra["knot"]
    count = BUN_STRANDS if look.family == "bun" else TAIL_STRANDS
    which = rng.integers(0, len(scalp), count)
    away = knot - np.array([0, 0.06, -0.07], np.float32)
    away /= np.linalg.norm(away)
    grid = (field.values, field.low, field.inverse_spacing)
    if look.family == "bun":
        points = _coiled(knot, away, look, count, rng)
        kernels.keep_out(points, np.float32(0.002), *grid)
    else:
        points = _tail(knot, away, look, count, grid, rng)
    kind = np.full(count, StrandKind.HAIR, np.uint8)
    return replace(scalp.of(which), points=points, kind=kind)


def _coiled(
    knot: np.ndarray, away: np.ndarray, look: HairLook, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Turns around a ring [S, 24, 3] that lies on the head."""
    right = np.cross([0, 1.0, 0], away)
    right /= np.linalg.norm(right)
    up = np.cross(away, right)
    size = 0.044 + 0.026 * look.volume
    around = rng.uniform(0, 2 * np.pi, count)[:, None] + np.linspace(0, rng.uniform(2.5, 4.5), 24)
    lock = rng.integers(0, 60, count)
    minor = (lock * 2.399)[:, None] + np.linspace(0, 1.6, 24) + rng.normal(0, 0.16, (count, 1))
    thick = 0.5 * size * np.sqrt(rng.uniform(0.35, 1, count))[:, None]
    thick = thick * (1 + 0.12 * np.sin(5 * around + lock[:, None]))
    ring = 0.56 * size + thick * np.cos(minor)
    out = (knot + 0.6 * size * away) + (
        ring[..., None] * (np.cos(around)[..., None] * right + np.sin(around)[..., None] * up)
        + (thick * np.sin(minor))[..., None] * away
    )
    return np.ascontiguousarray(out, dtype=np.float32)


def _tail(
    knot: np.ndarray,
    away: np.ndarray,
    look: HairLook,
    count: int,
    grid: tuple[np.ndarray, np.ndarray, np.float32],
    rng: np.random.Generator,
) -> np.ndarray:
    """A tail [S, 26, 3] that leaves the knot backwards and falls."""
    spread = rng.standard_normal((count, 3)) * 0.007
    root = (knot + 0.008 * away + spread).astype(np.float32)
    full = np.ones(count, np.float32)
    comb = (0.8 * away + [0, 0.25, 0] + 12 * spread + rng.normal(0, 0.05, (count, 3))).astype(np.float32)
    length = (look.length * rng.uniform(0.75, 1.05, count)).astype(np.float32)
    layer = rng.uniform(0.004, 0.03, count).astype(np.float32)
    normal = np.ascontiguousarray(np.broadcast_to(away, (count, 3)), dtype=np.float32)
    out = np.empty((count, 26, 3), np.float32)
    kernels.grow(
        root, normal, comb, 0.06 * full, 0.4 * full, 0.6 * full, 0.75 * full, layer, length,
        np.zeros((count, 3), np.float32), 0 * full, 0 * full, 0 * full, *grid, out,
    )  # fmt: skip
    lead = rng.integers(0, count, count // 150)[rng.integers(0, count // 150, count)]
    gathered = np.empty_like(out)
    kernels.clump(out, lead.astype(np.int64), 0.6 * full, np.float32(1.0), gathered)
    turns = (length / 0.13).astype(np.float32)
    phase = (6.28 * ((lead * 0.618) % 1) + rng.normal(0, 0.3, count)).astype(np.float32)
    size = ((0.002 + 0.014 * look.curl) * full).astype(np.float32)
    kernels.wave(gathered, size, turns, phase, np.float32(0.7), np.float32(0.3), out)
    kernels.keep_out(out, np.float32(0.002), *grid)
    return out
