"""StyleGAN2 planes: mapping network and synthesis network of EG3D (Chan et al. 2022, section 4.1)."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mien.generator.stylegan2.layers import NoiseMode
from mien.generator.stylegan2.mapping import LabelMapping, LabelMappingConfig
from mien.generator.stylegan2.synthesis import Synthesis, channels_of

PLANES = 3


@dataclass(frozen=True)
class StyleGan2Config:
    """Sizes of EG3D's backbone; the defaults are those of all published checkpoints."""

    mapping: LabelMappingConfig = field(default_factory=LabelMappingConfig)
    resolution: int = 256
    """Side of the planes."""
    plane_channels: int = 32
    channel_base: int = 32768
    """Feature maps at size s have channel_base / s channels, at most channel_max."""
    channel_max: int = 512
    clamp: float | None = None
    """Feature maps are clamped to +- this, which half precision needs."""

    @property
    def layers(self) -> int:
        """Latents that the synthesis network takes: two per resolution from 4 up."""
        return 2 * (self.resolution.bit_length() - 2)


class StyleGan2Backbone(nn.Module):
    """z and label to W, W to three feature planes over the head box."""

    def __init__(self, config: StyleGan2Config) -> None:
        super().__init__()
        self.config = config
        self.synthesis = Synthesis(
            w_dim=config.mapping.w_dim,
            resolution=config.resolution,
            image_channels=PLANES * config.plane_channels,
            channels=channels_of(config.resolution, base=config.channel_base, largest=config.channel_max),
            clamp=config.clamp,
        )
        self.mapping = LabelMapping(config.mapping)

    def planes(
        self,
        w: Float[Tensor, "batch *layer w"],
        *,
        noise: NoiseMode = "const",
        random: torch.Generator | None = None,
    ) -> Float[Tensor, "batch 3 channel y x"]:
        """Planes of each latent; one w per image serves all layers."""
        maps = self.synthesis(self.layered(w), noise=noise, random=random)
        return maps.unflatten(1, (PLANES, self.config.plane_channels))

    def layered(self, w: Float[Tensor, "batch *layer w"]) -> Float[Tensor, "batch layers w"]:
        """One latent per layer, from one per image or from those."""
        if w.ndim == 2:
            return w[:, None].expand(-1, self.config.layers, -1)
        if w.ndim != 3 or w.shape[1] != self.config.layers:
            raise ValueError(
                f"The latents have shape {tuple(w.shape)}; expected (batch, w) or "
                f"(batch, {self.config.layers}, w)."
            )
        return w
