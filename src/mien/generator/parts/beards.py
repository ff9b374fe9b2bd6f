"""Beards of random people: the form that goes with the kind of beard on the skin that they are lent."""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.curves import smoothstep
from mien.morphable.beard import Beard, make_beard
from mien.morphable.beardshape import ROOTS, beard_tips
from mien.morphable.carry import chart_grid
from mien.morphable.model import MorphableModel
from mien.morphable.regions import azimuth_and_height

HANG: Final = {"goatee": ROOTS + 0.02, "short_full": ROOTS, "long_full": ROOTS + 0.09}
"""How far below the chin kinds of beard hang that stand off the skin, EG3D units."""
GOATEE_DEG: Final = (20.0, 32.0)
"""Azimuths between which a goatee ends."""
SIZE: Final = 128


def named_beard(model: MorphableModel, skin: Float[Tensor, "vertex 3"], kind: str) -> Beard | None:
    """The form of a kind of beard on a person's skin at rest; None for kinds that are paint."""
    if kind not in HANG:
        return None
    cover = torch.ones(SIZE, SIZE)
    if kind == "goatee":
        azimuth, _ = azimuth_and_height(chart_grid(SIZE))
        cover = 1 - smoothstep(azimuth, *GOATEE_DEG)
    tips = beard_tips(skin, cover, HANG[kind], model)
    return None if tips is None else make_beard(model, tips)
