"""Beards: where they grow on the face, how they lie, and their kinds."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
import torch
from scipy.spatial import cKDTree

from mien.morphable.beardshape import AREA
from mien.morphable.model import MorphableModel
from mien.morphable.regions import inside_polygon, landmark_uv
from mien.training.procedural.factors import Sex
from mien.training.procedural.strands import growth_kernels as kernels
from mien.training.procedural.strands.base import StrandKind, Strands, no_strands
from mien.training.procedural.strands.hair import carried, greying
from mien.training.procedural.strands.looks import HairLook
from mien.training.procedural.strands.skull import Pool, distance_field, face_pool

BeardFamily = Literal["none", "stubble", "moustache", "goatee", "short_full", "long_full"]
FAMILIES: Final[tuple[BeardFamily, ...]] = (
    "none", "stubble", "moustache", "goatee", "short_full", "long_full",
)  # fmt: skip
ODDS: Final = (0.40, 0.24, 0.06, 0.09, 0.15, 0.06)
LENGTHS: Final[dict[BeardFamily, tuple[float, float]]] = {
    "none": (0, 0), "stubble": (0.002, 0.007), "moustache": (0.014, 0.03), "goatee": (0.014, 0.05),
    "short_full": (0.012, 0.035), "long_full": (0.06, 0.16),
}  # fmt: skip
COUNTS: Final[dict[BeardFamily, int]] = {
    "none": 0, "stubble": 6500, "moustache": 1500, "goatee": 2600, "short_full": 8500, "long_full": 8000,
}  # fmt: skip
MOUTH: Final = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
CHIN_Y: Final = -0.185


@dataclass(frozen=True)
class BeardLook:
    """A beard; 0 to 1 unless said otherwise."""

    family: BeardFamily
    length: float
    """EG3D units."""
    density: float
    cheeks: float
    """How high it grows on the cheeks."""
    curl: float
    eumelanin: float
    pheomelanin: float
    greyness: float

    def labels(self) -> dict[str, float | str]:
        """Exact factors by name."""
        return {f"beard.{k}": v for k, v in vars(self).items()}


def draw_beard(*, sex: Sex, age: float, hair: HairLook, rng: np.random.Generator) -> BeardLook:
    """A beard that goes with the hair: a little redder, grey earlier. Women and children have none."""
    odds = np.array(ODDS)
    if age < 17 or sex == "female":
        odds[1:] = 0
    elif age < 22:
        odds[4:] *= 0.3
    family = FAMILIES[rng.choice(len(FAMILIES), p=odds / odds.sum())]
    return beard_of(family, rng, hair=hair)


def beard_of(family: BeardFamily, rng: np.random.Generator, *, hair: HairLook) -> BeardLook:
    """A beard of one family, what is left open drawn at random."""
    return BeardLook(
        family=family,
        length=float(rng.uniform(*LENGTHS[family])),
        density=float(rng.uniform(0.5, 1)),
        cheeks=float(rng.beta(2, 2)),
        curl=float(np.clip(0.3 * rng.uniform() + 0.7 * hair.curl, 0, 1)),
        eumelanin=max(hair.eumelanin * 0.9, 0.05),
        pheomelanin=hair.pheomelanin + float(rng.uniform(0, 0.12)),
        greyness=float(np.clip(1.25 * hair.greyness, 0, 1)),
    )


@dataclass(frozen=True, eq=False)
class _Places:
    """Soft regions of the face pool, float32 [N] in [0, 1]."""

    all: np.ndarray
    moustache: np.ndarray
    chin: np.ndarray
    cheek_height: np.ndarray
    """0 at the jaw to 1 at the upper edge, where it grows on the cheeks."""


@lru_cache(maxsize=1)
def _places(model: MorphableModel) -> _Places:
    pool = face_pool(model)
    corners = model.canonical_corners[..., :2][torch.from_numpy(pool.roots.face).long()]
    uv = (corners * torch.from_numpy(pool.roots.barycentric)[..., None]).sum(1)
    mean = model.landmarks(model.mean).numpy()
    inside = inside_polygon(uv, landmark_uv(model, AREA)).numpy()
    mouth = inside_polygon(uv, landmark_uv(model, MOUTH)).numpy()
    x, y, z = pool.xyz.T
    below = (y < CHIN_Y + 0.03) & (y > -0.245) & (z > -0.03) & (np.abs(x) < 0.105)
    under = below & (pool.normals[:, 1] < 0.25)
    whole = (inside | under) & ~mouth
    lip, corner, nose = mean[0, 1], mean[61], mean[2]
    lip_zone = (y > corner[1] - 0.01) & (y < nose[1] + 0.004) & (np.abs(x) < abs(corner[0]) + 0.008)
    moustache = whole & lip_zone & (y > lip - 0.02) & (z > 0.08)
    philtrum = 1 - 0.55 * np.exp(-((x / 0.006) ** 2))
    chin = whole & (np.abs(x) < abs(corner[0]) + 0.002) & (y < corner[1] + 0.012) & (z > 0.03)
    soul = np.where((y > -0.15) & (np.abs(x) > 0.014) & (np.abs(x) < 0.04), 0.35, 1.0)
    jaw = np.interp(np.abs(x), [0, 0.05, 0.1, 0.13], [-0.185, -0.175, -0.13, -0.07])
    cheek = np.clip((y - jaw) / 0.10, 0, 1)
    neck = np.clip((y + 0.245) / 0.05, 0, 1)
    return _Places(whole * neck, moustache * philtrum, chin * soul * neck, cheek * (np.abs(x) > 0.055))


def growth(model: MorphableModel, look: BeardLook, rng: np.random.Generator) -> np.ndarray:
    """Relative density float32 [N] of a beard on the points of the face pool."""
    places, pool = _places(model), face_pool(model)
    wild = 0.12 * rng.normal(size=len(pool))
    edge = 0.35 + 0.6 * look.cheeks
    full = places.all * np.clip((edge - places.cheek_height + wild) / 0.22, 0, 1)
    patchy = 1 - 0.5 * (1 - look.density) * (np.sin(pool.xyz @ [70.0, 55, 40]) > 0.2)
    if look.family == "moustache":
        return np.asarray(places.moustache, np.float32)
    if look.family == "goatee":
        return np.asarray(np.maximum(places.moustache, places.chin), np.float32)
    return np.asarray(np.maximum(full * patchy, 0.9 * places.moustache), np.float32)


def grow_beard(
    model: MorphableModel, vertices_neutral: np.ndarray, look: BeardLook, rng: np.random.Generator
) -> Strands:
    """A beard on a person's neutral head [V, 3]."""
    if look.family == "none":
        return no_strands()
    share = growth(model, look, rng)
    pool = face_pool(model)
    wanted = COUNTS[look.family] * (0.45 + 0.55 * look.density)
    which = np.flatnonzero(rng.uniform(size=len(pool)) < share * wanted / max(float(share.sum()), 1.0))
    roots = Pool(pool.roots.of(which), pool.xyz[which], pool.normals[which], pool.azimuth[which],
                 pool.height[which])  # fmt: skip
    points, width = _styled(model, look, roots, _places(model).moustache[which] > 0, rng)
    n = len(points)
    middle = np.exp(-((roots.xyz[:, 0] / 0.06) ** 2))
    grey = np.clip(look.greyness * (0.5 + 1.1 * middle), 0, 1)
    depth = np.exp(rng.normal(0, 0.3, n))
    albedo = greying(look.eumelanin * depth, look.pheomelanin * depth, grey, rng)
    kind = np.full(n, StrandKind.BEARD, np.uint8)
    return carried(model, vertices_neutral, Strands(points, width, albedo, kind, roots.roots))


