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
HAIR_SHARE: Final = 7
"""Only of decoders with 8 outputs."""
HEIGHT_SCALE: Final = 0.1  # EG3D units per unit of the height channel


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the residual network."""

    channels: int = 12
    hidden: int = 32
    outputs: int = OUTPUTS
    """7, or 8 where hair has a density of its own."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """Decoder outputs at N points."""

    body_rgb: Float[Tensor, "batch point 3"]
    hair_rgb: Float[Tensor, "batch point 3"]
    hair_height: Float[Tensor, "batch point"]
    """Outer surface of hair and clothes above the smooth body radius, EG3D units."""
    hair_share: Float[Tensor, "batch point"] | None = None
    """Density of the hair in [0, 1], of the greatest that there is; None stands for 1."""

    def to(self, device: torch.device) -> "Decoded":
        """The same on another device."""
        share = None if self.hair_share is None else self.hair_share.to(device)
        return Decoded(self.body_rgb.to(device), self.hair_rgb.to(device), self.hair_height.to(device), share)


class Decoder(nn.Module):
    """y = f[:outputs] + MLP(f); colours and density through a sigmoid. Decoding starts linear."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.Sequential(
            nn.Linear(config.channels, config.hidden), nn.SiLU(),
            nn.Linear(config.hidden, config.hidden), nn.SiLU(),
            nn.Linear(config.hidden, config.outputs),
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
        y = self.outputs(features, residual)
        return Decoded(
            torch.sigmoid(y[..., BODY_RGB]),
            torch.sigmoid(y[..., HAIR_RGB]),
            y[..., HAIR_HEIGHT] * HEIGHT_SCALE,
            torch.sigmoid(y[..., HAIR_SHARE]) if self.config.outputs > OUTPUTS else None,
        )

    def outputs(
        self,
        features: Float[Tensor, "batch point channel"],
        residual: Float[Tensor, "batch point output"] | None = None,
    ) -> Float[Tensor, "batch point all"]:
        """What colours and density are the sigmoid of."""
        n = self.config.outputs
        y = features[..., :n] + self.layers(features)
        return y if residual is None else y + nn.functional.pad(residual, (0, n - OUTPUTS))
