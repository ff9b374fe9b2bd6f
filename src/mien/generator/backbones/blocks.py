"""Basis planes in blocks: appearance, hair, clothes and light are separate parts of W.

Each block moves its own channels only, so a head's hair can be changed and its skin stays. Light is not
learned: in logits light multiplies nearly by addition, so it is a sum of spherical harmonics of the
template's normals (Ramamoorthi and Hanrahan 2001), whose coefficients W mixes as lights do. All linear.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mien.generator.decoder import BODY_RGB, HAIR_HEIGHT, HAIR_RGB, HAIR_SHARE
from mien.generator.planes import Planes, resize
from mien.morphable import chart

Block = Literal["appearance", "hair", "clothes", "light"]
HARMONICS: Final = 9
"""Of order 2, see `BlocksBackbone.light_harmonics`."""
APPEARANCE_CHANNELS: Final = (0, 1, 2, 8, 9)
HAIR_CHANNELS: Final = (3, 4, 5, 6, 7, 10, 11)
CLOTHES_CHANNELS: Final = (0, 1, 2, 8, 9)
WRINKLES_U: Final = 0.5625
WRINKLES_V: Final = (-0.34375, 0.75)
"""The face on the chart: |u| below the one, v between the others."""
CLOTHES_TOP_Y: Final = -0.16
"""Head frame of the template, EG3D units: nothing worn on the body reaches higher than the chin."""


@dataclass(frozen=True)
class BlocksConfig:
    """Sizes of mien-base's planes."""

    appearance: int = 72
    hair: int = 56
    clothes: int = 16
    expression_codes: int = 12
    """Basis planes driven by the expression: wrinkles, and light on skin that turns."""
    channels: int = 12
    mean_size: int = 256
    """Side of the mean (u, v) plane: detail that all heads share."""
    basis_size: int = 128
    """Side of the basis (u, v) planes."""
    height_bins: int = 32
    """Rows of the (u, height) and (v, height) planes."""
    side_size: int = 64
    """Columns of the (u, height) and (v, height) planes."""

    @property
    def blocks(self) -> dict[Block, slice]:
        """Where each block lies in W."""
        sizes: dict[Block, int] = {
            "appearance": self.appearance, "hair": self.hair, "clothes": self.clothes, "light": 3 * HARMONICS
        }  # fmt: skip
        ends = torch.tensor(list(sizes.values())).cumsum(0).tolist()
        return {name: slice(end - sizes[name], end) for name, end in zip(sizes, ends, strict=True)}

    @property
    def latent(self) -> int:
        """Dimensions of W."""
        return self.blocks["light"].stop


