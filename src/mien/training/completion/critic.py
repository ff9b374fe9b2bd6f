"""A critic of heads over the chart: is a patch of skin or hair a real one (PatchGAN, Isola et al. 2017)?"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mien.generator.completion import ChartConv, Completed

SLOPE: Final = 0.2


class Critic(nn.Module):
    """Maps of colour (body and hair, 6 channels) to opinions on patches of about 40 texels.

    Weights start as in He et al. 2015.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        w = width
        layers = [
            ChartConv(6, w, step=2), ChartConv(w, 2 * w, step=2), ChartConv(2 * w, 3 * w, step=2),
            ChartConv(3 * w, 3 * w), ChartConv(3 * w, 1),
        ]  # fmt: skip
        for layer in layers:  # with PyTorch's own start next to nothing would come out at the end
            nn.init.kaiming_normal_(layer.conv.weight, SLOPE)
            assert layer.conv.bias is not None
            nn.init.zeros_(layer.conv.bias)
        self.layers = nn.ModuleList(layers)

    def forward(self, maps: Float[Tensor, "batch 6 v u"]) -> Float[Tensor, "batch 1 v2 u2"]:
        """Opinions: the higher, the more real."""
        x = maps * 4 - 2
        for layer in self.layers[:-1]:
            x = F.leaky_relu(layer(x), SLOPE)
        return torch.as_tensor(self.layers[-1](x))


def shown(out: Completed, opacity: Float[Tensor, "batch 1 half half"]) -> Float[Tensor, "batch 6 v u"]:
    """Colours that the critic sees: hair only where there is hair."""
    return masked(torch.sigmoid(out.body), torch.sigmoid(out.hair), opacity)


def masked(body: Tensor, hair: Tensor, opacity: Tensor) -> Float[Tensor, "batch 6 v u"]:
    """Body and hair [B, 3, N, N], the latter times its opacity."""
    size = body.shape[-1]
    return torch.cat([body, hair * F.interpolate(opacity, size=(size, size), mode="bilinear")], 1)


def gradient_penalty(critic: Critic, real: Float[Tensor, "batch 6 v u"]) -> Float[Tensor, ""]:
    """R1: squared gradient of the opinions on real maps (Mescheder et al. 2018)."""
    real = real.detach().requires_grad_(True)
    opinions = critic(real).mean((1, 2, 3)).sum()
    (gradient,) = torch.autograd.grad(opinions, real, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()
