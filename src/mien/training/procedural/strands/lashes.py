"""Eyelashes along the rims of the lids."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from scipy.spatial import cKDTree

from mien.morphable.model import MorphableModel
from mien.training.procedural.factors import Sex
from mien.training.procedural.strands.base import StrandKind, Strands, join
from mien.training.procedural.strands.melanin import hair_albedo
from mien.training.procedural.strands.skull import face_pool

UPPER: Final = ((133, 173, 157, 158, 159, 160, 161, 246, 33), (362, 398, 384, 385, 386, 387, 388, 466, 263))
LOWER: Final = ((133, 155, 154, 153, 145, 144, 163, 7, 33), (362, 382, 381, 380, 374, 373, 390, 249, 263))
"""Rims from the inner corner to the outer one: right and left eye."""
POINTS: Final = 6


@dataclass(frozen=True)
class LashLook:
    """Eyelashes."""

    length: float
    """Of the longest upper ones, EG3D units."""
    density: float
    """0 to 1."""
    curl: float
    """0 straight to 1 curled up."""
    mascara: float
    """0 to 1: darker, thicker, in tufts."""
    eumelanin: float

    def labels(self) -> dict[str, float | str]:
        """Exact factors by name."""
        return {f"lashes.{k}": v for k, v in vars(self).items()}


def draw_lashes(*, sex: Sex, age: float, eumelanin: float, rng: np.random.Generator) -> LashLook:
    """Lashes of a person whose hair has this eumelanin; they are darker than hair."""
    female = sex == "female"
    painted = female and age > 14 and rng.uniform() < 0.55
    return LashLook(
        length=float(rng.uniform(0.011, 0.016) + (0.003 if painted else 0.0)),
        density=float(np.clip(rng.normal(0.6, 0.2) - 0.004 * max(age - 40, 0), 0.15, 1)),
        curl=float(rng.beta(2, 2) * (1.0 if female else 0.7)),
        mascara=float(rng.uniform(0.3, 1)) if painted else 0.0,
        eumelanin=max(2.0 * eumelanin, 0.25),
    )


def grow_lashes(
    model: MorphableModel, vertices_neutral: np.ndarray, look: LashLook, rng: np.random.Generator
) -> Strands:
    """Lashes of both eyes and lids on a person's neutral head [V, 3]."""
    marks = model.landmarks(torch.from_numpy(np.asarray(vertices_neutral, np.float32))).numpy()
    template = model.landmarks(model.mean).numpy()
    parts = []
    for side in range(2):
        centre = marks[list(UPPER[side] + LOWER[side])].mean(0)
        for upper, rims in ((True, UPPER), (False, LOWER)):
            index = list(rims[side])
            parts.append(_row(model, marks[index], template[index], centre, look, rng, upper=upper))
    return join(parts)


def _row(
    model: MorphableModel,
    rim: np.ndarray,
    rim_template: np.ndarray,
    centre: np.ndarray,
    look: LashLook,
    rng: np.random.Generator,
    *,
    upper: bool,
) -> Strands:
    n = int((60 + 80 * look.density) * (1.0 if upper else 0.5))
    t = np.sort(np.clip(rng.uniform(0.07, 0.985, n) + rng.normal(0, 0.004, n), 0.05, 0.99))
    tuft = np.round(t * 22) / 22
    root, at_template = _on(rim, t), _on(rim_template, t)
    pool = face_pool(model)
    roots = pool.roots.of(cKDTree(pool.xyz).query(at_template)[1])
    fan = (root - centre) * [1.0, 0.0, 0.0]
    fan = fan / np.abs(rim[:, 0] - centre[0]).max()
    shift = (tuft - t)[:, None] * look.mascara * 0.9 * (rim[-1] - rim[0]) * 0.3
    up = 1.0 if upper else -1.0
    long = look.length * (1.0 if upper else 0.5) * np.interp(t, [0, 0.3, 0.75, 1], [0.45, 0.85, 1.0, 0.75])
    long = long * rng.uniform(0.75, 1.1, n)
    forward = np.array([0, -0.25 * up, 1.0]) + fan * [0.75, 0, 0] + rng.normal(0, 0.10, (n, 3))
    rise = np.array([0, 1.0 * up, 0.15]) * (0.65 + 0.75 * look.curl)
    s = np.linspace(0, 1, POINTS)[None, :, None]
    reach = long[:, None, None]
    points = (
        root[:, None]
        + reach * (forward[:, None] * (s - 0.35 * s**2) + rise * 0.75 * s**1.8)
        + shift[:, None] * s
    )
    width = (0.00042 + 0.00030 * look.mascara) * rng.uniform(0.85, 1.2, n) * (1.0 if upper else 0.75)
    dark = look.eumelanin + 3 * look.mascara
    albedo = hair_albedo(np.full(n, dark), np.zeros(n)) * np.float32(0.8)
    kind = np.full(n, StrandKind.LASH, np.uint8)
    return Strands(
        np.ascontiguousarray(points, dtype=np.float32), width.astype(np.float32), albedo, kind, roots
    )


def _on(line: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points [N, 3] at shares t [N] of a line's length."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    return np.stack([np.interp(t * length[-1], length, line[:, c]) for c in range(3)], 1)
