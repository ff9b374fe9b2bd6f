"""Drawing the form of a head for a sex and an age."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from mien.core.assets import asset_path
from mien.core.checkpoint import read_safetensors
from mien.training.procedural.factors import Sex, Shape

INDIVIDUAL: Final = 0.85
"""Share of the spread left open by sex, age, weight and ancestry that is drawn."""
SEXES: Final = ("male", "female")


@dataclass(frozen=True, eq=False)
class HeadFactors:
    """Where people of a kind lie among the head model's K components."""

    mean: np.ndarray
    """float32 [2, A, K]: mean head of each of `SEXES` at each of the ages."""
    age_years: np.ndarray
    """float32 [A]."""
    along: np.ndarray
    """float32 [4, K]: from least to most weight, and of African, Asian and European form."""
    spread: np.ndarray
    """float32 [K], standard deviation among people alike in all that."""


@lru_cache(maxsize=1)
def load_head_factors() -> HeadFactors:
    """The bundled factors, see `scripts/build_head_factors.py`."""
    t = read_safetensors(asset_path("head_factors.safetensors"), kind="head_factors").tensors
    return HeadFactors(*(t[n].numpy() for n in ("mean", "age_years", "along", "spread")))


def mean_identity(sex: Sex, age_years: float) -> np.ndarray:
    """Coefficients float32 [K] of the mean head of a sex and an age."""
    factors = load_head_factors()
    rows = factors.mean[SEXES.index(sex)]
    at = float(np.interp(age_years, factors.age_years, np.arange(len(rows))))
    k = min(int(at), len(rows) - 2)
    return np.asarray(rows[k] * (1 - at + k) + rows[k + 1] * (at - k))


def draw_shape(sex: Sex, age_years: float, melanin: float, rng: np.random.Generator) -> Shape:
    """A random head of a sex, an age and (loosely tied, as in people) a skin."""
    factors = load_head_factors()
    weight = float(np.clip(rng.beta(2.2, 2.6), 0, 1))
    lean = np.array([melanin - 0.55, 0.25 - abs(melanin - 0.35), 0.45 - melanin])
    score = np.exp(4 * lean + rng.normal(0, 0.8, 3))
    ancestry = (score / score.sum()).astype(np.float32)
    pull = np.concatenate([[weight - 0.5], (ancestry - 1 / 3) * 1.4])
    own = rng.normal(0, INDIVIDUAL, len(factors.spread)) * factors.spread
    identity = mean_identity(sex, age_years) + pull @ factors.along + np.clip(own, -2.2, 2.2)
    return Shape(identity.astype(np.float32), weight, ancestry)
