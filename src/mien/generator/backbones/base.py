"""What a backbone is: W to planes."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from mien.generator.planes import Planes


@runtime_checkable
class Backbone(Protocol):
    """Turns latents (and, where it uses them, expression coefficients) into planes."""

    def planes(self, w: Float[Tensor, "batch w"], expression: Float[Tensor, "batch 52"]) -> Planes:
        """Planes of each latent."""
        ...
