"""Measures of a face's shape, from landmarks: how wide and open the mouth is, how high brows stand.

A tracker's coefficients tell which expression a face shows, but little of how far it goes: people smile, open
their mouths and raise their brows further than what it says makes a head model do, or less far. Its landmarks
tell more. All measures are differences of coordinates in the head frame, in distances of the eyes' outer
corners, so that they are linear in the head model's vertices.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray

from mien.core.arkit import ARKIT_NAMES
from mien.morphable.model import load_head_model
from mien.tracking.faces import FaceObservation

Array = NDArray[np.float64]

EYE_CORNERS: Final = (33, 263)
NOSE_BASE: Final = 2
X, Y = 0, 1


@dataclass(frozen=True)
class Measure:
    """Mean coordinate of some landmarks less that of others."""

    name: str
    axis: int
    """0: to the image's right, 1: up, in the head frame."""
    of: tuple[int, ...]
    """Landmarks of MediaPipe's mesh."""
    less: tuple[int, ...]
    seen: float
    """Share of a change that the tracker's landmarks show, measured on renders of known meshes: four
    animations (216 to 472 frames each), slopes over time."""


MEASURES: Final = (
    Measure("width", X, (291,), (61,), 0.95),
    Measure("open", Y, (13,), (14,), 0.8),
    Measure("upper lip", Y, (13,), (NOSE_BASE,), 0.75),
    Measure("lower lip", Y, (14,), (NOSE_BASE,), 0.87),
    Measure("chin", Y, (152,), (NOSE_BASE,), 0.8),
    Measure("right corner", Y, (61,), (NOSE_BASE,), 0.87),
    Measure("left corner", Y, (291,), (NOSE_BASE,), 0.87),
    Measure("right brow, inside", Y, (66, 107, 65, 55), (33, 133), 0.7),
    Measure("right brow, outside", Y, (70, 63, 46, 53), (33, 133), 0.65),
    Measure("left brow, inside", Y, (296, 336, 295, 285), (263, 362), 0.7),
    Measure("left brow, outside", Y, (300, 293, 276, 283), (263, 362), 0.65),
    Measure("right lids", Y, (159, 158, 160), (145, 153, 144), 0.8),
    Measure("left lids", Y, (386, 385, 387), (374, 380, 373), 0.8),
)
MEASURE_INDEX: Final = {measure.name: k for k, measure in enumerate(MEASURES)}
LEVELLED: Final = np.array([m.name.endswith(("side", "lids")) for m in MEASURES])
"""[M] measures of brows and lids: how high they are at rest is a person's own, and no frame tells."""
SEEN: Final = np.array([measure.seen for measure in MEASURES])
"""[M]"""


def measures_of(landmarks: NDArray[np.floating]) -> Array:
    """Measures [..., M] of landmarks [..., 478, 3] in the head frame, in any unit of length."""
    points = np.asarray(landmarks, np.float64)
    one, other = (points[..., k, :] for k in EYE_CORNERS)
    columns = [
        points[..., list(m.of), m.axis].mean(-1) - points[..., list(m.less), m.axis].mean(-1)
        for m in MEASURES
    ]
    return np.asarray(np.stack(columns, -1) / np.linalg.norm(other - one, axis=-1)[..., None])


def observed_measures(face: FaceObservation) -> NDArray[np.float32]:
    """Measures [M] of a tracked face, turned to the front by its pose."""
    x, y = face.landmarks_px.T
    points = np.stack([x, -y, -face.landmarks_depth], -1).astype(np.float64)
    return measures_of(points @ face.R_camera_head.astype(np.float64)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class ModelMeasures:
    """What the average head of the head model measures."""

    rest: Float[np.ndarray, " measure"]
    rates: Float[np.ndarray, "measure 52"]
    """Change per unit of each coefficient, in the order of `ARKIT_NAMES`."""

    def changes(self, coefficients: NDArray[np.floating]) -> Array:
        """Measures less those at rest, [T, M] of coefficients [T, 52]; equal rows give equal bits."""
        total = np.zeros((len(coefficients), len(self.rest)))
        for k in np.flatnonzero(self.rates.any(0)):
            total += np.asarray(coefficients[:, k], np.float64)[:, None] * self.rates[:, k]
        return total


@lru_cache(maxsize=1)
def model_measures() -> ModelMeasures:
    """Of the bundled head model."""
    model = load_head_model()
    rest = measures_of(model.landmarks(model.mean).numpy())
    single = torch.eye(len(ARKIT_NAMES))
    moved = model.landmarks(model.mean + torch.tensordot(single, model.expression, 1))
    return ModelMeasures(rest, (measures_of(moved.numpy()) - rest).T)
