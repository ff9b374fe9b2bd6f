"""A small network that says of every pixel what it shows, and whether there is any of it in the picture.

An encoder and decoder with bridges between them (Ronneberger et al. 2015).
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mien.core.checkpoint import read_safetensors, require_keys, write_safetensors
from mien.core.errors import CheckpointError
from mien.morphable.imageencoder import ConvNorm


@dataclass(frozen=True)
class PartsNetConfig:
    """A network's size."""

    widths: tuple[int, ...] = (20, 32, 48, 64)
    """Channels of each level, of which the first has half the picture's pixels on each side; each further
    level has half of the one before."""


@dataclass(frozen=True, eq=False)
class PartsAnswer:
    """What a network says of pictures."""

    parts: Float[Tensor, "n class rows columns"]
    """Logits of the classes."""
    worn: Float[Tensor, " n"]
    """Logit of there being any: of glasses being worn, of something being held before the face."""


class PartsNet(nn.Module):
    """Pictures in [0, 1] to a `PartsAnswer`; sides are multiples of 2 to the number of levels."""

    def __init__(self, config: PartsNetConfig, classes: int) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for inputs, width in zip((12, *widths), widths, strict=False):
            self.down.append(_pair(inputs, width))
        for width, below in zip(widths[-2::-1], widths[:0:-1], strict=True):
            self.up.append(_pair(width + below, width))
        self.parts = nn.Conv2d(widths[0], 4 * classes, 1)
        self.worn = nn.Sequential(nn.Linear(2 * widths[-1], 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, pictures: Float[Tensor, "n 3 rows columns"]) -> PartsAnswer:
        x, kept = F.pixel_unshuffle(4 * pictures - 2, 2), []
        for level, pair in enumerate(self.down):
            x = pair(F.max_pool2d(x, 2) if level else x)
            kept.append(x)
        worn = self.worn(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))[:, 0]
        for pair, beside in zip(self.up, kept[-2::-1], strict=True):
            wide = F.interpolate(x, size=beside.shape[-2:], mode="bilinear", align_corners=False)
            x = pair(torch.cat([wide, beside], 1))
        return PartsAnswer(F.pixel_shuffle(self.parts(x), 2), worn)

    def fold(self) -> "PartsNet":
        """In evaluation mode, norms taken into the convolutions, without gradients."""
        self.eval().requires_grad_(False)
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()
        return self


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(ConvNorm(inputs, outputs), nn.ReLU(), ConvNorm(outputs, outputs), nn.ReLU())


def save_parts_net(path: Path, network: PartsNet, kind: str, header: dict[str, object] | None = None) -> None:
    """Write a folded network in half precision."""
    tensors = {name: value.half() for name, value in network.state_dict().items()}
    write_safetensors(path, tensors, {"kind": kind, "network": asdict(network.config), **(header or {})})


def read_parts_net(path: Path, kind: str, classes: int) -> PartsNet:
    """Read a network. Raises CheckpointError for a file that is none of that kind."""
    file = read_safetensors(path, kind=kind)
    try:
        found: dict[str, Any] = {k: tuple(v) for k, v in file.header["network"].items()}
        network = PartsNet(PartsNetConfig(**found), classes).fold()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{path} does not say what network it holds ({error}); make it again."
        ) from error
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    require_keys(file.tensors, shapes, source=str(path))
    if not all(bool(torch.isfinite(t).all()) for t in file.tensors.values()):
        raise CheckpointError(f"{path} holds numbers that are not finite; make it again.")
    network.load_state_dict({name: value.float() for name, value in file.tensors.items()})
    return network
