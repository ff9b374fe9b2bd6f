"""StyleGAN2's synthesis network with skip connections (Karras et al. 2020, section 4, output skips)."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mien.generator.stylegan2.layers import NoiseMode, SynthesisLayer, ToRgb, draw_normal
from mien.generator.stylegan2.resample import enlarge, low_pass


class SynthesisBlock(nn.Module):
    """Two synthesis layers and one to RGB at one resolution; the first block has a constant and one layer."""

    resample_filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        w_dim: int,
        resolution: int,
        image_channels: int,
        clamp: float | None,
        enlarges: bool = True,
    ) -> None:
        """`inputs` 0 makes the first block."""
        super().__init__()
        self.inputs, self.enlarges = inputs, enlarges
        self.register_buffer("resample_filter", low_pass())
        if inputs:
            self.conv0 = SynthesisLayer(
                inputs, outputs, w_dim=w_dim, resolution=resolution, enlarges=enlarges, clamp=clamp
            )
        else:
            self.const = nn.Parameter(torch.zeros(outputs, resolution, resolution))
        self.conv1 = SynthesisLayer(
            outputs, outputs, w_dim=w_dim, resolution=resolution, enlarges=False, clamp=clamp
        )
        self.torgb = ToRgb(outputs, image_channels, w_dim=w_dim, clamp=clamp)

    def draw(self, random: torch.Generator) -> None:
        """A normal constant, if the block has one."""
        if not self.inputs:
            draw_normal(self.const, random)

    def forward(
        self,
        x: Float[Tensor, "batch inputs height width"] | None,
        image: Float[Tensor, "batch image height width"] | None,
        ws: Float[Tensor, "batch layer w"],
        *,
        noise: NoiseMode = "const",
        random: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Feature maps and image of this resolution, from those of the one before (None: first block).

        `ws` are the latents of conv0 (except in the first block), conv1 and torgb.
        """
        latents = iter(ws.unbind(1))
        if x is None:
            x = self.const.expand(len(ws), -1, -1, -1)
        else:
            x = self.conv0(x, next(latents), noise=noise, random=random)
        x = self.conv1(x, next(latents), noise=noise, random=random)
        seen = self.torgb(x, next(latents))
        seen = seen.to(torch.promote_types(seen.dtype, torch.float32))  # images add up in full precision
        if image is None:
            return x, seen
        return x, (enlarge(image, self.resample_filter) if self.enlarges else image) + seen


class Synthesis(nn.Module):
    """Blocks b4, b8, ... up to `resolution`; each to-RGB layer shares its latent with the next layer."""

    def __init__(
        self, *, w_dim: int, resolution: int, image_channels: int, channels: list[int], clamp: float | None
    ) -> None:
        """`channels` are those of the resolutions 4, 8, ..."""
        super().__init__()
        self.resolutions = [4 << k for k in range(len(channels))]
        assert self.resolutions[-1] == resolution
        for size, (inputs, outputs) in zip(self.resolutions, pairwise([0, *channels]), strict=True):
            block = SynthesisBlock(
                inputs, outputs, w_dim=w_dim, resolution=size, image_channels=image_channels, clamp=clamp
            )
            self.add_module(f"b{size}", block)

    @property
    def layers(self) -> int:
        """Latents that the network takes: one per layer, and one for the last to-RGB."""
        return 2 * len(self.resolutions)

    def forward(
        self,
        ws: Float[Tensor, "batch layer w"],
        *,
        noise: NoiseMode = "const",
        random: torch.Generator | None = None,
    ) -> Float[Tensor, "batch image height width"]:
        """The image (here: all plane channels). Random noise is drawn layer by layer, upwards."""
        x = image = None
        start = 0
        for size in self.resolutions:
            count = 2 if size == 4 else 3
            block = self.get_submodule(f"b{size}")
            x, image = block(x, image, ws[:, start : start + count], noise=noise, random=random)
            start += count - 1
        assert image is not None
        return image


def channels_of(resolution: int, *, base: int, largest: int) -> list[int]:
    """Channels of the resolutions 4, 8, ..., `resolution`: base / size, at most `largest`."""
    sizes = [4 << k for k in range(resolution.bit_length() - 2)]
    return [min(base // size, largest) for size in sizes]
