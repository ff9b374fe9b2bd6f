"""Growing a person's hair: roots, combing, cutting, locks and waves on the template, then carried over."""

from typing import Final

import numpy as np
import torch
from scipy.spatial import cKDTree

from mien.morphable.carry import make_carrier
from mien.morphable.model import MorphableModel
from mien.training.procedural.strands import growth_kernels as kernels
from mien.training.procedural.strands.base import Roots, StrandKind, Strands, join, no_strands
from mien.training.procedural.strands.fringe import add_fringe
from mien.training.procedural.strands.knots import knot_point, knot_strands
from mien.training.procedural.strands.looks import HairLook
from mien.training.procedural.strands.melanin import hair_albedo
from mien.training.procedural.strands.plan import Plan, plain_plan
from mien.training.procedural.strands.scalp import growth, hairline_distance
from mien.training.procedural.strands.skull import DistanceField, Pool, distance_field, scalp_pool
from mien.training.procedural.strands.styles import STYLES

DENSITY: Final = 0.40
"""Share of the scalp pool's points that bear a strand: about 20 000 on a full head of hair."""
CLIPPED_DENSITY: Final = 0.55
"""Of a buzz cut: its strands are short, and must cover the scalp alone."""
FLYAWAYS: Final = 0.02
GREY_EUMELANIN: Final = 0.012


def grow(
    model: MorphableModel, vertices_neutral: np.ndarray, look: HairLook, rng: np.random.Generator
) -> Strands:
    """Hair of the head on a person's neutral head [V, 3]."""
    if look.family == "bald":
        return no_strands()
    pool = scalp_pool(model)
    share = growth(look, pool, rng)
    dense = look.density * (CLIPPED_DENSITY if look.family == "buzz" else DENSITY)
    roots = _chosen(pool, np.flatnonzero(rng.uniform(size=len(pool)) < share * dense))
    plan = plain_plan(roots, look, rng)
    plan.extra["knot"] = knot_point(model, look)
    STYLES[look.family](plan, look, rng)
    edge = hairline_distance(look, roots.azimuth, roots.height)
    plan.length *= (0.45 + 0.55 * np.clip(edge / 0.012, 0, 1)).astype(np.float32)
    add_fringe(plan, look, roots, edge, rng)
    field = distance_field(model)
    points = grown(plan, field, rng)
    width = (plan.width * rng.uniform(0.7, 1.25, len(points))).astype(np.float32)
    albedo = strand_colours(look, points[:, 0], rng)
    parts = [Strands(points, width, albedo, _hair(len(points)), roots.roots)]
    if look.family in ("bun", "ponytail"):
        parts.append(knot_strands(plan, look, parts[0], field, rng))
    return carried(model, vertices_neutral, join(parts))


def grown(plan: Plan, field: DistanceField, rng: np.random.Generator) -> np.ndarray:
    """Points float32 [S, P, 3] of a plan, template head."""
    n = len(plan.xyz)
    wild = rng.uniform(size=n) < FLYAWAYS
    layer = (plan.layer + wild * rng.uniform(0.002, 0.02, n) * np.clip(plan.length / 0.15, 0, 1)).astype(
        np.float32
    )
    locks = (plan.locks * ~wild).astype(np.float32)
    points = np.empty((n, plan.points, 3), np.float32)
    f32 = [np.ascontiguousarray(a, dtype=np.float32) for a in (
        plan.xyz, plan.normals, plan.comb, plan.reach, plan.lift, plan.gravity, plan.stiff, layer,
        plan.length, plan.tie, plan.pull, plan.open_x, plan.cling)]  # fmt: skip
    grid = (field.values, field.low, field.inverse_spacing)
    kernels.grow(*f32, *grid, points)
    points = _with(kernels.cut, points, plan.cut_y.astype(np.float32))
    fine = leaders(plan, plan.strands_per_lock, rng)
    coarse = leaders(plan, plan.strands_per_lock * 9, rng)
    points = _with(kernels.clump, points, fine, locks, np.float32(0.8))
    if plan.wave.any():
        turns, phase = _waves(points, plan, fine, coarse)
        phase = phase + rng.normal(0, 1.2 * (1 - plan.wave_order) + 0.05, n)
        size = (plan.wave * (1 + 0.8 * wild)).astype(np.float32)
        points = _with(kernels.wave, points, size, turns, phase.astype(np.float32),
                       np.float32(plan.flatness), np.float32(plan.ramp))  # fmt: skip
    points = _with(kernels.clump, points, coarse, (0.35 * locks).astype(np.float32), np.float32(1.6))
    points = _with(kernels.cut, points, plan.cut_y.astype(np.float32))  # locks may have drawn ends down
    kernels.keep_out(points, np.float32(0.0012), *grid)
    return points


