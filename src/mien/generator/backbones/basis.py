"""Basis planes: mean + W-weighted basis, so that planes are linear in W and cost one matrix product."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mien.generator.planes import Planes, resize


@dataclass(frozen=True)
class BasisConfig:
    """Sizes of mien-base's planes."""

    latent: int = 64
    """Dimensions of W."""
    expression_codes: int = 8
    """Basis planes driven by the expression (wrinkles, lids)."""
    channels: int = 12
    mean_size: int = 256
    """Side of the mean (u, v) plane: detail that all heads share."""
    basis_size: int = 128
    """Side of the basis (u, v) planes."""
    height_bins: int = 32
    """Rows of the (u, height) and (v, height) planes."""
    side_size: int = 64
    """Columns of the (u, height) and (v, height) planes."""


class BasisBackbone(nn.Module):
    """Mean planes plus a linear basis over W and a small expression code."""

    def __init__(self, config: BasisConfig) -> None:
        super().__init__()
        self.config = config
        c, k, side = (
            config.channels,
            config.latent + config.expression_codes,
            (config.height_bins, config.side_size),
        )
        self.mean_uv = nn.Parameter(torch.zeros(c, config.mean_size, config.mean_size))
        self.mean_uh = nn.Parameter(torch.randn(c, *side) * 0.02)
        self.mean_vh = nn.Parameter(torch.randn(c, *side) * 0.02)
        self.basis_uv = nn.Parameter(torch.randn(k, c, config.basis_size, config.basis_size) * 0.01)
        self.basis_uh = nn.Parameter(torch.randn(k, c, *side) * 0.005)
        self.basis_vh = nn.Parameter(torch.randn(k, c, *side) * 0.005)
        self.expression_code = nn.Sequential(
            nn.Linear(52, 64), nn.SiLU(), nn.Linear(64, config.expression_codes), nn.Tanh()
        )

    def planes(self, w: Float[Tensor, "batch w"], expression: Float[Tensor, "batch 52"]) -> Planes:
        """Planes of each latent; linear in `w`."""
        neutral = self.expression_code(torch.zeros_like(expression))
        code = torch.cat([w, self.expression_code(expression) - neutral], 1)
        uv = torch.tensordot(code, self.basis_uv, 1)
        return Planes(
            uv=self.mean_uv + resize(uv, self.config.mean_size),
            uh=self.mean_uh + torch.tensordot(code, self.basis_uh, 1),
            vh=self.mean_vh + torch.tensordot(code, self.basis_vh, 1),
        )
