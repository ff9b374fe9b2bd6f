"""Heads of people of a sex, an age and a weight among the head model's components."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from jaxtyping import Float32

from mien.core.assets import asset_path
from mien.core.checkpoint import read_safetensors

Sex = Literal["female", "male"]
SEXES: Final[tuple[Sex, ...]] = ("male", "female")
INDIVIDUAL: Final = 0.85
"""Share of the spread left open by sex, age, weight and ancestry that is drawn."""
MOST: Final = 2.2
"""Greatest coefficient of what is a person's own."""
ANCESTRY_SPREAD: Final = 0.8
ANCESTRY_PULL: Final = 1.4


@dataclass(frozen=True, eq=False)
class HeadFactors:
    """Where people of a kind lie among the head model's K components."""

    mean: Float32[np.ndarray, "sex age component"]
    """Mean head of each of `SEXES` at each of the ages."""
    age_years: Float32[np.ndarray, " age"]
    along: Float32[np.ndarray, "4 component"]
    """From least to most weight, and of African, Asian and European form."""
    spread: Float32[np.ndarray, " component"]
    """Standard deviation among people alike in all that."""


@lru_cache(maxsize=1)
def load_head_factors() -> HeadFactors:
    """The bundled factors, see `scripts/build_head_factors.py`."""
    t = read_safetensors(asset_path("head_factors.safetensors"), kind="head_factors").tensors
    return HeadFactors(*(t[n].numpy() for n in ("mean", "age_years", "along", "spread")))


def mean_identity(sex: Sex, age_years: float) -> Float32[np.ndarray, " component"]:
    """Coefficients of the mean head of a sex and an age."""
    factors = load_head_factors()
    rows = factors.mean[SEXES.index(sex)]
    at = float(np.interp(age_years, factors.age_years, np.arange(len(rows))))
    k = min(int(at), len(rows) - 2)
    return np.asarray(rows[k] * (1 - at + k) + rows[k + 1] * (at - k))


def ancestry_of(melanin: float, noise: np.ndarray) -> Float32[np.ndarray, "3"]:
    """Pull towards African, Asian and European form, loosely tied to the skin; `noise` [3] is normal."""
    lean = np.array([melanin - 0.55, 0.25 - abs(melanin - 0.35), 0.45 - melanin])
    score = np.exp(4 * lean + ANCESTRY_SPREAD * noise)
    return np.asarray(score / score.sum(), dtype=np.float32)


def identity_of(
    sex: Sex, age_years: float, *, weight: float, ancestry: np.ndarray, noise: np.ndarray
) -> Float32[np.ndarray, " component"]:
    """Coefficients of a head; `weight` 0 thin to 1 heavy, `ancestry` [3] of sum 1, `noise` [K] (standard
    normal) for what is the person's own."""
    factors = load_head_factors()
    pull = np.concatenate([[weight - 0.5], (ancestry - 1 / 3) * ANCESTRY_PULL])
    own = np.clip(INDIVIDUAL * noise * factors.spread, -MOST, MOST)
    return np.asarray(mean_identity(sex, age_years) + pull @ factors.along + own, dtype=np.float32)
