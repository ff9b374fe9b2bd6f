"""Hair grown once for all tests here. Not to be changed."""

import numpy as np
import pytest

from mien.morphable.model import MorphableModel
from mien.training.procedural.strands.base import Strands
from mien.training.procedural.strands.hair import grow
from mien.training.procedural.strands.looks import look_of


@pytest.fixture(scope="session")
def neutral(model: MorphableModel) -> np.ndarray:
    identity = np.random.default_rng(3).normal(0, 0.8, model.component_count).astype(np.float32)
    return (model.mean.numpy() + np.tensordot(identity, model.identity.numpy(), 1)).astype(np.float32)


@pytest.fixture(scope="session")
def long_hair(model: MorphableModel, neutral: np.ndarray) -> Strands:
    rng = np.random.default_rng(4)
    return grow(model, neutral, look_of("long_straight", rng), rng)
