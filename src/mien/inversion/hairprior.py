"""What is known of hair before the photo: height and density over the chart, and how they vary among heads.

In a generator with blocks both are linear in the hair's block of W, whose numbers vary independently among
heads: a Gaussian over whole heads of hair. What the silhouette shows of the front then tells of the back.
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.generator.backbones.blocks import BlocksBackbone
from mien.generator.decoder import HEIGHT_SCALE
from mien.generator.model import Generator
from mien.generator.planes import resize
from mien.generator.render import outer_height
from mien.generator.volume import SIGMA
from mien.morphable import chart
from mien.morphable.carry import chart_grid

HEIGHT_SIZE: Final = 128
"""Texels of the height field around the head."""
SURFACE: Final = 0.7
THIN: Final = (0.5, 0.95)
"""Opacities between which hair begins to hide what is below it."""


@dataclass(frozen=True, eq=False)
class HairShape:
    """Hair over the chart."""

    height: Float[Tensor, "v u"]
    """Outer surface above the smooth body, EG3D units."""
    density: Float[Tensor, "v u"] | None
    """Logit of the share of the greatest density; None where hair has no density of its own."""


@dataclass(frozen=True, eq=False)
class HairPrior:
    """mean + sum of z_k basis_k, with z of unit variance."""

    mean: HairShape
    height_basis: Float[Tensor, "component v u"]
    density_basis: Float[Tensor, "component v u"]

    @property
    def learned(self) -> bool:
        """Whether it knows how hair varies."""
        return len(self.height_basis) > 0

    def heights(self, z: Float[Tensor, " component"]) -> Float[Tensor, "v u"]:
        """Outer surface for a code."""
        return self.mean.height + torch.tensordot(z, self.height_basis, 1)

    def shape(self, z: Float[Tensor, " component"]) -> HairShape:
        """Hair for a code."""
        height, density = self.heights(z), self.mean.density
        if density is not None:
            density = density + torch.tensordot(z, self.density_basis, 1)
            density = torch.logit(at_surface(torch.sigmoid(density), height), 0.01)
        return HairShape(height, density)


def at_surface(share: Float[Tensor, "*batch"], height: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Density of the outer layer of hair, whose mean density down to the body is `share`.

    Of thick hair the mean says little: all light is lost in the outer layer. A third is lost by the outer
    surface's height (`mien.training.hairmaps`), which takes the density `SURFACE`.
    """
    opacity = 1 - torch.exp(-SIGMA * share * height.clamp(min=0))
    hides = ((opacity - THIN[0]) / (THIN[1] - THIN[0])).clamp(0, 1)
    return torch.lerp(share, share.clamp(min=SURFACE), hides)


def knows_hair(generator: Generator) -> bool:
    """Whether a generator's hair is linear in W, so that there is a prior without a W."""
    return isinstance(generator.backbone, BlocksBackbone)


def hair_prior(generator: Generator, w: Float[Tensor, " w"], expression: Float[Tensor, "52"]) -> HairPrior:
    """The generator's own. Without blocks it is the hair of `w` alone; with blocks `w` does not matter."""
    backbone, none = generator.backbone, torch.zeros(0, HEIGHT_SIZE, HEIGHT_SIZE)
    if not isinstance(backbone, BlocksBackbone):
        return HairPrior(drawn_shape(generator, w, expression), none, none)
    spread = generator.w_std[backbone.blocks["hair"]]
    basis = resize(backbone.hair_shape_basis(), HEIGHT_SIZE) * spread[:, None, None, None]
    mean = drawn_shape(generator, generator.mapping.w_avg, expression)
    return HairPrior(mean, basis[:, 0] * HEIGHT_SCALE, basis[:, 1])


def drawn_shape(generator: Generator, w: Float[Tensor, " w"], expression: Float[Tensor, "52"]) -> HairShape:
    """The hair that the generator draws for `w`."""
    with torch.no_grad():
        planes = generator.planes(w[None], expression[None])
        height = outer_height(generator, planes, HEIGHT_SIZE)
        surface = torch.cat([chart_grid(HEIGHT_SIZE), chart.height_coordinate(height)[..., None]], -1)
        share = generator.decode(planes, surface.reshape(1, -1, 3)).hair_share
    return HairShape(height, None if share is None else torch.logit(share.view_as(height), 0.01))
