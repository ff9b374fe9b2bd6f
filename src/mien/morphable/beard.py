"""A beard as a form: how far it stands off the skin, in a solid part and in layers of ever fewer hairs.

Of every vertex of the body the end of its hairs is known. Most of the way there the skin itself is moved; the
rest, where single hairs are seen, is shared out to layers around it (shells of fur: Lengyel, Praun,
Finkelstein and Hoppe, Real-Time Fur over Arbitrary Surfaces, 2001).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from mien.morphable.model import MorphableModel

LAYERS: Final = 4
LOOSE_SHARE: Final = 0.6
"""Share of a short beard's length that is no longer solid."""
LONGEST_LOOSE: Final = 0.012
"""The same of a long one, EG3D units."""
LEAST: Final = 5e-4
"""Length from which on a vertex has a beard, EG3D units."""

Tips = Float[Tensor, "vertex 3"]
"""From the skin to the ends of the hairs, head frame at rest, EG3D units; zero where there is no beard."""


def loose_part(tips: Tips) -> Tips:
    """The last part of the way to the tips, that of single hairs."""
    length = tips.norm(dim=1, keepdim=True)
    return F.normalize(tips, dim=1) * (LOOSE_SHARE * length).clamp(max=LONGEST_LOOSE)


def solid_part(tips: Tips) -> Tips:
    """How far the skin is moved."""
    return tips - loose_part(tips)


@dataclass(frozen=True, eq=False)
class Beard:
    """A person's beard, ready to be posed: the body's triangles that have one, V' vertices."""

    solid: Float[Tensor, "all_vertices 3"]
    """Added to the skin, head frame at rest."""
    index: Int[Tensor, " vertex"]
    """Which of the body's vertices."""
    faces: np.ndarray
    """int32 [F, 3], into `index`."""
    corners: np.ndarray
    """float32 [F, 3, 3]: plane coordinates."""
    loose: Float[Tensor, "vertex 3"]
    length: np.ndarray
    """float32 [V', 1]: of the loose part, EG3D units."""


def make_beard(model: MorphableModel, tips: Tips) -> Beard | None:
    """The triangles that have a beard; None if none has."""
    loose = loose_part(tips)
    bearded = (loose.norm(dim=1) > LEAST)[model.faces].any(1) & model.part_faces("body")
    if not bearded.any():
        return None
    index, faces = torch.unique(model.faces[bearded], return_inverse=True)
    length = loose[index].norm(dim=1, keepdim=True)
    corners = model.canonical_corners[bearded].numpy().astype(np.float32)
    return Beard(
        solid_part(tips), index, faces.numpy().astype(np.int32), corners, loose[index], length.numpy()
    )


@dataclass(frozen=True, eq=False)
class PosedBeard:
    """The layers of a beard where the head has moved them, the outermost last."""

    beard: Beard
    layers: tuple[np.ndarray, ...]
    """float32 [V', 3] each."""
    carried: tuple[np.ndarray, ...] | None = None
    """float32 [V', C] each: what the layers' vertices carry, as those of the body do."""


def pose_beard(beard: Beard, skin: Float[Tensor, "all_vertices 3"], turn: Float[Tensor, "3 3"]) -> PosedBeard:
    """Layers over the moved skin, solid part included, of a head that is turned."""
    root, loose = skin[beard.index], beard.loose @ turn.T
    steps = torch.arange(1, LAYERS + 1) / LAYERS
    return PosedBeard(beard, tuple((root + step * loose).numpy().astype(np.float32) for step in steps))
