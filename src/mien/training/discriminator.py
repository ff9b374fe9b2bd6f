"""EG3D's dual discriminator and the R1 penalty (Chan et al. 2022, section 4.3), in the published layout.

It sees the final image together with the enlarged volume-rendered one, so that the two must agree, and knows
the camera. A residual network as in StyleGAN2 (Karras et al. 2020, section 4).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mien.generator.stylegan2.layers import EPSILON, Conv, FullyConnected
from mien.generator.stylegan2.mapping import LabelMapping, LabelMappingConfig
from mien.generator.stylegan2.resample import low_pass
from mien.generator.stylegan2.synthesis import channels_of

IMAGES: Final = 6
"""Channels of the two images, one over the other."""
LAST_PX: Final = 4


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Sizes of the discriminator; the defaults are those of the published FFHQ checkpoint of 512 px."""

    image_px: int = 512
    label_dim: int = 25
    channel_base: int = 32768
    """Feature maps at size s have channel_base / s channels, at most channel_max."""
    channel_max: int = 512
    clamp: float | None = 256.0
    """Feature maps are clamped to +- this."""
    mapping_layers: int = 8
    group_size: int = 4
    """Images whose spread is compared (Karras et al. 2018, section 3)."""
    spread_channels: int = 1
    label_noise: float = 0.0
    """Noise on the label, in deviations of the batch; with a random generator only."""

    @property
    def channels(self) -> list[int]:
        """Of the resolutions 4, 8, ..., image_px."""
        return channels_of(self.image_px, base=self.channel_base, largest=self.channel_max)


class ResidualBlock(nn.Module):
    """Halves the resolution: two convolutions beside a 1 x 1 one, both paths scaled by sqrt(1/2)."""

    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, *, image_channels: int, clamp: float | None) -> None:
        """`image_channels` above 0: the first block, which takes the image itself."""
        super().__init__()
        self.register_buffer("resample_filter", low_pass())
        self.fromrgb = Conv(image_channels, inputs, size=1, clamp=clamp) if image_channels else None
        self.conv0 = Conv(inputs, inputs, size=3, clamp=clamp)
        self.conv1 = Conv(inputs, outputs, size=3, reduces=True, clamp=clamp)
        self.skip = Conv(inputs, outputs, size=1, reduces=True, linear=True)

    def forward(
        self, x: Float[Tensor, "batch inputs height width"]
    ) -> Float[Tensor, "batch outputs height2 width2"]:
        """Apply the block."""
        if self.fromrgb is not None:
            x = self.fromrgb(x)
        gain = math.sqrt(0.5)
        return self.skip(x, gain=gain) + self.conv1(self.conv0(x), gain=gain)


class Epilogue(nn.Module):
    """From 4 x 4 features to a vector that is compared with the mapped label."""

    def __init__(self, channels: int, outputs: int, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.conv = Conv(channels + config.spread_channels, channels, size=3, clamp=config.clamp)
        self.fc = FullyConnected(channels * LAST_PX**2, channels, activate=True)
        self.out = FullyConnected(channels, outputs)

    def forward(self, x: Float[Tensor, "batch channel 4 4"]) -> Float[Tensor, "batch output"]:
        """Apply the layers."""
        spread = batch_spread(x, self.config.group_size, self.config.spread_channels)
        x = self.conv(torch.cat([x, spread], 1))
        return self.out(self.fc(x.flatten(1)))


class DualDiscriminator(nn.Module):
    """How real a pair of images looks from its camera. Parameters start at zero: see `draw_weights`."""

    resample_filter: Tensor

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("resample_filter", low_pass())
        channels = config.channels
        self.sizes = [LAST_PX << k for k in reversed(range(1, len(channels)))]
        for size in self.sizes:
            k = size.bit_length() - 3
            first = IMAGES if size == config.image_px else 0
            block = ResidualBlock(channels[k], channels[k - 1], image_channels=first, clamp=config.clamp)
            self.add_module(f"b{size}", block)
        width = channels[0]
        self.mapping = LabelMapping(
            LabelMappingConfig(0, config.label_dim, width, config.mapping_layers, w_avg_beta=None)
        )
        self.b4 = Epilogue(width, width, config)

    def forward(
        self,
        image: Float[Tensor, "batch 3 height width"],
        image_raw: Float[Tensor, "batch 3 height2 width2"],
        label: Float[Tensor, "batch 25"],
        *,
        random: torch.Generator | None = None,
    ) -> Float[Tensor, "batch 1"]:
        """Logits; images in [-1, 1]. No input is changed."""
        x = torch.cat([image, resized(image_raw, image.shape[-1])], 1)
        for size in self.sizes:
            x = self.get_submodule(f"b{size}")(x)
        mapped = self.mapping(None, self._noisy(label, random))
        return (self.b4(x) * mapped).sum(1, keepdim=True) / math.sqrt(mapped.shape[1])

    def _noisy(self, label: Tensor, random: torch.Generator | None) -> Tensor:
        if random is None or self.config.label_noise <= 0:
            return label
        noise = torch.randn(label.shape, generator=random, device=random.device).to(label)
        return label + noise * label.std(0) * self.config.label_noise


def resized(
    image: Float[Tensor, "batch 3 height width"], side_px: int
) -> Float[Tensor, "batch 3 height2 width2"]:
    """Bilinear, with a low-pass filter where the image becomes smaller."""
    size = (side_px, side_px)
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=True)


def batch_spread(
    x: Float[Tensor, "batch channel height width"], group_size: int, channels: int
) -> Float[Tensor, "batch {channels} height width"]:
    """Deviation within groups of images, averaged over features and place (Karras et al. 2018, section 3).

    Image k belongs to group k mod (batch / size); a batch smaller than `group_size` is one group.
    """
    batch, _, height, width = x.shape
    size = min(group_size, batch)
    if batch % size:
        raise ValueError(f"The batch has {batch} images; expected a multiple of the group size {size}.")
    y = x.reshape(size, -1, channels, x.shape[1] // channels, height, width)
    y = (y - y.mean(0)).square().mean(0).add(EPSILON).sqrt().mean((2, 3, 4))
    return y.repeat(size, 1)[:, :, None, None].expand(-1, -1, height, width)


def r1_penalty(logits: Float[Tensor, "batch 1"], images: Sequence[Tensor]) -> Float[Tensor, " batch"]:
    """Squared length of the logits' gradient with respect to the real images (Mescheder et al. 2018, 4.1).

    `images` (one per kind, [batch, ...]) must require gradients and have led to `logits`. The loss is
    gamma / 2 times the mean.
    """
    gradients = torch.autograd.grad(logits.sum(), list(images), create_graph=True)
    return torch.stack([g.square().flatten(1).sum(1) for g in gradients]).sum(0)
