"""Plain convolutions with weights made once per latent, in float32 or half precision, channels last."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.generator.eg3d.fast.superres.base import StyledBlock, StyledLayer, styled_blocks
from mien.generator.eg3d.superres import HybridSuperRes
from mien.generator.eg3d.superres.base import RGB
from mien.generator.stylegan2.layers import SLOPE, limited
from mien.generator.stylegan2.resample import enlarge, smooth


class CachedSuperRes:
    """The engine. Images add up in float32 whatever the maps are."""

    def __init__(
        self, network: HybridSuperRes, w: Float[Tensor, "1 w"], *, dtype: torch.dtype = torch.float32
    ) -> None:
        self.network, self.dtype = network, dtype
        self.blocks = [_converted(block, dtype) for block in styled_blocks(network, w)]

    def __call__(self, features: Float[Tensor, "1 feature height width"]) -> Float[Tensor, "1 3 side side"]:
        """See `SuperResEngine`."""
        features = self.network._resized(features)
        x = features.to(self.dtype, memory_format=torch.channels_last)
        image = features[:, :RGB]
        for block in self.blocks:
            x = _convolved(_convolved(x, block.conv0), block.conv1)
            seen = limited(F.conv2d(x, block.rgb).float() + block.rgb_bias[:, None, None], block.rgb_clamp)
            image = seen + (image if block.image_kernel is None else enlarge(image, block.image_kernel))
        return image


def half_type(device: torch.device) -> torch.dtype:
    """The half precision that a device is fast with."""
    return torch.float16 if device.type == "cuda" else torch.bfloat16


def _convolved(x: Tensor, layer: StyledLayer) -> Tensor:
    if layer.kernel is None:
        x = F.conv2d(x, layer.weight, layer.bias if layer.noise is None else None, padding=1)
    else:
        x = smooth(F.conv_transpose2d(x, layer.weight.transpose(0, 1), stride=2), 4 * layer.kernel, padding=1)
    if layer.noise is not None:
        x += layer.noise
    if layer.noise is not None or layer.kernel is not None:
        x += layer.bias[:, None, None]
    x = F.leaky_relu_(x, SLOPE).mul_(math.sqrt(2))
    return x if layer.clamp is None else x.clamp_(-layer.clamp, layer.clamp)


def _converted(block: StyledBlock, dtype: torch.dtype) -> StyledBlock:
    conv0, conv1 = (_converted_layer(layer, dtype) for layer in (block.conv0, block.conv1))
    return StyledBlock(
        conv0, conv1, block.rgb.to(dtype), block.rgb_bias.float(), block.rgb_clamp, block.image_kernel
    )


def _converted_layer(layer: StyledLayer, dtype: torch.dtype) -> StyledLayer:
    weight = layer.weight.to(dtype)
    if layer.kernel is None:
        weight = weight.contiguous(memory_format=torch.channels_last)
    else:  # laid out as the transposed convolution wants it
        swapped = weight.transpose(0, 1).contiguous(memory_format=torch.channels_last)
        weight = swapped.transpose(0, 1)
    noise = None if layer.noise is None else layer.noise.to(dtype)
    return StyledLayer(weight, layer.bias.to(dtype), noise, layer.clamp, layer.kernel)
