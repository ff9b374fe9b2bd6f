"""All strands of a person."""

import numpy as np

from mien.morphable.model import MorphableModel
from mien.training.procedural.person import Person
from mien.training.procedural.strands.base import Strands, join
from mien.training.procedural.strands.hair import grow


def grow_strands(model: MorphableModel, person: Person, vertices_neutral: np.ndarray) -> Strands:
    """Hair of a person on the neutral head [V, 3]; always the same for the same person."""
    rng = np.random.default_rng([person.seed, 1])
    return join([grow(model, vertices_neutral, person.hair, rng)])
