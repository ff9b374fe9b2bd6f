"""Mapping network z -> w with truncation towards w_avg (StyleGAN, Karras et al. 2019, section 3.2)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class MappingConfig:
    """Sizes of the mapping network."""

    z_size: int = 64
    hidden: int = 256
    w_size: int = 64


class Mapping(nn.Module):
    """Normalises z to unit second moment and maps it to W."""

    w_avg: Tensor

    def __init__(self, config: MappingConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.Sequential(
            nn.Linear(config.z_size, config.hidden), nn.LeakyReLU(0.2),
            nn.Linear(config.hidden, config.hidden), nn.LeakyReLU(0.2),
            nn.Linear(config.hidden, config.w_size),
        )  # fmt: skip
        self.register_buffer("w_avg", torch.zeros(config.w_size))

    def forward(self, z: Float[Tensor, "batch z"], truncation: float = 1.0) -> Float[Tensor, "batch w"]:
        """Latents w; truncation 1 leaves them, 0 gives `w_avg`."""
        z = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        return self.w_avg + truncation * (self.layers(z) - self.w_avg)


@dataclass(frozen=True)
class BlockMappingConfig:
    """A mapping of its own for each block of W, see `BlocksBackbone`: a block of z moves that block only."""

    sizes: tuple[int, ...] = ()
    """Dimensions of the blocks, in z as in W."""
    hidden: int = 192

    @property
    def z_size(self) -> int:
        """Dimensions of z."""
        return sum(self.sizes)

    @property
    def w_size(self) -> int:
        """Dimensions of W."""
        return sum(self.sizes)


class BlockMapping(nn.Module):
    """Block by block from z to W."""

    def __init__(self, config: BlockMappingConfig) -> None:
        super().__init__()
        self.config = config
        self.parts = nn.ModuleList([Mapping(MappingConfig(n, config.hidden, n)) for n in config.sizes])

    def forward(self, z: Float[Tensor, "batch z"], truncation: float = 1.0) -> Float[Tensor, "batch w"]:
        """Latents w; truncation 1 leaves them, 0 gives `w_avg`."""
        blocks = z.split(self.config.sizes, 1)
        return torch.cat([part(block, truncation) for part, block in zip(self.parts, blocks, strict=True)], 1)

    @property
    def w_avg(self) -> Float[Tensor, " w"]:
        """The average latent."""
        return torch.cat([torch.as_tensor(part.w_avg) for part in self.parts])


AnyMappingConfig = MappingConfig | BlockMappingConfig


def make_mapping(config: AnyMappingConfig) -> Mapping | BlockMapping:
    """The mapping of a config."""
    return Mapping(config) if isinstance(config, MappingConfig) else BlockMapping(config)
