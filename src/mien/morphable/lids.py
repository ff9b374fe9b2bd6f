"""The lids' skin that open eyes keep folded away."""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from mien.core.arkit import ARKIT_INDEX
from mien.core.curves import smoothstep
from mien.morphable.model import PARTS, MorphableModel
from mien.morphable.raster import Hits, interpolate

UNFOLDED: Final = (1.2, 2.4)
"""Growth of a triangle's area when the eyes shut between which its skin counts as folded away."""
LOOKS: Final = ("Wide", "Squint", "LookDown", "LookUp")


def folded_lids(
    model: MorphableModel, identity: Float[Tensor, " component"], expression: Float[Tensor, "52"]
) -> Float[Tensor, " vertex"]:
    """1 at vertices whose skin is folded away in an expression and shown by shut eyes, 0 elsewhere.

    A photo of open eyes shows such skin as a line or two of pixels, with the lashes before it.
    """
    shut = with_shut_eyes(expression)
    body = model.faces[model.part_of_face == PARTS.index("body")]
    now, then = (_areas(model.vertices(identity, e), body) for e in (expression, shut))
    growth = then / now.clamp(min=1e-12)
    total, shares = torch.zeros(len(model.mean)), torch.zeros(len(model.mean))
    for corner in body.T:
        total.index_add_(0, corner, growth * then)
        shares.index_add_(0, corner, then)
    return smoothstep(total / shares.clamp(min=1e-12), *UNFOLDED)


def folded_at(
    model: MorphableModel, identity: Float[Tensor, " component"], expression: Float[Tensor, "52"], hits: Hits
) -> Float32[np.ndarray, " ray"]:
    """`folded_lids` at hits of the model's triangles, 0 where they are missed."""
    share = folded_lids(model, identity, expression).numpy()[:, None]
    return interpolate(share, model.faces_np, hits)[:, 0].astype(np.float32)


def with_shut_eyes(expression: Float[Tensor, "52"]) -> Float[Tensor, "52"]:
    """The same expression with both eyes shut."""
    shut = expression.clone()
    for side in ("Left", "Right"):
        for look in LOOKS:
            shut[ARKIT_INDEX[f"eye{look}{side}"]] = 0
        shut[ARKIT_INDEX[f"eyeBlink{side}"]] = 1
    return shut


def _areas(vertices: Float[Tensor, "vertex 3"], faces: Tensor) -> Float[Tensor, " face"]:
    a, b, c = vertices[faces].unbind(1)
    return torch.linalg.cross(b - a, c - a).norm(dim=-1) / 2
