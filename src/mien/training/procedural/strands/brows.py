"""Eyebrows: hairs along MediaPipe's brow lines, upright at the nose, lying sideways outwards."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from mien.morphable.model import MorphableModel
from mien.morphable.raster import vertex_normals
from mien.training.procedural.factors import Sex
from mien.training.procedural.strands.base import Roots, StrandKind, Strands, join
from mien.training.procedural.strands.hair import greying
from mien.training.procedural.strands.skull import face_pool

UPPER: Final = ((107, 66, 105, 63, 70), (336, 296, 334, 293, 300))
LOWER: Final = ((55, 65, 52, 53, 46), (285, 295, 282, 283, 276))
"""From the nose outwards: the right and the left brow."""
POINTS: Final = 6


@dataclass(frozen=True)
class BrowLook:
    """Eyebrows; 0 to 1 unless said otherwise."""

    density: float
    thickness: float
    """Of the brow: plucked thin to bushy."""
    length: float
    """Of hairs, EG3D units."""
    arch: float
    """How far the outer half is lifted."""
    unibrow: float
    neatness: float
    eumelanin: float
    pheomelanin: float
    greyness: float

    def labels(self) -> dict[str, float | str]:
        """Exact factors by name."""
        return {f"brows.{k}": v for k, v in vars(self).items()}


def draw_brows(
    *, sex: Sex, age: float, eumelanin: float, pheomelanin: float, greyness: float, rng: np.random.Generator
) -> BrowLook:
    """Brows of a person whose hair has these melanins; they are a little darker, and grey later."""
    male = sex == "male"
    old = float(np.clip((age - 45) / 35, 0, 1))
    return BrowLook(
        density=float(np.clip(rng.normal(0.72 if male else 0.6, 0.18) - 0.15 * old, 0.15, 1)),
        thickness=float(np.clip(rng.normal(0.62 if male else 0.38, 0.18), 0.05, 1)),
        length=float(rng.uniform(0.010, 0.017) * (1.1 + 0.35 * old if male else 0.9)),
        arch=float(np.clip(rng.normal(0.3 if male else 0.55, 0.2), 0, 1)),
        unibrow=float(rng.beta(1, 9)) if male else float(rng.beta(1, 25)),
        neatness=float(rng.beta(2, 2) if male else rng.beta(3, 1.5)),
        eumelanin=max(eumelanin * 1.5, 0.12) * float(np.exp(rng.normal(0, 0.25))),
        pheomelanin=pheomelanin,
        greyness=0.6 * greyness,
    )


def grow_brows(
    model: MorphableModel, vertices_neutral: np.ndarray, look: BrowLook, rng: np.random.Generator
) -> Strands:
    """Both brows on a person's neutral head [V, 3]."""
    return join([_one_brow(model, vertices_neutral, look, side, rng) for side in range(2)])


def _one_brow(
    model: MorphableModel, vertices: np.ndarray, look: BrowLook, side: int, rng: np.random.Generator
) -> Strands:
    mean = model.landmarks(model.mean).numpy()
    spine = _resampled((mean[list(UPPER[side])] + mean[list(LOWER[side])]) / 2)
    half = _resampled((mean[list(UPPER[side])] - mean[list(LOWER[side])]) / 2)
    pool = face_pool(model)
    along = np.linspace(0, 1, len(spine))
    gap, nearest = cKDTree(spine).query(pool.xyz)
    close = np.flatnonzero(gap < 0.03)
    k = nearest[close]
    t = along[k]
    up = half[k] / (np.linalg.norm(half[k], axis=1, keepdims=True) + 1e-9)
    lift = 0.006 * look.arch * np.exp(-(((t - 0.68) / 0.22) ** 2)) - 0.001
    w = ((pool.xyz[close] - spine[k]) * up).sum(1) - lift
    size = (0.0055 + 0.0065 * look.thickness) * _outline(t)
    inner = -(0.004 + 0.024 * look.unibrow) if look.unibrow > 0.3 else 0.0
    medial = np.abs(pool.xyz[close, 0]) - np.abs(spine[0, 0])
    side_ok = np.sign(pool.xyz[close, 0]) == np.sign(spine[0, 0])
    side_ok = side_ok & (gap[close] < 1.25 * size + 0.004)  # not around the outer end
    soft = np.clip(1.25 - np.abs(w / size) ** 1.5, 0, 1) * side_ok * (medial > inner - 0.003)
    soft = soft * np.clip((t + 0.06) / 0.14, 0.12, 1) * (1 - np.clip((t - 0.9) / 0.1, 0, 0.8))
    wanted = 170 + 330 * look.density
    soft = soft * np.clip(wanted / max(float(soft.sum()), 1.0), 0, 1)
    chosen = np.flatnonzero(rng.uniform(size=len(close)) < soft)
    return _hairs(model, vertices, look, pool.roots.of(close[chosen]), t[chosen], w[chosen] / size[chosen],
                  spine, rng)  # fmt: skip


