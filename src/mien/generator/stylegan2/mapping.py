"""Mapping network with a label: z and a camera's 25 numbers to W (Chan et al. 2022, section 4.4)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mien.generator.stylegan2.layers import FullyConnected, unit_moment


@dataclass(frozen=True)
class LabelMappingConfig:
    """Sizes of the mapping network."""

    z_dim: int = 512
    """0 maps the label alone."""
    label_dim: int = 25
    w_dim: int = 512
    layers: int = 2
    lr_multiplier: float = 0.01
    w_avg_beta: float | None = 0.998
    """Share of the old mean of w when it is updated; None keeps no mean."""


class LabelMapping(nn.Module):
    """Normalised z and embedded label, concatenated, through a few fully connected layers."""

    w_avg: Tensor

    def __init__(self, config: LabelMappingConfig) -> None:
        super().__init__()
        self.config = config
        inputs = config.z_dim
        if config.label_dim:
            self.embed = FullyConnected(config.label_dim, config.w_dim)
            inputs += config.w_dim
        for index in range(config.layers):
            width = inputs if index == 0 else config.w_dim
            layer = FullyConnected(width, config.w_dim, activate=True, lr=config.lr_multiplier)
            self.add_module(f"fc{index}", layer)
        if config.w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(
        self, z: Float[Tensor, "batch z"] | None, label: Float[Tensor, "batch label"] | None
    ) -> Float[Tensor, "batch w"]:
        """Latents w, not truncated. Without z (or label) sizes in the config, pass None for it."""
        parts = []
        if self.config.z_dim:
            assert z is not None
            parts.append(unit_moment(z))
        if self.config.label_dim:
            assert label is not None
            parts.append(unit_moment(self.embed(label)))
        x = torch.cat(parts, 1)
        for index in range(self.config.layers):
            x = self.get_submodule(f"fc{index}")(x)
        return x

    def truncated(self, w: Float[Tensor, "*batch w"], truncation: float) -> Float[Tensor, "*batch w"]:
        """w moved towards the mean: 1 leaves it, 0 gives `w_avg`."""
        return w if truncation == 1 else self.w_avg.lerp(w, truncation)

    @torch.no_grad()
    def update_w_avg(self, w: Float[Tensor, "batch w"]) -> None:
        """Move `w_avg` a little to the batch's mean, as training does with every batch of fakes."""
        beta = self.config.w_avg_beta
        if beta is None:
            raise ValueError("This mapping network keeps no mean of w; set w_avg_beta to have one.")
        self.w_avg.copy_(w.detach().mean(0).lerp(self.w_avg, beta))
