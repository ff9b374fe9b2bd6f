"""Super-resolution of the rendered image: bilinear plus a learned residual, times two."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class SuperResolutionConfig:
    """Sizes of the residual network."""

    channels: int = 32


class SuperResolution(nn.Module):
    """RGBA (premultiplied) at S x S to 2S x 2S. The residual starts at zero."""

    def __init__(self, config: SuperResolutionConfig) -> None:
        super().__init__()
        c = config.channels
        self.layers = nn.Sequential(
            nn.Conv2d(4, c, 3, padding=1), nn.SiLU(), nn.Conv2d(c, c, 3, padding=1), nn.SiLU(),
            nn.Conv2d(c, 16, 3, padding=1), nn.PixelShuffle(2),
        )  # fmt: skip
        last = self.layers[-2]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, rgba: Float[Tensor, "batch 4 height width"]) -> Float[Tensor, "batch 4 height2 width2"]:
        """Enlarge; outputs are clamped to [0, 1] and colour never exceeds alpha."""
        big = F.interpolate(rgba, scale_factor=2, mode="bilinear", align_corners=False) + self.layers(rgba)
        alpha = big[:, 3:].clamp(0, 1)
        return torch.cat([torch.minimum(big[:, :3].clamp(min=0), alpha), alpha], 1)