def _outline(t: np.ndarray) -> np.ndarray:
    """Relative half height of a brow from the nose (0) outwards (1)."""
    return np.interp(t, [0, 0.15, 0.5, 0.75, 1], [0.8, 1, 0.95, 0.7, 0.25])


def _hairs(
    model: MorphableModel,
    vertices: np.ndarray,
    look: BrowLook,
    roots: Roots,
    t: np.ndarray,
    w: np.ndarray,
    spine: np.ndarray,
    rng: np.random.Generator,
) -> Strands:
    """Hairs at roots with places t along and w (-1..1) across the brow."""
    n, faces = len(t), model.faces_np
    root = roots.interpolate(vertices, faces)
    normal = roots.interpolate(vertex_normals(vertices, faces), faces)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    out = np.gradient(spine, axis=0)[np.round(t * (len(spine) - 1)).astype(int)]
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    up = np.cross(normal, out)
    up *= np.sign(up[:, 1:2])
    # upright at the nose, sideways outwards; upper hairs bend down and lower ones up, to meet in a line
    angle = np.interp(t, [0, 0.12, 0.3, 0.6, 1], np.radians([78, 62, 38, 20, 0]))
    angle = (
        angle - np.radians(24) * w * np.clip(t * 4, 0, 1) + rng.normal(0, 0.12 + 0.2 * (1 - look.neatness), n)
    )
    bend = -0.5 * np.clip(0.6 - t, 0, 1) - 0.15 * w
    length = look.length * np.interp(t, [0, 0.1, 0.5, 1], [0.7, 0.95, 1, 0.7]) * rng.uniform(0.6, 1.1, n)
    s = np.linspace(0, 1, POINTS)
    turn = angle[:, None] + bend[:, None] * s
    step = (length / (POINTS - 1))[:, None, None]
    flat = np.cos(turn)[..., None] * out[:, None] + np.sin(turn)[..., None] * up[:, None]
    rise = (0.32 - 0.45 * s)[None, :, None] * normal[:, None]
    points = root[:, None] + np.cumsum(
        np.concatenate([np.zeros((n, 1, 3)), ((flat + rise) * step)[:, :-1]], 1), 1
    )
    depth = np.exp(rng.normal(0, 0.2, n))
    albedo = greying(look.eumelanin * depth, look.pheomelanin * depth, np.full(n, look.greyness), rng)
    width = (0.00042 * rng.uniform(0.8, 1.3, n)).astype(np.float32)
    kind = np.full(n, StrandKind.BROW, np.uint8)
    return Strands(np.ascontiguousarray(points, dtype=np.float32), width, albedo, kind, roots)


def _resampled(line: np.ndarray, count: int = 80) -> np.ndarray:
    """A smooth curve [count, 3] through a few points [K, 3]: their polynomial of degree 3."""
    k = np.linspace(0, 1, len(line))
    fit = np.polynomial.polynomial.polyfit(k, line, 3)
    return np.asarray(np.polynomial.polynomial.polyval(np.linspace(0, 1, count), fit).T)
