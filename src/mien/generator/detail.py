"""Completed colours as a residual: of a photo's hidden parts, or of a random person as a whole."""

from dataclasses import dataclass, replace
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.curves import smoothstep
from mien.generator.beard import HALF_SEEN, with_beard
from mien.generator.completion import (
    EVIDENCE_SIZE,
    ChartEvidence,
    Completed,
    CompletionInput,
    base_of,
    completion_input,
)
from mien.generator.decoder import BODY_RGB, HAIR_HEIGHT, HAIR_RGB, HEIGHT_SCALE, OUTPUTS
from mien.generator.grain import HUE_PULL, HUE_WIDTH, coarse_of, drawn_grain, part_of, smoothed, towards
from mien.generator.laid import Swatch, hair_texel_sides, laid_grain
from mien.generator.model import Generator
from mien.generator.planes import Planes, resize
from mien.generator.texels import SIZE, Splatted, blurred, island_rows, unseen
from mien.morphable.carry import chart_grid
from mien.morphable.regions import azimuth_and_height, on_face, on_scalp

GLIMPSE: Final = 0.02
"""Weight of a texel's evidence from which on it counts as seen."""
GRAZED: Final = 0.1
"""Weight of a texel's evidence over the median of what is seen below which it does not: what is seen edge-on,
with the shine of a rim, would be a smear on a turned cheek."""
WITHIN: Final = 1
"""Texels of the evidence within what is seen over which completed colours end."""
FACING: Final = (0.15, 0.4)
"""Cosines of the view against the surface between which hair begins to count as seen: what is seen edge-on is
smeared along the rays."""
EDGE_ON: Final = (0.01, 0.08)
"""The same for its coarse colour."""
NEAR: Final = 1 / 64
"""Over what share of the chart's side pixels are counted."""
SKIN_DEG: Final = 115.0
"""Azimuth to either side up to which hidden skin follows the hue of seen cheeks."""
SKIN_HEIGHT: Final = (-0.27, 0.12)
"""The same for heights in the template's frame, EG3D units: from the throat to the forehead."""
LEAST_SCALP: Final = 0.1
"""Share of the seen hair that must lie on the scalp to give the colour of hidden hair alone."""


def complete(generator: Generator, evidence: ChartEvidence, *, seed: int = 0) -> Completed:
    """The whole head of one photo; for generators with a network for it. Deterministic for a seed.

    The network sees the hair in the colour that the generator's own hair has there: so hair of a colour that
    it never saw is completed like other hair.
    """
    assert generator.completer is not None
    total, weight = evidence.hair
    own = (weight * evidence.base[HAIR_RGB]).sum((1, 2))
    dye = ((total.sum((1, 2)) - own) / weight.sum().clamp(min=1e-3))[:, None, None]
    evidence = replace(evidence, hair=(total - weight * dye, weight))
    noise = torch.randn(1, EVIDENCE_SIZE, EVIDENCE_SIZE, generator=torch.Generator().manual_seed(seed))
    given = completion_input(evidence, noise)
    with torch.no_grad():
        out = generator.completer(CompletionInput(given.features[None], given.filled[None]))
    return Completed(out.body[0], out.hair[0] + dye, out.height[0])


@dataclass(frozen=True, eq=False)
class SeenHair:
    """What a photo shows in the hair's place, over the chart at `EVIDENCE_SIZE`, pixels put where they meet
    hair on average."""

    hair: Float[Tensor, "size size"]
    """Weight of hair."""
    other: Float[Tensor, "size size"]
    """Weight of what is none: clothes, ears."""
    swatch: Swatch
    face: Swatch
    """Skin and beard of cheeks and jaw."""
    level: Swatch
    """What of it is not seen edge-on."""
    formed: Float[Tensor, "size size"] | None = None
    """0 to 1 where a beard stands off the skin; None if none does."""


def put_hidden(
    residual: Float[Tensor, "1 7 size size"], evidence: ChartEvidence, completed: Completed,
    seen: SeenHair | None = None, *, islands: bool = True,
) -> Float[Tensor, "1 7 size size"]:  # fmt: skip
    """The residual, with the completed colours instead of its own where nothing was seen.

    Without `seen`, the hair's evidence says where it was seen. Without `islands` the residual of eyes, teeth
    and mouth stays as it is.

    Hidden hair gets the grain of seen hair, and part of its mean colour.
    """
    size = residual.shape[-1]
    shown = glimpsed = 1 - unseen(evidence.hair[1])
    if seen is not None:
        facing = _facing(seen, evidence.height[0] * HEIGHT_SCALE)
        shown, glimpsed = (smoothstep(facing, *limits) for limits in (FACING, EDGE_ON))
        shown = torch.maximum(shown, 1 - unseen(seen.other))
    shares = torch.stack([_beside(evidence.body[1]), 1 - shown])[None]
    body_share, hair_share = _fitted(shares, size)[0].clone()
    if not islands:
        body_share[: island_rows(size)] = 0
    base = _fitted(resize(evidence.base[None], completed.body.shape[-1]), size)[0]
    body, hair = (_fitted(colours[None], size)[0] for colours in (completed.body, completed.hair))
    if seen is not None:
        skin = _skin_as_seen(body, evidence.body)
        body = with_beard(skin, evidence.body, seen.face, seen.level, seen.formed)
    own_hair = residual[0, HAIR_RGB] + base[HAIR_RGB]
    hair = _as_seen(hair, own_hair, evidence, glimpsed, None if seen is None else seen.swatch)
    out = residual.clone()
    for channels, guess, share in ((BODY_RGB, body, body_share), (HAIR_RGB, hair, hair_share)):
        out[0, channels] = torch.lerp(residual[0, channels], guess - base[channels], share)
    return out


