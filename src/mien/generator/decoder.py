"""From plane features to colour and hair height: linear channels plus a small residual network."""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

BODY_RGB: Final = slice(0, 3)
HAIR_RGB: Final = slice(3, 6)
HAIR_HEIGHT: Final = 6
OUTPUTS: Final = 7
HEIGHT_SCALE: Final = 0.1  # EG3D units per unit of the height channel


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the residual network."""

    channels: int = 12
    hidden: int = 32


@dataclass(frozen=True, eq=False)
class Decoded:
    """Decoder outputs at N points."""

    body_rgb: Float[Tensor, "batch point 3"]
    hair_rgb: Float[Tensor, "batch point 3"]
    hair_height: Float[Tensor, "batch point"]
    """Outer surface of hair and clothes above the smooth body radius, EG3D units."""

    def to(self, device: torch.device) -> "Decoded":
        """The same on another device."""
        return Decoded(self.body_rgb.to(device), self.hair_rgb.to(device), self.hair_height.to(device))


class Decoder(nn.Module):
    """y = f[:7] + MLP(f); colours through a sigmoid. The network starts at zero: decoding starts linear."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(config.channels, config.hidden), nn.SiLU(),
            nn.Linear(config.hidden, config.hidden), nn.SiLU(),
            nn.Linear(config.hidden, OUTPUTS),
        )  # fmt: skip
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(
        self,
        features: Float[Tensor, "batch point channel"],
        residual: Float[Tensor, "batch point output"] | None = None,
    ) -> Decoded:
        """Decode features; a residual is added to the outputs before their sigmoid."""
        y = features[..., :OUTPUTS] + self.layers(features)
        if residual is not None:
            y = y + residual
        return Decoded(
            torch.sigmoid(y[..., BODY_RGB]),
            torch.sigmoid(y[..., HAIR_RGB]),
            y[..., HAIR_HEIGHT] * HEIGHT_SCALE,
        )
