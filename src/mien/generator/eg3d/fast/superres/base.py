"""What a super-resolution engine is, and the weights that one latent gives its layers."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.generator.eg3d.superres import HybridSuperRes
from mien.generator.stylegan2.layers import EPSILON, SynthesisLayer, ToRgb
from mien.generator.stylegan2.synthesis import SynthesisBlock


@runtime_checkable
class SuperResEngine(Protocol):
    """Super-resolution whose style is fixed when it is made."""

    def __call__(self, features: Float[Tensor, "1 feature height width"]) -> Float[Tensor, "1 3 side side"]:
        """The image of rendered features, both in [-1, 1]."""
        ...


@dataclass(frozen=True, eq=False)
class StyledLayer:
    """A synthesis layer with the weights of one latent."""

    weight: Float[Tensor, "outputs inputs 3 3"]
    """Modulated and demodulated."""
    bias: Float[Tensor, " outputs"]
    noise: Float[Tensor, "height width"] | None
    clamp: float | None
    kernel: Float[Tensor, "4 4"] | None
    """Low-pass filter after the transposed convolution; None keeps the size."""


@dataclass(frozen=True, eq=False)
class StyledBlock:
    """A synthesis block with the weights of one latent."""

    conv0: StyledLayer
    conv1: StyledLayer
    rgb: Float[Tensor, "3 outputs 1 1"]
    rgb_bias: Float[Tensor, "3"]
    rgb_clamp: float | None
    image_kernel: Float[Tensor, "4 4"] | None


def styled_blocks(network: HybridSuperRes, w: Float[Tensor, "1 w"]) -> list[StyledBlock]:
    """Both blocks; noise is that of the network's settings. Raises ValueError if that is random."""
    if network.config.noise == "random":
        raise ValueError(
            "The super-resolution draws random noise for every image, so its weights are not all that "
            "counts; use the plain engine."
        )
    noisy = network.config.noise == "const"
    blocks = (network.get_submodule(f"block{index}") for index in range(len(network.widths)))
    return [_styled_block(block, w, noisy) for block in blocks if isinstance(block, SynthesisBlock)]


def _styled_block(block: SynthesisBlock, w: Tensor, noisy: bool) -> StyledBlock:
    rgb = block.torgb
    assert isinstance(rgb, ToRgb)
    styles = rgb.affine(w) / math.sqrt(rgb.weight.shape[1])
    return StyledBlock(
        _styled_layer(block.conv0, w, noisy),
        _styled_layer(block.conv1, w, noisy),
        rgb.weight * styles[0, :, None, None],
        rgb.bias,
        rgb.clamp,
        block.resample_filter if block.enlarges else None,
    )


def _styled_layer(layer: SynthesisLayer, w: Tensor, noisy: bool) -> StyledLayer:
    """Scaled by the style per input, divided by the norm per output (Karras et al. 2020, section 2.2)."""
    scaled = layer.weight * layer.affine(w)[0, :, None, None]
    weight = scaled * torch.rsqrt(scaled.square().sum((1, 2, 3), keepdim=True) + EPSILON)
    return StyledLayer(
        weight,
        layer.bias,
        layer.noise_const * layer.noise_strength if noisy else None,
        layer.clamp,
        layer.resample_filter if layer.enlarges else None,
    )


def phase_weights(
    weight: Float[Tensor, "outputs inputs 3 3"], kernel: Float[Tensor, "4 4"]
) -> Float[Tensor, "outputs4 inputs 3 3"]:
    """The transposed convolution and the low-pass filter after it as four plain 3 x 3 convolutions.

    Channel o of output pixel (2 y + a, 2 x + b) is channel (2 a + b) * outputs + o of pixel (y, x).
    """
    filters = 4 * kernel.to(weight).flip((0, 1))
    both = F.conv2d(F.pad(weight.flatten(0, 1)[:, None], (3, 3, 3, 3)), filters[None, None])
    both = both[:, 0].unflatten(0, weight.shape[:2])  # [outputs, inputs, 6, 6], shifts -3 to 2
    taps = ([4, 2, 0], [5, 3, 1])
    return torch.cat([both[:, :, taps[a]][:, :, :, taps[b]] for a in (0, 1) for b in (0, 1)])
