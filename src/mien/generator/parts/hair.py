"""Hair of a drawn head on a random person: its colour, and what the chart does to strands."""

from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from mien.core.curves import smoothstep
from mien.generator.grain import smoothed, strands
from mien.generator.laid import hair_texel_sides
from mien.generator.parts.store import Part
from mien.generator.planes import resize
from mien.morphable.carry import chart_grid
from mien.morphable.regions import on_scalp

THERE: Final = 0.1
"""Density from which on there is hair."""
LONGER: Final = 2.0
"""How much longer than wide a strand's texels are made at least."""
LENGTHS: Final = (1, 2, 4, 8, 16)
"""Half lengths that hair is smoothed over along v, texels of 512."""
GAP: Final = 6
"""Half width of gaps in hair on the scalp that are closed, texels of 256: few strands lie along a parting."""
WALL: Final = (6.0, 14.0)
"""Widths of texels over their heights between which hair loses all that is fine: such texels are walls, as of
hair beside a cheek, whose colour the chart cannot hold."""
WALL_BLUR: Final = 12
"""Half width of what is lost there, texels of 512."""
STRENGTH: Final = 1.6
"""Of what is finer than a lock: a texel holds the mean of strands that a picture shows apart."""
CRISP: Final = 0.8
"""Of the lightness of what is finer than three texels, how much is added besides."""
LOCK: Final = 6
"""Half width of a lock, texels of 512."""
EDGE_STEEP: Final = 1.5
EDGE_STRANDS: Final = 1.0
"""What becomes of the density at the hair's edges: steepness and standard deviation of strands, logits."""
LEAST: Final = 0.03
"""Density from which on there may be strands."""
SHADE: Final = 0.7
"""How far skin below dense hair takes the hair's colour."""


def is_hair(part: Part) -> Bool[Tensor, "small small"]:
    """Where a head has hair."""
    return (part.share > THERE) & (part.height > 0)


def mean_colour(part: Part) -> Float[Tensor, "3"] | None:
    """Mean colour of a head's hair, logits; None for a bald one."""
    there = _enlarged(is_hair(part).float(), part.hair.shape[-1]) > 0.5
    return part.hair[:, there].mean(1) if there.any() else None


def dyed(part: Part, colour: Part) -> Float[Tensor, "3 size size"]:
    """A head's hair in the mean colour of another head's."""
    hair = drawn_out(part.hair, part.height)
    own, wanted = mean_colour(part), mean_colour(colour)
    if own is None or wanted is None:
        return hair
    return hair + (wanted - own)[:, None, None]


def drawn_out(
    hair: Float[Tensor, "3 size size"], height: Float[Tensor, "small small"]
) -> Float[Tensor, "3 size size"]:
    """Hair smoothed along v by how much wider than high its texels are on the surface.

    Texels are wide at the back of the head, and very wide where the surface rises steeply around it: what is
    fine along strands would be drawn out to streaks across them.
    """
    size = hair.shape[-1]
    unit = size / 512
    ratio = _enlarged(widths_over_heights(height), size)
    hair = hair + CRISP * (hair - smoothed(hair, 1)).mean(0)
    hair = STRENGTH * hair + (1 - STRENGTH) * smoothed(hair, max(1, round(LOCK * unit)))
    excess, last = LONGER * ratio - 1, 0.0
    out = hair
    for length in LENGTHS:
        smooth = smoothed(hair, 0, max(1, round(length * unit)))
        share = ((excess - last) / (2 * length - last)).clamp(0, 1)
        out, last = torch.lerp(out, smooth, share), 2.0 * length
    return torch.lerp(out, smoothed(hair, max(1, round(WALL_BLUR * unit))), smoothstep(ratio, *WALL))


def widths_over_heights(height: Float[Tensor, "small small"]) -> Float[Tensor, "small small"]:
    """Width of texels on the hair's outer surface over their height."""
    sides = hair_texel_sides(height)
    around = (height.roll(-1, 1) - height.roll(1, 1)) / 2
    along = F.pad(height[None, None], (0, 0, 1, 1), mode="replicate")[0, 0]
    along = (along[2:] - along[:-2]) / 2
    width, tall = torch.hypot(sides[0], around), torch.hypot(sides[1], along)
    return smoothed((width / tall)[None], 2)[0]


def closed(layer: Float[Tensor, "small small"]) -> Float[Tensor, "small small"]:
    """A layer without its narrow gaps on the scalp (a morphological closing); u wraps."""
    radius, out = max(1, round(GAP * len(layer) / 256)), layer
    for sign in (1, -1):
        padded = F.pad(sign * out[None, None], (radius, radius, 0, 0), mode="circular")
        padded = F.pad(padded, (0, 0, radius, radius), mode="replicate")
        out = sign * F.max_pool2d(padded, 2 * radius + 1, 1)[0, 0]
    return torch.where(on_scalp(chart_grid(len(layer))), out, layer)


def in_strands(share: Float[Tensor, "small small"], seed: int) -> Float[Tensor, "small small"]:
    """A density that ends in strands instead of thinning out: hair's edges are seen against skin."""
    loose = EDGE_STEEP * torch.logit(share, LEAST) + EDGE_STRANDS * strands(len(share), seed)[0]
    return torch.where(share > LEAST, torch.sigmoid(loose), share)


def shaded_scalp(
    body: Float[Tensor, "3 size size"], hair: Float[Tensor, "3 size size"], part: Part
) -> Float[Tensor, "3 size size"]:
    """The skin with the hair's colour where hair is dense: it is seen between strands."""
    dense = smoothed((part.share * is_hair(part))[None], 1)[0]
    share = SHADE * _enlarged(dense, body.shape[-1]).clamp(0, 1)
    return torch.lerp(body, smoothed(hair, 2), share)


def _enlarged(layer: Float[Tensor, "small small"], size: int) -> Float[Tensor, "size size"]:
    return resize(layer[None, None], size)[0, 0]
