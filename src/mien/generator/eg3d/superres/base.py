"""What the super-resolution modules share: two blocks, styled by the last latent, on 32 features and RGB."""

from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mien.generator.stylegan2.layers import NoiseMode
from mien.generator.stylegan2.resample import low_pass
from mien.generator.stylegan2.synthesis import SynthesisBlock

FEATURES: Final = 32
RGB: Final = 3
W_DIM: Final = 512
BLOCK_LATENTS: Final = 3


@dataclass(frozen=True)
class SuperResConfig:
    """What all variants can be given."""

    antialias: bool = True
    """Low-pass filter where features are made smaller first."""
    clamp: float | None = 256.0
    """Feature maps are clamped to +- this."""
    noise: NoiseMode = "none"


class HybridSuperRes(nn.Module):
    """Two synthesis blocks; a variant says at which sizes and with how many channels."""

    output_px: ClassVar[int]
    input_px: ClassVar[int]
    """Side that the features are resized to first."""
    resizes: ClassVar[Literal["always", "smaller"]]
    """Whether larger features are resized too."""
    widths: ClassVar[tuple[int, int]]
    """Channels of the two blocks."""
    first_enlarges: ClassVar[bool]
    has_spare_filter: ClassVar[bool] = True
    """Whether the state dict has a module-level filter, which nothing uses."""

    def __init__(self, config: SuperResConfig) -> None:
        super().__init__()
        self.config = config
        inputs, middle_px = FEATURES, self.output_px // 2
        if self.has_spare_filter:
            self.register_buffer("resample_filter", low_pass())
        blocks = zip(self.widths, (middle_px, self.output_px), (self.first_enlarges, True), strict=True)
        for index, (outputs, side, enlarges) in enumerate(blocks):
            block = SynthesisBlock(
                inputs, outputs, w_dim=W_DIM, resolution=side, image_channels=RGB, clamp=config.clamp,
                enlarges=enlarges,
            )  # fmt: skip
            self.add_module(f"block{index}", block)
            inputs = outputs

    def forward(
        self,
        rgb: Float[Tensor, "batch 3 height width"],
        features: Float[Tensor, "batch 32 height width"],
        w: Float[Tensor, "batch w"],
        *,
        random: torch.Generator | None = None,
    ) -> Float[Tensor, "batch 3 height2 width2"]:
        """The image of side `output_px`; neither input is changed."""
        ws = w[:, None].expand(-1, BLOCK_LATENTS, -1)
        x, image = self._resized(features), self._resized(rgb)
        for index in range(len(self.widths)):
            block = self.get_submodule(f"block{index}")
            x, image = block(x, image, ws, noise=self.config.noise, random=random)
        return image

    def _resized(self, x: Tensor) -> Tensor:
        side = x.shape[-1]
        if side == self.input_px or (side > self.input_px and self.resizes == "smaller"):
            return x
        size = (self.input_px, self.input_px)
        antialias = self.config.antialias
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=antialias)
