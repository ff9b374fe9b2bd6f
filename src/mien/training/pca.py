"""A start for basis and latents: principal components of the heads' canonical maps, or a trained basis."""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.generator.decoder import HAIR_HEIGHT, HEIGHT_SCALE, OUTPUTS
from mien.generator.model import Generator
from mien.morphable import chart
from mien.training.dataset import HeadDataset

ROWS_BODY: Final = (1 + chart.V_BODY[0]) / 2
HEIGHT_WEIGHT: Final = 3.0
ISLAND_WEIGHT: Final = 0.7  # eyes, teeth and tongue


def pca_start(generator: Generator, data: HeadDataset, heads: int) -> Float[Tensor, "head w"]:
    """Set mean and basis planes to the PCA of the first `heads` canonical maps; returns whitened codes.

    With fewer heads than dimensions of W the other dimensions keep their random planes, and codes of zero.
    """
    x = _linear_maps(data, heads)
    weight = _weight_of(x)
    mean = x.mean(0)
    u, s, vt = torch.linalg.svd(((x - mean) * weight).flatten(1), full_matrices=False)
    k = min(generator.config.mapping.w_size, heads - 1)
    scale = np.sqrt(heads - 1)
    backbone = generator.backbone
    with torch.no_grad():
        size = backbone.config.mean_size
        backbone.mean_uv[:OUTPUTS] = F.interpolate(mean[None], size=(size, size), mode="bilinear")[0]
        backbone.basis_uv[:k, :OUTPUTS] = (vt[:k] * s[:k, None] / scale).view(k, *x.shape[1:]) / weight
    codes = torch.zeros(heads, generator.config.mapping.w_size)
    codes[:, :k] = u[:, :k] * scale
    return codes


def nearest_codes(generator: Generator, data: HeadDataset, heads: int) -> Float[Tensor, "head w"]:
    """Latents whose (u, v) planes are nearest to the first `heads` canonical maps: ridge least squares.

    The prior is N(w_avg, w_std) of the generator, with the weight of one texel.
    """
    x = _linear_maps(data, heads)
    weight, size = _weight_of(x), x.shape[-1]
    zero = torch.zeros(generator.config.mapping.w_size, 52)
    with torch.no_grad():
        mean = generator.planes(generator.mapping.w_avg[None], zero[:1]).uv
        unit = generator.mapping.w_avg + torch.diag(generator.w_std)
        moved = generator.planes(unit, zero).uv - mean
    A = (_channels(moved, size) * weight).flatten(1)
    b = ((x - _channels(mean, size)) * weight).flatten(1)
    normal = A @ A.T + torch.eye(len(A))
    steps = torch.linalg.solve(normal, A @ b.T).T
    return generator.mapping.w_avg + generator.w_std * steps


def _channels(planes: Tensor, size: int) -> Float[Tensor, "head channel size size"]:
    """The decoder's linear channels at the maps' size."""
    return F.interpolate(planes[:, :OUTPUTS], size=(size, size), mode="area")


def _weight_of(maps: Tensor) -> Float[Tensor, "channel size size"]:
    weight = torch.ones(maps.shape[1:])
    weight[HAIR_HEIGHT] *= HEIGHT_WEIGHT
    weight[:, : int(ROWS_BODY * maps.shape[2])] *= ISLAND_WEIGHT
    return weight


def _linear_maps(data: HeadDataset, heads: int) -> Float[Tensor, "head channel size size"]:
    """Maps in the decoder's linear channels: logits of colours, scaled heights."""
    maps = torch.from_numpy(np.array(data.maps[:heads])).float()
    colours = torch.logit(maps[:, :HAIR_HEIGHT].clamp(0.015, 0.985))
    return torch.cat([colours, maps[:, HAIR_HEIGHT:] / HEIGHT_SCALE], 1)