def _styled(
    model: MorphableModel, look: BeardLook, roots: Pool, lip: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points [S, P, 3] and width [S]; lip [S] marks the moustache, which is combed aside and kept short."""
    n = len(roots)
    comb = np.stack([1.5 * roots.xyz[:, 0], np.full(n, -1.0), np.full(n, 0.1)], 1)
    aside = np.stack([np.sign(roots.xyz[:, 0]) * 0.9, np.full(n, -0.55), np.full(n, 0.15)], 1)
    comb = np.where(lip[:, None], aside, comb) + 0.25 * rng.standard_normal((n, 3))
    length = np.where(lip, np.minimum(look.length, 0.022), look.length) * rng.uniform(0.6, 1.1, n)
    front = np.clip((roots.xyz[:, 2] - 0.0) / 0.09, 0, 1) if look.family == "long_full" else np.ones(n)
    length = (length * (0.3 + 0.7 * front)).astype(np.float32)
    count = 4 if look.family == "stubble" else 8 if look.length < 0.05 else 14
    full = np.ones(n, np.float32)
    out = np.empty((n, count, 3), np.float32)
    lift = np.where(lip, 0.35, 0.75 if look.family != "stubble" else 0.9).astype(np.float32)
    rise = 0.25 * np.minimum(length, 0.06) * rng.uniform(0.2, 1, n) * np.where(lip, 0.5, 1)
    field = distance_field(model)
    grid = (field.values, field.low, field.inverse_spacing)
    kernels.grow(
        roots.xyz, roots.normals, comb.astype(np.float32), 0.1 * full, lift, 0.55 * full, 0.75 * full,
        rise.astype(np.float32), length, np.zeros((n, 3), np.float32), 0 * full, 0 * full, 0.1 * full, *grid,
        out,
    )  # fmt: skip
    if look.length > 0.012:
        lead = _leaders(roots, comb, rng)
        amount = np.full(n, 0.25 + 0.45 * min(look.length / 0.1, 1), np.float32)
        gathered = np.empty_like(out)
        kernels.clump(out, lead, amount, np.float32(0.8), gathered)
        size = ((0.001 + 0.006 * look.curl) * np.minimum(length / 0.05, 1) * full).astype(np.float32)
        phase = (6.28 * ((lead * 0.618) % 1) + rng.normal(0, 0.5, n)).astype(np.float32)
        kernels.wave(gathered, size, (length / 0.045).astype(np.float32), phase, np.float32(0.8),
                     np.float32(0.3), out)  # fmt: skip
        kernels.keep_out(out, np.float32(0.001), *grid)
    return out, ((0.00050 + 0.00015 * (look.length > 0.012)) * rng.uniform(0.75, 1.3, n)).astype(np.float32)


def _leaders(roots: Pool, comb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    lead = rng.choice(len(roots), max(len(roots) // 12, 1), replace=False)
    return np.asarray(lead[cKDTree(roots.xyz[lead]).query(roots.xyz)[1]], dtype=np.int64)
