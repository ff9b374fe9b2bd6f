"""Where single teeth are on the two rows of teeth, which the mesh has as plain bands."""

from functools import lru_cache
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.morphable.model import MorphableModel

MM: Final = 0.0019
"""A millimetre in EG3D units."""
ROWS: Final = ("teeth_upper", "teeth_lower")
WIDTHS_MM: Final = {
    "teeth_upper": (8.6, 6.7, 7.7, 7.0, 6.8, 10.2, 9.8),
    "teeth_lower": (5.3, 5.9, 6.8, 7.0, 7.1, 11.0, 10.5),
}
"""Widths of teeth from the middle outwards (Wheeler's Dental Anatomy), millimetres."""
GAP_MM: Final = 0.8
"""From a tooth's side inwards: over that it darkens."""
GAP_DEPTH: Final = 0.3
"""Share of light that is lost between two teeth."""
FAR_MM: Final = 24.0
"""Along the row, from the middle: there half of the light is lost."""


@lru_cache(maxsize=4)
def arch_mm(model: MorphableModel, part: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Island x in [-1, 1] against arc length from the middle (mm) along the front of a row of teeth, and the
    height of the island in mm."""
    v = model.mean[model.part_vertices(part)].numpy()
    low = v[:, 2].min()
    unit = _around(v)
    bins = np.linspace(-1, 1, 17)
    outer = []
    for x in bins:
        near = np.argsort(np.abs(unit - x))[:6]
        outer.append(near[np.argmax(np.hypot(v[near, 0], v[near, 2] - low))])
    path = v[outer][:, [0, 2]] / MM
    step = np.linalg.norm(np.diff(path, axis=0), axis=1)
    length = np.concatenate([[0], np.cumsum(step)])
    length -= np.interp(0, bins, length)
    return bins, length, float((v[:, 1].max() - v[:, 1].min()) / MM)


@lru_cache(maxsize=4)
def along_row_mm(model: MorphableModel, part: str) -> Float[Tensor, " vertex"]:
    """Arc length from the middle along a row of teeth, to the head's left, of all vertices; 0 for those that
    are not of the row."""
    own = model.part_vertices(part)
    bins, length, _ = arch_mm(model, part)
    result = torch.zeros(len(model.mean))
    unit = _around(model.mean[own].numpy())
    result[own] = torch.from_numpy(np.interp(unit, bins, length)).float()
    return result


def tooth_light(along_mm: Float[Tensor, " n"], part: str) -> Float[Tensor, " n"]:
    """Share of light on a row of even teeth: less between two of them and towards the cheeks."""
    edges = torch.tensor([0.0, *WIDTHS_MM[part]]).cumsum(0)
    side = along_mm.abs()
    tooth = (torch.searchsorted(edges, side, right=True) - 1).clamp(0, len(edges) - 2)
    inwards = torch.minimum(side - edges[tooth], edges[tooth + 1] - side).clamp(min=0)
    between = (1 - inwards / GAP_MM).clamp(0, 1)
    return (1 - GAP_DEPTH * between) / (1 + (side / FAR_MM) ** 4)


def _around(v: np.ndarray) -> np.ndarray:
    """Azimuth of a row's vertices [N, 3] about an axis at its back, as island x in [-1, 1]."""
    angle = np.arctan2(v[:, 0], v[:, 2] - v[:, 2].min() + 0.01)
    return np.asarray(2 * (angle - angle.min()) / (angle.max() - angle.min()) - 1)
