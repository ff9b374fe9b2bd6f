"""What a backbone is: W to planes, either over the canonical chart or in the head box."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from mien.generator.planes import Planes
from mien.generator.stylegan2.layers import NoiseMode


@runtime_checkable
class ChartBackbone(Protocol):
    """Turns latents (and, where it uses them, expression coefficients) into planes over the chart."""

    def planes(self, w: Float[Tensor, "batch w"], expression: Float[Tensor, "batch 52"]) -> Planes:
        """Planes of each latent."""
        ...


@runtime_checkable
class BoxBackbone(Protocol):
    """Turns latents, one per image or one per layer, into three planes through the head box."""

    def planes(
        self,
        w: Float[Tensor, "batch *layer w"],
        *,
        noise: NoiseMode = "const",
        random: torch.Generator | None = None,
    ) -> Float[Tensor, "batch 3 channel y x"]:
        """Planes of each latent."""
        ...