def _waves(
    points: np.ndarray, plan: Plan, fine: np.ndarray, coarse: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Turns and phases [S] of waves: those of the lock's leader, and on a lower half that hangs in step with
    its neighbours: crests lie at the same height."""
    length = np.linalg.norm(np.diff(points, axis=1), axis=-1).sum(1)
    turns = length / plan.pitch * (1 + 0.1 * ((coarse * 0.414) % 1 - 0.5))
    k = 2 * points.shape[1] // 3
    level = -points[:, k, 1] / plan.pitch - turns * k / (points.shape[1] - 1)
    offset = 0.35 * (coarse * 0.618) % 1 + (1 - plan.wave_order) * 3 * ((fine * 0.618) % 1)
    phase = 2 * np.pi * (level + offset)
    return turns[fine].astype(np.float32), phase[fine]


def leaders(plan: Plan, per_lock: int, rng: np.random.Generator) -> np.ndarray:
    """For every strand [S] the strand that leads its lock: near it, and combed the same way."""
    n = len(plan.xyz)
    lead = rng.choice(n, max(n // per_lock, 1), replace=False)
    place = np.concatenate([plan.xyz, 0.04 * plan.comb], 1)
    return np.asarray(lead[cKDTree(place[lead]).query(place)[1]], dtype=np.int64)


def carried(model: MorphableModel, vertices_neutral: np.ndarray, strands: Strands) -> Strands:
    """Strands of the template head on a person's head: carried like everything off the surface, and shifted
    near the skin so that roots lie exactly on it."""
    carrier = make_carrier(model, torch.from_numpy(np.asarray(vertices_neutral, np.float32)))
    points = carrier.to_head(torch.from_numpy(strands.points)).numpy()
    template = strands.roots.interpolate(model.mean.numpy(), model.faces_np)
    skin = carrier.to_head(torch.from_numpy(template)).numpy()
    off = strands.roots.interpolate(vertices_neutral, model.faces_np) - skin
    along = np.linalg.norm(strands.points - template[:, None], axis=-1, keepdims=True)
    points = points + off[:, None] * np.exp(-along / 0.08)
    rest = (strands.width, strands.albedo, strands.kind, strands.roots)
    return Strands(np.ascontiguousarray(points, dtype=np.float32), *rest)


def strand_colours(look: HairLook, roots: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Linear albedo float32 [S, 3]; grey strands come first at the temples."""
    n = len(roots)
    patches = 0.12 * np.sin(roots @ rng.normal(0, 70, 3)) + 0.1 * np.sin(roots @ rng.normal(0, 160, 3))
    depth = np.exp(rng.normal(0, 0.22, n) + patches)
    temples = np.clip(0.12 - roots[:, 1], 0, 0.15) * 2.5
    grey = np.clip(look.greyness * (0.8 + temples) + patches * min(look.greyness, 0.5), 0, 1)
    return greying(look.eumelanin * depth, look.pheomelanin * depth, grey, rng)


def greying(
    eumelanin: np.ndarray, pheomelanin: np.ndarray, share: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Linear albedo float32 [S, 3] of wisps of hairs of which a share [S] has lost its melanin."""
    n = len(share)
    spread = 0.22 * np.sqrt(share * (1 - share)) * 2
    mixed = np.clip(share + spread * rng.standard_normal(n), 0, 1)[:, None] * (share > 0)[:, None]
    white = hair_albedo(np.full(n, GREY_EUMELANIN), np.full(n, 0.004))
    return np.asarray(hair_albedo(eumelanin, pheomelanin) * (1 - mixed) + white * mixed, dtype=np.float32)


def _chosen(pool: Pool, which: np.ndarray) -> Pool:
    return Pool(
        Roots(pool.roots.face[which], pool.roots.barycentric[which]),
        pool.xyz[which], pool.normals[which], pool.azimuth[which], pool.height[which],
    )  # fmt: skip


def _hair(count: int) -> np.ndarray:
    return np.full(count, StrandKind.HAIR, np.uint8)


def _with(kernel, points: np.ndarray, *args: object) -> np.ndarray:  # type: ignore[no-untyped-def]
    out = np.empty_like(points)
    kernel(points, *args, out)
    return out
