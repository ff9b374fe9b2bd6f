"""One person, painted and posed once for all tests here. Not to be changed."""

import numpy as np
import pytest

from mien.morphable.model import MorphableModel
from mien.training.procedural.person import Person, draw_person
from mien.training.procedural.render.scene import Scene, Sitter, make_sitter, pose


@pytest.fixture(scope="session")
def person(model: MorphableModel) -> Person:
    return draw_person(model, np.random.default_rng(5))


@pytest.fixture(scope="session")
def sitter(model: MorphableModel, person: Person) -> Sitter:
    return make_sitter(model, person)


@pytest.fixture(scope="session")
def scene(sitter: Sitter) -> Scene:
    return pose(sitter, np.zeros(52, np.float32))
