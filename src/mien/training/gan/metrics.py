"""Distances between fakes and real images, to be measured while training.

A metric is any callable that takes batches of fakes and gives figures by name. `FeatureDistance` makes FID
and KID of any feature extractor; mien ships none, since Inception's weights have their own licence and would
have to be downloaded. `SlicedWasserstein` needs no network.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from mien.core.featuresets import frechet_distance, kernel_distance

Metric = Callable[[Iterable[UInt8[Tensor, "batch 3 height width"]]], Mapping[str, float]]
"""From batches of fakes (8-bit RGB) to figures by name."""
Extractor = Callable[[UInt8[Tensor, "batch 3 height width"]], Float[Tensor, "batch feature"]]
"""From 8-bit RGB to features."""
PATCH: Final = 7


class FeatureDistance:
    """FID and KID between fakes and the real images given at the start."""

    def __init__(
        self, extract: Extractor, reals: Iterable[UInt8[Tensor, "batch 3 height width"]], *, name: str = ""
    ) -> None:
        """`name` is put before the figures' names."""
        self._extract, self._name = extract, name
        self._reals = self._features(reals)

    def __call__(self, fakes: Iterable[UInt8[Tensor, "batch 3 height width"]]) -> dict[str, float]:
        """Both distances."""
        found = self._features(fakes)
        return {
            f"{self._name}fid": frechet_distance(found, self._reals),
            f"{self._name}kid": kernel_distance(found, self._reals),
        }

    def _features(self, batches: Iterable[Tensor]) -> Float[np.ndarray, "n feature"]:
        with torch.no_grad():
            return torch.cat([self._extract(batch).double().cpu() for batch in batches]).numpy()


@dataclass(frozen=True)
class SlicedWassersteinConfig:
    """How finely the distance is measured."""

    levels: int = 3
    """Of the pyramid, each half as large as the one before; the last is kept as it is."""
    patches: int = 64
    """Per image and level."""
    directions: int = 256
    seed: int = 0


class SlicedWasserstein:
    """Distance between the patches of two sets of images, level by level (Karras et al. 2018, section 5).

    Unlike there, patches are scaled by the real ones' mean and deviation, so that wrong colours count.
    """

    def __init__(
        self,
        reals: Iterable[UInt8[Tensor, "batch 3 height width"]],
        config: SlicedWassersteinConfig | None = None,
    ) -> None:
        self.config = config or SlicedWassersteinConfig()
        self._levels = []
        for patches in self._patches(reals):
            mean, deviation = patches.mean((0, 2, 3)), patches.std((0, 2, 3))
            kept = quantiles(self._projected(patches, mean, deviation))
            self._levels.append((mean, deviation, kept))

    def __call__(self, fakes: Iterable[UInt8[Tensor, "batch 3 height width"]]) -> dict[str, float]:
        """The mean over levels (`swd`) and each level, times 1000; finest level first."""
        found = []
        for patches, (mean, deviation, reals) in zip(self._patches(fakes), self._levels, strict=True):
            mine = quantiles(self._projected(patches, mean, deviation))
            found.append(1000 * float((mine - reals).abs().mean()))
        return {"swd": sum(found) / len(found), **{f"swd_{k}": value for k, value in enumerate(found)}}

    def _patches(self, batches: Iterable[Tensor]) -> list[Float[Tensor, "n 3 patch patch"]]:
        """Random patches of all images, one tensor per level."""
        random = torch.Generator().manual_seed(self.config.seed)
        levels: list[list[Tensor]] = [[] for _ in range(self.config.levels)]
        for batch in batches:
            for kept, level in zip(levels, pyramid(batch.float().cpu(), self.config.levels), strict=True):
                unfolded = F.unfold(level, PATCH).transpose(1, 2)  # [image, place, 3 * patch * patch]
                count = unfolded.shape[:2]
                chosen = torch.randint(count[1], (count[0], self.config.patches), generator=random)
                kept.append(unfolded.gather(1, chosen[..., None].expand(-1, -1, unfolded.shape[2])))
        return [torch.cat(kept).flatten(0, 1).unflatten(1, (3, PATCH, PATCH)) for kept in levels]

    def _projected(self, patches: Tensor, mean: Tensor, deviation: Tensor) -> Float[Tensor, "n direction"]:
        """Scaled patches along random directions, sorted along each."""
        random = torch.Generator().manual_seed(self.config.seed)
        scaled = (patches - mean[:, None, None]) / (deviation[:, None, None] + 1e-6)
        directions = torch.randn(3 * PATCH**2, self.config.directions, generator=random)
        return (scaled.flatten(1) @ F.normalize(directions, dim=0)).sort(0).values


def quantiles(values: Float[Tensor, "n direction"], count: int = 512) -> Float[Tensor, "{count} direction"]:
    """Evenly spaced quantiles of sorted values, so that sets of different size can be compared."""
    place = (torch.arange(count) + 0.5) / count * (len(values) - 1)
    low = place.floor().long()
    return torch.lerp(values[low], values[(low + 1).clamp(max=len(values) - 1)], (place - low)[:, None])


def pyramid(images: Float[Tensor, "batch 3 height width"], levels: int) -> list[Tensor]:
    """Laplacian pyramid: what each halving loses, and at the end the smallest image itself."""
    found = []
    for _ in range(levels - 1):
        small = F.avg_pool2d(images, 2)
        found.append(images - F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False))
        images = small
    return [*found, images]
