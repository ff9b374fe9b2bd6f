"""Neck, shoulders and clothes: how they differ from what the face alone lets expect, as a few linear modes.

The head model's identity is found from the face. Below the chin the surface that a photo shows, cloth
included, is the model's plus a combination of modes. The modes, their mean for a face, and the spread about
it come from dressed procedural people whose faces were fitted like those of photos
(`scripts/build_torso.py`); added to them are turns of the chest against the head, which the procedural
people do not have. All modes are zero from the chin up.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mien.core.assets import asset_path
from mien.core.checkpoint import read_safetensors, require_keys
from mien.morphable.model import MorphableModel

KIND: Final = "head_torso"
ASSET: Final = "head_torso.safetensors"


@dataclass(frozen=True, eq=False)
class TorsoModel:
    """P modes over the n vertices below the chin; the P numbers of a person are Gaussian, given the face."""

    index: Int[Tensor, " low"]
    """Of the vertices, among the head model's V."""
    modes: Float[Tensor, "mode low 3"]
    """Displacement in the head frame per unit coefficient, EG3D units."""
    mean: Float[Tensor, " mode"]
    """Expected coefficients of the mean face."""
    along: Float[Tensor, "component mode"]
    """Their change with the face's identity coefficients."""
    spread: Float[Tensor, "mode factor"]
    """Coefficients per unit of independent standard normal factors."""

    def expected(self, identity: Float[Tensor, " component"]) -> Float[Tensor, " mode"]:
        """Coefficients to expect of a face."""
        return self.mean + identity @ self.along

    def displacement(
        self, coefficients: Float[Tensor, " mode"], vertex_count: int
    ) -> Float[Tensor, "vertex 3"]:
        """Displacement of all vertices of the head model."""
        out = torch.zeros(vertex_count, 3, dtype=self.modes.dtype)
        out[self.index] = torch.tensordot(coefficients, self.modes, 1)
        return out

    def factor_moves(self, vertex_count: int) -> Float[Tensor, "vertex factor 3"]:
        """How each factor moves every vertex of the head model."""
        out = torch.zeros(vertex_count, self.spread.shape[1], 3, dtype=self.modes.dtype)
        out[self.index] = torch.einsum("mf,mvx->vfx", self.spread, self.modes)
        return out


@lru_cache(maxsize=2)
def load_torso_model(model: MorphableModel, explicit: Path | None = None) -> TorsoModel:
    """The bundled torso of a head model, or the one in the given file."""
    path = asset_path(ASSET, explicit=explicit)
    t = read_safetensors(path, kind=KIND).tensors
    shapes = {"index": (None,), "modes": (None, None, 3), "mean": (None,), "spread": (None, None)}
    require_keys(t, {**shapes, "along": (model.component_count, None)}, source=str(path))
    return TorsoModel(
        t["index"].long(), t["modes"].float(), t["mean"].float(), t["along"].float(), t["spread"].float()
    )