class BlocksBackbone(nn.Module):
    """Mean planes, a linear basis per block, harmonics of light, and planes that expressions move."""

    def __init__(self, config: BlocksConfig) -> None:
        super().__init__()
        self.config = c = config
        self.blocks = config.blocks
        size, side = c.basis_size, (c.height_bins, c.side_size)
        self.mean_uv = nn.Parameter(torch.zeros(c.channels, c.mean_size, c.mean_size))
        self.mean_uh = nn.Parameter(torch.randn(c.channels, *side) * 0.02)
        self.mean_vh = nn.Parameter(torch.randn(c.channels, *side) * 0.02)
        self.appearance_uv = _basis(c.appearance, len(APPEARANCE_CHANNELS), size, size)
        self.hair_uv = _basis(c.hair, len(HAIR_CHANNELS), size, size)
        self.hair_uh = _basis(c.hair, len(HAIR_CHANNELS), *side)
        self.hair_vh = _basis(c.hair, len(HAIR_CHANNELS), *side)
        self.clothes_uv = _basis(c.clothes, len(CLOTHES_CHANNELS), clothes_rows(size), size)
        self.light_harmonics = nn.Parameter(torch.zeros(2, HARMONICS, size, size), requires_grad=False)
        """Harmonics of the normals of the body and of a smooth surface around the hair."""
        self.light_mix = nn.Parameter(torch.eye(3 * HARMONICS).view(-1, HARMONICS, 3), requires_grad=False)
        """Coefficients of the harmonics [component, harmonic, colour], per unit of W."""
        rows, columns = wrinkle_zone(c.mean_size)
        zone = (rows.stop - rows.start, columns.stop - columns.start)
        self.expression_uv = _basis(c.expression_codes, BODY_RGB.stop, *zone)
        """Of the face only, as fine as the mean: wrinkles are thin."""
        self.expression_code = nn.Linear(52, c.expression_codes, bias=False)

    def hair_shape_basis(self) -> Float[Tensor, "component 2 v u"]:
        """What each number of the hair's block adds to the hair's height and density, as decoder outputs."""
        return self.hair_uv[:, [HAIR_CHANNELS.index(output) for output in (HAIR_HEIGHT, HAIR_SHARE)]]

    def planes(self, w: Float[Tensor, "batch w"], expression: Float[Tensor, "batch 52"]) -> Planes:
        """Planes of each latent; linear in `w`."""
        c, size = self.config, self.config.basis_size
        appearance, hair, clothes, light = (w[:, part] for part in self.blocks.values())
        uv = w.new_zeros(len(w), c.channels, size, size)
        wrinkles = torch.tensordot(self.expression_code(expression), self.expression_uv, 1)
        uv = _add(uv, APPEARANCE_CHANNELS, torch.tensordot(appearance, self.appearance_uv, 1))
        uv = _add(uv, HAIR_CHANNELS, torch.tensordot(hair, self.hair_uv, 1))
        lower = torch.tensordot(clothes, self.clothes_uv, 1)
        uv = _add(uv, CLOTHES_CHANNELS, nn.functional.pad(lower, (0, 0, 0, size - lower.shape[2])))
        shading = torch.einsum("bl,lkc,skvu->bscvu", light, self.light_mix, self.light_harmonics)
        for side, channels in enumerate((BODY_RGB, HAIR_RGB)):
            uv = _add(uv, tuple(range(channels.start, channels.stop)), shading[:, side])
        rest = w.new_zeros(len(w), c.channels, c.height_bins, c.side_size)
        return Planes(
            uv=self.mean_uv + resize(uv, c.mean_size) + self._over_chart(wrinkles),
            uh=self.mean_uh + _add(rest, HAIR_CHANNELS, torch.tensordot(hair, self.hair_uh, 1)),
            vh=self.mean_vh + _add(rest, HAIR_CHANNELS, torch.tensordot(hair, self.hair_vh, 1)),
        )

    def _over_chart(self, face: Float[Tensor, "batch 3 v u"]) -> Float[Tensor, "batch channel v2 u2"]:
        """Change of the body's colours in the face as a whole (u, v) plane."""
        c, (rows, columns) = self.config, wrinkle_zone(self.config.mean_size)
        around = (columns.start, c.mean_size - columns.stop, rows.start, c.mean_size - rows.stop)
        return nn.functional.pad(face, (*around, 0, c.channels - face.shape[1]))


def wrinkle_zone(size: int) -> tuple[slice, slice]:
    """Rows and columns of a (u, v) plane in which expressions change the skin's colours: the face."""
    (low, high), side = WRINKLES_V, WRINKLES_U
    return (
        slice(round((low + 1) / 2 * size), round((high + 1) / 2 * size)),
        slice(round((1 - side) / 2 * size), round((1 + side) / 2 * size)),
    )


def clothes_rows(size: int) -> int:
    """Rows of a (u, v) plane, from below, in which clothes are worn."""
    top = chart.chart_uv(torch.tensor([0.0, CLOTHES_TOP_Y - chart.CENTRE_Y, chart.ARC_RADIUS]))[1]
    return round(float(top + 1) / 2 * size)


def _basis(count: int, channels: int, height: int, width: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(count, channels, height, width) * 0.01)


def _add(image: Tensor, channels: tuple[int, ...], part: Tensor) -> Tensor:
    return image.index_add(1, _index(channels, image.device), part)


@lru_cache(maxsize=16)
def _index(numbers: tuple[int, ...], device: torch.device) -> Tensor:
    """Kept: to send it anew would make a GPU wait. No inference tensor, whoever asks first."""
    with torch.inference_mode(False):
        return torch.tensor(numbers, device=device)
