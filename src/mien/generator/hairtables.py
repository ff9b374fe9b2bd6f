"""What the compiled march through the hair looks up of one head."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.compiled import has_numba
from mien.generator.haircolours import HairColours
from mien.generator.planes import Planes, wrap
from mien.morphable.carry import Carrier


@dataclass(frozen=True, eq=False)
class HairTables:
    """Images with channels last, float32; what wraps in u has a column of the other end on each side."""

    images: tuple[np.ndarray, ...]
    """Displacement [v, u + 2, 3] and body radius [v, u + 2, 1] of the carrier, outer height and density of
    the hair [v, u + 2, 2], and `HairColours`: uv, uh, vh, outer."""


def make_hair_tables(planes: Planes, colours: HairColours | None, carrier: Carrier) -> HairTables | None:
    """The tables of a tuned head; None where the compiled march cannot be used."""
    if not has_numba() or colours is None or planes.hair_height is None:
        return None
    density = torch.ones_like(planes.hair_height) if planes.hair_density is None else planes.hair_density
    images = (
        wrap(carrier.displacement[None]), wrap(carrier.model.body_radius[None, None].float()),
        wrap(torch.cat([planes.hair_height, density], 1)),
        colours.uv, colours.uh, colours.vh, colours.outer,
    )  # fmt: skip
    return HairTables(tuple(_channels_last(image) for image in images))


def _channels_last(image: Float[Tensor, "1 channel v u"]) -> Float[np.ndarray, "v u channel"]:
    return np.ascontiguousarray(image[0].permute(1, 2, 0).float().cpu().numpy())