def _beside(weight: Float[Tensor, "size size"]) -> Float[Tensor, "size size"]:
    """1 where nothing is seen of the body, 0 from a little inside of what is seen on.

    Next to it the residual's own colours are of whatever is near: dyed scalp drew a dark line around faces.
    """
    glimpse = weight > GLIMPSE
    if glimpse.any():
        weight = weight * (weight > GRAZED * weight[glimpse].median())
    seen, half = (weight > GLIMPSE).float()[None, None], len(weight) // 64
    closed = -_largest(-_largest(seen, half), half)  # gaps within what is seen are filled in well
    return torch.maximum(unseen(weight), 1 - blurred(-_largest(-closed, WITHIN)[0, 0], 2 * WITHIN + 1))


def _largest(image: Float[Tensor, "1 1 v u"], half: int) -> Float[Tensor, "1 1 v u"]:
    return torch.nn.functional.max_pool2d(image, 2 * half + 1, 1, half)


def _skin_as_seen(guess: Float[Tensor, "3 texel texel"], seen: Splatted) -> Float[Tensor, "3 texel texel"]:
    """The guess whose skin has gone part of the way to the hue of seen cheeks: what a network knows of pale
    people is that the sides of their faces are tan."""
    total, weight = seen
    grid, size = chart_grid(len(weight)), guess.shape[-1]
    cheeks = on_face(grid) & (weight > HALF_SEEN)
    if not cheeks.any():
        return guess
    usual = (total / weight.clamp(min=1e-6))[:, cheeks].median(1).values
    azimuth, height = azimuth_and_height(grid)
    skin = (azimuth < SKIN_DEG) & (height > SKIN_HEIGHT[0]) & (height < SKIN_HEIGHT[1])
    share = _fitted(blurred(skin.float(), len(weight) // 48)[None, None], size)[0]
    coarse = smoothed(guess, max(1, round(HUE_WIDTH * size)))
    return guess + share * part_of(usual[:, None, None] - coarse, HUE_PULL, 0.0)


def _facing(seen: SeenHair, height: Float[Tensor, "size size"]) -> Float[Tensor, "size size"]:
    """How much of what would be seen from the front is seen of every texel: by the pixels that fall on it."""
    pixels = (hair_texel_sides(height) / seen.swatch.pixel).prod(0)
    return blurred(seen.hair, round(NEAR * len(height))) / pixels


def _as_seen(
    guess: Float[Tensor, "3 texel texel"],
    own: Float[Tensor, "3 texel texel"],
    evidence: ChartEvidence,
    glimpsed: Float[Tensor, "size size"],
    swatch: Swatch | None,
) -> Float[Tensor, "3 texel texel"]:
    """The guess with the grain of seen hair, its coarse colour where hair is `glimpsed`, and part of its mean
    colour elsewhere."""
    total, weight = evidence.hair
    grid = chart_grid(len(weight))
    # By area, not by pixels, of which the front has most; and nearer to what is hidden.
    counts = glimpsed * (weight > 0) * grid[..., 0].abs()
    if counts.sum() <= 0:
        return guess
    scalp = counts * on_scalp(grid)  # a beard, or what falls on the chest, may differ
    counts = scalp if scalp.sum() > LEAST_SCALP * counts.sum() else counts
    mean = (total / weight.clamp(min=1e-6) * counts).sum((1, 2)) / counts.sum()
    size, grain = guess.shape[-1], None
    glimpsed = _fitted(glimpsed[None, None], size)[0, 0]
    if swatch is not None:
        grain = laid_grain(swatch, _fitted(evidence.height[None], size)[0, 0] * HEIGHT_SCALE)
    if grain is None:
        grain = drawn_grain(own, glimpsed)
    guess = towards(guess, mean, 1 - glimpsed)
    return guess + glimpsed * coarse_of(own - guess) + grain


def add_detail(generator: Generator, planes: Planes, w: Float[Tensor, " w"], *, seed: int = 0) -> Planes:
    """A person's planes with what the network for completion adds to a head of which nothing was seen: pores,
    spots, strands. Planes as they are if the generator has no such network. Deterministic for a seed.

    The network reads the face at rest, so that detail does not change with the expression.
    """
    if generator.completer is None:
        return planes
    rest = generator.planes(w[None], torch.zeros(1, 52, device=w.device))
    base = base_of(generator, rest)
    nothing = torch.zeros(3, EVIDENCE_SIZE, EVIDENCE_SIZE), torch.zeros(EVIDENCE_SIZE, EVIDENCE_SIZE)
    evidence = ChartEvidence(nothing, nothing, base, base[HAIR_HEIGHT:])
    completed = complete(generator, evidence, seed=seed)
    return replace(planes, residual=put_hidden(torch.zeros(1, OUTPUTS, SIZE, SIZE), evidence, completed))


def _fitted(image: Float[Tensor, "1 channel v u"], size: int) -> Float[Tensor, "1 channel size size"]:
    if image.shape[-1] > size:
        return torch.nn.functional.interpolate(image, size=(size, size), mode="area")
    return resize(image, size)
