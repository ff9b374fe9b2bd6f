"""Photos for the tests of tracking: all of them ship with scikit-image."""

import cv2
import numpy as np
import pytest
import skimage.data

from mien.tracking.faces import FaceObservation, find_faces


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A frontal portrait, 512 x 512, public domain."""
    return np.ascontiguousarray(skimage.data.astronaut())


@pytest.fixture(scope="session")
def astronaut_face(astronaut: np.ndarray) -> FaceObservation:
    """Her face."""
    return find_faces(astronaut)[0]


@pytest.fixture(scope="session")
def two_faces(astronaut: np.ndarray) -> np.ndarray:
    """The same person twice: large on the left, at 0.8 of the size on the right."""
    small = cv2.resize(astronaut, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    return np.concatenate([astronaut[:320, :400], small[:320, :300]], axis=1)
