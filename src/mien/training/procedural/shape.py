"""Drawing the form of a head for a sex and an age."""

import numpy as np

from mien.morphable.people import Sex, ancestry_of, identity_of, load_head_factors
from mien.training.procedural.factors import Shape


def draw_shape(sex: Sex, age_years: float, melanin: float, rng: np.random.Generator) -> Shape:
    """A random head of a sex, an age and (loosely tied, as in people) a skin."""
    weight = float(np.clip(rng.beta(2.2, 2.6), 0, 1))
    ancestry = ancestry_of(melanin, rng.normal(size=3))
    noise = rng.normal(size=len(load_head_factors().spread))
    identity = identity_of(sex, age_years, weight=weight, ancestry=ancestry, noise=noise)
    return Shape(identity, weight, ancestry)
