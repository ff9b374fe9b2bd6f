"""Layers of StyleGAN2. Parameters start at zero or one; `draw_weights` gives them their random start.

Weights are kept at unit variance and scaled when used (equalised learning rate, Karras et al. 2018, 4.1).
"""

import math
from typing import Final, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mien.generator.stylegan2.resample import enlarge, low_pass, reduce, smooth

NoiseMode = Literal["const", "random", "none"]
SLOPE: Final = 0.2
EPSILON: Final = 1e-8


@runtime_checkable
class Drawn(Protocol):
    """A layer that draws its own random start."""

    def draw(self, random: torch.Generator) -> None:
        """Set the parameters from `random`."""
        ...


def draw_weights(network: nn.Module, random: torch.Generator) -> None:
    """Give every layer of `network` its random start; layers draw in the order of `network.modules()`."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, Drawn):
                layer.draw(random)


def draw_normal(tensor: Tensor, random: torch.Generator, *, scale: float = 1.0) -> None:
    """Fill with normal numbers, drawn on the generator's device."""
    tensor.copy_(torch.randn(tensor.shape, generator=random, device=random.device) * scale)


def unit_moment(x: Float[Tensor, "batch channel"]) -> Float[Tensor, "batch channel"]:
    """Scaled to mean square 1."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + EPSILON)


def leaky(x: Tensor, *, gain: float = 1.0, clamp: float | None = None) -> Tensor:
    """Leaky ReLU times sqrt(2) `gain`, so that the variance stays; then clamped to +-`clamp` `gain`."""
    return limited(F.leaky_relu(x, SLOPE) * (math.sqrt(2) * gain), None if clamp is None else clamp * gain)


def limited(x: Tensor, clamp: float | None) -> Tensor:
    """Clamped to +-`clamp`, if there is one."""
    return x if clamp is None else x.clamp(-clamp, clamp)


def as_map(bias: Float[Tensor, " channel"]) -> Float[Tensor, "1 channel 1 1"]:
    """A bias in the shape of a feature map."""
    return bias[None, :, None, None]


class FullyConnected(nn.Module):
    """y = x (lr W / sqrt(in))^T + lr b, then possibly the leaky ReLU."""

    def __init__(
        self, inputs: int, outputs: int, *, activate: bool = False, lr: float = 1.0, bias_start: float = 0.0
    ) -> None:
        super().__init__()
        self.activate, self.lr, self.bias_start = activate, lr, bias_start
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))
        self.bias = nn.Parameter(torch.full((outputs,), bias_start))

    def draw(self, random: torch.Generator) -> None:
        """Normal weights of deviation 1 / lr; constant bias."""
        draw_normal(self.weight, random, scale=1 / self.lr)
        self.bias.fill_(self.bias_start)

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """Apply the layer."""
        weight = self.weight * (self.lr / math.sqrt(self.weight.shape[1]))
        x = F.linear(x, weight.to(x.dtype), (self.bias * self.lr).to(x.dtype))
        return leaky(x) if self.activate else x


def modulated_conv(
    x: Float[Tensor, "batch inputs height width"],
    weight: Float[Tensor, "outputs inputs kernel kernel"],
    styles: Float[Tensor, "batch inputs"],
    *,
    kernel: Float[Tensor, "4 4"] | None = None,
    demodulate: bool = True,
    fused: bool = True,
) -> Float[Tensor, "batch outputs height2 width2"]:
    """Convolution whose input channels are scaled by `styles` (Karras et al. 2020, section 2.2).

    With `demodulate`, each output channel of each image is divided by the norm of its scaled weights. With a
    low-pass `kernel` the output is twice as large. `fused` scales the weights (a grouped convolution), the
    plain way scales the maps before and after; the results differ by rounding only.
    """
    batch, (outputs, inputs, size, _) = len(x), weight.shape
    scale = None
    if demodulate or fused:
        scaled = weight * styles[:, None, :, None, None]
    if demodulate:
        scale = torch.rsqrt(scaled.square().sum((2, 3, 4)) + EPSILON)
    if not fused:
        x = _convolve(x * styles.to(x.dtype)[:, :, None, None], weight.to(x.dtype), kernel, groups=1)
        return x if scale is None else x * scale.to(x.dtype)[:, :, None, None]
    if scale is not None:
        scaled = scaled * scale[:, :, None, None, None]
    merged = scaled.reshape(batch * outputs, inputs, size, size).to(x.dtype)
    x = _convolve(x.reshape(1, batch * inputs, *x.shape[2:]), merged, kernel, groups=batch)
    return x.reshape(batch, outputs, *x.shape[2:])


def _convolve(x: Tensor, weight: Tensor, kernel: Tensor | None, *, groups: int) -> Tensor:
    """Convolution at the same size, or transposed at twice the size and smoothed."""
    if kernel is None:
        return F.conv2d(x, weight, padding=weight.shape[2] // 2, groups=groups)
    # A transposed convolution takes the weights as inputs x outputs within each group.
    swapped = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    x = F.conv_transpose2d(x, swapped, stride=2, groups=groups)
    return smooth(x, 4 * kernel, padding=1)


class SynthesisLayer(nn.Module):
    """Modulated 3 x 3 convolution, noise, bias, leaky ReLU; `enlarges` doubles the size first."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self, inputs: int, outputs: int, *, w_dim: int, resolution: int, enlarges: bool, clamp: float | None
    ) -> None:
        super().__init__()
        self.enlarges, self.clamp, self.resolution = enlarges, clamp, resolution
        self.affine = FullyConnected(w_dim, inputs, bias_start=1.0)
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, 3, 3))
        self.register_buffer("resample_filter", low_pass())
        self.register_buffer("noise_const", torch.zeros(resolution, resolution))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def draw(self, random: torch.Generator) -> None:
        """Normal weights and constant noise; noise strength and bias 0."""
        draw_normal(self.weight, random)
        draw_normal(self.noise_const, random)
        self.noise_strength.zero_()
        self.bias.zero_()

    def forward(
        self,
        x: Float[Tensor, "batch inputs height width"],
        w: Float[Tensor, "batch w"],
        *,
        noise: NoiseMode = "const",
        random: torch.Generator | None = None,
    ) -> Float[Tensor, "batch outputs height2 width2"]:
        """Apply the layer; `random` is where random noise is drawn from."""
        kernel = self.resample_filter if self.enlarges else None
        x = modulated_conv(x, self.weight, self.affine(w), kernel=kernel, fused=not self.training)
        if noise != "none":
            x = x + (self._noise(len(x), noise, random) * self.noise_strength).to(x.dtype)
        return leaky(x + as_map(self.bias).to(x.dtype), clamp=self.clamp)

    def _noise(self, batch: int, mode: NoiseMode, random: torch.Generator | None) -> Tensor:
        if mode == "const":
            return self.noise_const
        if random is None:
            raise ValueError("Random noise needs a generator: pass `random`, or choose noise='const'.")
        shape = (batch, 1, self.resolution, self.resolution)
        drawn = torch.randn(shape, generator=random, device=random.device)
        return drawn.to(self.noise_const.device)


