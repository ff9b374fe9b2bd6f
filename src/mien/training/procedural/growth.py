"""All strands of a person."""

import numpy as np

from mien.morphable.model import MorphableModel
from mien.training.procedural.person import Person
from mien.training.procedural.strands.base import Strands, join
from mien.training.procedural.strands.beard import grow_beard
from mien.training.procedural.strands.brows import grow_brows
from mien.training.procedural.strands.hair import grow
from mien.training.procedural.strands.lashes import grow_lashes


def grow_strands(model: MorphableModel, person: Person, vertices_neutral: np.ndarray) -> Strands:
    """Hair of a person on the neutral head [V, 3]; always the same for the same person."""
    rng = np.random.default_rng([person.seed, 1])
    v = vertices_neutral
    return join(
        [
            grow(model, v, person.hair, rng),
            grow_beard(model, v, person.beard, rng),
            grow_brows(model, v, person.brows, rng),
            grow_lashes(model, v, person.lashes, rng),
        ]
    )
