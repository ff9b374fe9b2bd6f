"""The energy of distillation: a list of small weighted costs.

Colours at first hits (body and hair), hair height in the volume, two-pass volume rendering of random rays
(colour and alpha), and a prior on the latents.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.generator.decoder import Decoded
from mien.generator.model import Generator
from mien.generator.planes import Planes
from mien.generator.volume import Field, MarchConfig, march, over_body
from mien.morphable import chart
from mien.morphable.carry import Carrier
from mien.training.batches import JITTERED_SAMPLES, NEAR, Pixels, RayTargets

WEIGHTS: Final = {"body": 4.0, "hair": 2.0, "height": 6.0, "ray_rgb": 1.0, "ray_alpha": 0.5, "prior": 2e-4}
MARCH: Final = MarchConfig(JITTERED_SAMPLES, 12)


def distil_costs(
    generator: Generator,
    w: Float[Tensor, "batch w"],
    expression: Float[Tensor, "batch 52"],
    body: Pixels,
    hair: Pixels,
    rays: RayTargets,
    heights: tuple[Tensor, Tensor],
    carriers: list[Carrier],
) -> dict[str, Tensor]:
    """Every cost, weighted, by name."""
    planes = generator.planes(w, expression)
    rgb, alpha = render_rays(generator, planes, rays, carriers)
    costs = {
        "body": colour_cost(generator.decode(planes, body.points).body_rgb, body),
        "hair": colour_cost(generator.decode(planes, hair.points).hair_rgb, hair),
        "height": (generator.decode(planes, heights[0]).hair_height - heights[1]).abs().mean(),
        "ray_rgb": (rgb - rays.rgb).abs().mean(),
        "ray_alpha": (alpha - rays.alpha).abs().mean(),
        "prior": w.square().mean(),
    }
    return {name: WEIGHTS[name] * cost for name, cost in costs.items()}


def colour_cost(found: Float[Tensor, "batch point 3"], wanted: Pixels) -> Float[Tensor, ""]:
    """Mean absolute error of colours."""
    return ((found - wanted.rgb).abs().mean(-1) * wanted.weight).mean()


def render_rays(
    generator: Generator, planes: Planes, rays: RayTargets, carriers: list[Carrier]
) -> tuple[Float[Tensor, "batch ray 3"], Float[Tensor, "batch ray"]]:
    """Premultiplied colour and alpha of rays: hair by marching, in front of the opaque body."""
    near = torch.full_like(rays.far, NEAR)
    field = hair_field(generator, planes, carriers)
    hair = march(field, rays.origins, rays.directions, near, rays.far, MARCH, rays.jitter)
    body = generator.decode(planes, rays.body_points).body_rgb
    return over_body(hair, body, rays.hit > 0)


def hair_field(generator: Generator, planes: Planes, carriers: list[Carrier]) -> Field:
    """Decoded outputs and height above the body at points [B, N, 3] in the head frames of B people."""

    def field(points: Tensor) -> tuple[Decoded, Tensor]:
        with torch.no_grad():
            q = torch.stack([c.to_planes(p) for c, p in zip(carriers, points, strict=True)])
            height = chart.height_of(q[..., 2])
        return generator.decode(planes, q), height

    return field