class ToRgb(nn.Module):
    """Modulated 1 x 1 convolution to image (or plane) channels, without demodulation."""

    def __init__(self, inputs: int, outputs: int, *, w_dim: int, clamp: float | None) -> None:
        super().__init__()
        self.clamp = clamp
        self.affine = FullyConnected(w_dim, inputs, bias_start=1.0)
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def draw(self, random: torch.Generator) -> None:
        """Normal weights, bias 0."""
        draw_normal(self.weight, random)
        self.bias.zero_()

    def forward(
        self, x: Float[Tensor, "batch inputs height width"], w: Float[Tensor, "batch w"]
    ) -> Float[Tensor, "batch outputs height width"]:
        """Apply the layer."""
        styles = self.affine(w) / math.sqrt(self.weight.shape[1])
        x = modulated_conv(x, self.weight, styles, demodulate=False, fused=not self.training)
        return limited(x + as_map(self.bias).to(x.dtype), self.clamp)


class Conv(nn.Module):
    """Plain equalised convolution of the discriminator; `reduces` halves the size (low-pass first)."""

    resample_filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        size: int,
        reduces: bool = False,
        clamp: float | None = None,
        linear: bool = False,
    ) -> None:
        """`linear`: neither bias nor activation."""
        super().__init__()
        self.reduces, self.clamp = reduces, clamp
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, size, size))
        self.register_buffer("resample_filter", low_pass())
        self.bias = None if linear else nn.Parameter(torch.zeros(outputs))

    def draw(self, random: torch.Generator) -> None:
        """Normal weights, bias 0."""
        draw_normal(self.weight, random)
        if self.bias is not None:
            self.bias.zero_()

    def forward(
        self, x: Float[Tensor, "batch inputs height width"], *, gain: float = 1.0
    ) -> Float[Tensor, "batch outputs height2 width2"]:
        """Apply the layer; the output (and its clamp) is multiplied by `gain`."""
        size = self.weight.shape[-1]
        weight = (self.weight / math.sqrt(self.weight[0].numel())).to(x.dtype)
        if not self.reduces:
            x = F.conv2d(x, weight, padding=size // 2)
        elif size == 1:  # low-pass and skip pixels first: the same, and cheaper
            x = F.conv2d(reduce(x, self.resample_filter), weight)
        else:
            x = F.conv2d(smooth(x, self.resample_filter, padding=2), weight, stride=2)
        if self.bias is None:
            return x * gain
        return leaky(x + as_map(self.bias).to(x.dtype), gain=gain, clamp=self.clamp)


__all__ = [
    "Conv", "FullyConnected", "NoiseMode", "SynthesisLayer", "ToRgb", "as_map", "draw_normal", "draw_weights",
    "enlarge", "leaky", "limited", "modulated_conv", "unit_moment",
]  # fmt: skip
