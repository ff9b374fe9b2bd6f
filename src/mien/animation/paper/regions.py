"""Which triangles are the face in paper mode, and which lie inside the mouth."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Bool

from mien.morphable.landmarks import FACE_OVAL
from mien.morphable.model import MorphableModel
from mien.morphable.regions import inside_polygon, landmark_uv, region_faces

INSIDE_PARTS: Final = ("teeth_upper", "teeth_lower", "tongue", "mouth")
BELOW_CHIN: Final = 0.03
"""How far the face goes on beyond the outline of the landmarks, downwards on the chart: the chin's own
underside, which an open jaw shows and hides."""


@dataclass(frozen=True, eq=False)
class FaceParts:
    """Labels of the triangles."""

    face: Bool[np.ndarray, " face"]
    """Skin inside the outline of the face, and the eyeballs; not scalp, ears, neck."""
    eyes: Bool[np.ndarray, " face"]
    """The eyeballs."""
    inside: Bool[np.ndarray, " face"]
    """Teeth, tongue and throat: what is seen through the mouth's opening."""
    body: Bool[np.ndarray, " face"]
    """Skin of head and chest."""
    plain: Bool[np.ndarray, " face"]
    """That of the face without lips and lids."""


@lru_cache(maxsize=2)
def face_parts(model: MorphableModel) -> FaceParts:
    """The labels on a head model."""
    body = model.part_faces("body")
    eyes = model.part_faces("eye_left", "eye_right")
    inside = model.part_faces(*INSIDE_PARTS)
    uv = model.canonical_corners[..., :2].mean(1)
    outline = landmark_uv(model, FACE_OVAL)
    low, middle = outline[:, 1].min(), outline[:, 1].median()
    lower = outline.clone()
    lower[:, 1] -= BELOW_CHIN * (2 * (middle - outline[:, 1]) / (middle - low)).clamp(0, 1)
    face = body & (inside_polygon(uv, outline) | inside_polygon(uv, lower))
    regions = region_faces(model)
    face &= ~regions["ears"]
    plain = face & ~regions["lips"] & ~regions["eyes"] & ~regions["mouth"]
    return FaceParts((face | eyes).numpy(), eyes.numpy(), inside.numpy(), body.numpy(), plain.numpy())
