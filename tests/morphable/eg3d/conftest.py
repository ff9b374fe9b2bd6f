"""The astronaut's alignment, made once."""

from collections.abc import Callable

import numpy as np
import pytest
import skimage.data

from mien.morphable.eg3d.alignment import Eg3dAlignment
from mien.morphable.eg3d.estimate import Aligner
from mien.morphable.model import MorphableModel


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A frontal portrait, 512 x 512, public domain."""
    return np.ascontiguousarray(skimage.data.astronaut())


@pytest.fixture(scope="session")
def align(model: MorphableModel) -> Callable[[np.ndarray], Eg3dAlignment]:
    def aligned(rgb: np.ndarray) -> Eg3dAlignment:
        with Aligner(model) as aligner:
            return aligner.align(rgb)

    return aligned


@pytest.fixture(scope="session")
def alignment(astronaut: np.ndarray, align: Callable[[np.ndarray], Eg3dAlignment]) -> Eg3dAlignment:
    return align(astronaut)
