"""EG3D's decoder: plane features to density and colour features (Chan et al. 2022, section 4.2)."""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mien.generator.stylegan2.layers import FullyConnected

MARGIN: Final = 0.001
"""Colours reach beyond [0, 1] by this much, as in Mip-NeRF (Barron et al. 2021)."""


@dataclass(frozen=True)
class OsgDecoderConfig:
    """Sizes of the decoder."""

    inputs: int = 32
    hidden: int = 64
    outputs: int = 32
    """Colour features; the first three are RGB."""
    lr_multiplier: float = 1.0
    """Scale of the weights and biases (1; 0.3 in pre-release checkpoints)."""


@dataclass(frozen=True, eq=False)
class FieldSamples:
    """The radiance field at N points."""

    sigma: Float[Tensor, "batch point 1"]
    """Raw density: the marcher takes softplus(sigma - 1) per EG3D unit."""
    rgb: Float[Tensor, "batch point feature"]
    """Colour features in [-0.001, 1.001]; the first three are RGB."""


class OsgDecoder(nn.Module):
    """Two fully connected layers with a softplus between. The viewing direction plays no part."""

    def __init__(self, config: OsgDecoderConfig) -> None:
        super().__init__()
        lr = config.lr_multiplier
        self.net = nn.Sequential(
            FullyConnected(config.inputs, config.hidden, lr=lr),
            nn.Softplus(),
            FullyConnected(config.hidden, 1 + config.outputs, lr=lr),
        )

    def forward(self, features: Float[Tensor, "batch point channel"]) -> FieldSamples:
        """Decode features."""
        out = self.net(features)
        return FieldSamples(out[..., :1], torch.sigmoid(out[..., 1:]) * (1 + 2 * MARGIN) - MARGIN)
