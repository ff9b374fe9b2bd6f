"""Completed colours as a residual: of a photo's hidden parts, or of a random person as a whole."""

from dataclasses import replace
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.generator.completion import (
    EVIDENCE_SIZE,
    ChartEvidence,
    Completed,
    CompletionInput,
    base_of,
    completion_input,
)
from mien.generator.decoder import BODY_RGB, HAIR_HEIGHT, HAIR_RGB, OUTPUTS
from mien.generator.grain import drawn_grain, laid_grain, towards
from mien.generator.model import Generator
from mien.generator.planes import Planes, resize
from mien.generator.texels import SIZE, Splatted, island_rows, unseen
from mien.morphable.carry import chart_grid
from mien.morphable.regions import on_scalp

TYPICAL: Final = 4.0
"""Weight of texels that have half of the evidence together with all that have less, of hair in a photo of
512 px with the head half as wide."""
HAIR_DOUBT: Final = 30.0
"""How much more must be seen of hair than of skin to be kept: its sides are smeared along grazing rays."""

HALF_SEEN: Final = 0.1
"""Weight at which a texel counts half in the mean colour of seen hair."""
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


def put_hidden(
    residual: Float[Tensor, "1 7 size size"], evidence: ChartEvidence, completed: Completed,
    kept: Float[Tensor, "size2 size2"] | None = None, *, islands: bool = True,
) -> Float[Tensor, "1 7 size size"]:  # fmt: skip
    """The residual, with the completed colours instead of its own where nothing was seen.

    `kept` is the weight of all that was seen in the hair's place, if that is more than the hair's evidence.
    Without `islands` the residual of eyes, teeth and mouth stays as it is.

    Hidden hair gets the grain of seen hair, and part of its mean colour.
    """
    size = residual.shape[-1]
    base = resize(evidence.base[None], completed.body.shape[-1])[0]
    out = residual.clone()
    for channels, colours, weight in (
        (BODY_RGB, completed.body, evidence.body[1]),
        (HAIR_RGB, completed.hair, evidence.hair[1] if kept is None else kept),
    ):
        share = unseen(weight)
        if channels == HAIR_RGB:
            other = (weight - evidence.hair[1]).clamp(min=0)  # clothes, ears
            share = torch.minimum(unseen(evened(weight) / HAIR_DOUBT), unseen(other))
        share = _fitted(share[None, None], size)[0, 0].clone()
        if channels == BODY_RGB and not islands:
            share[: island_rows(size)] = 0
        own = _fitted(base[channels][None], size)[0]
        guess = _fitted(colours[None], size)[0]
        if channels == HAIR_RGB:
            guess = _as_seen(guess, residual[0, channels] + own, evidence.hair, share)
        out[0, channels] = torch.lerp(residual[0, channels], guess - own, share)
    return out


def _as_seen(
    guess: Float[Tensor, "3 texel texel"],
    shown: Float[Tensor, "3 texel texel"],
    evidence: Splatted,
    share: Float[Tensor, "texel texel"],
) -> Float[Tensor, "3 texel texel"]:
    total, weight = evidence
    if weight.sum() <= 0:
        return guess
    even = evened(weight)
    total, weight = total * even / weight.clamp(min=1e-6), even
    grid = chart_grid(len(weight))
    # By area, not by pixels, of which the front has most; and nearer to what is hidden.
    seen = weight / (weight + HALF_SEEN) * grid[..., 0].abs()
    scalp = seen * on_scalp(grid)  # a beard, or what falls on the chest, may differ
    own = scalp if scalp.sum() > LEAST_SCALP * seen.sum() else seen
    mean = (total * (own / weight.clamp(min=1e-6))).sum((1, 2)) / own.sum()
    weight = _fitted(weight[None, None], len(share))[0, 0]
    grain = laid_grain(shown, weight)
    return towards(guess, mean, share) + (drawn_grain(shown, weight) if grain is None else grain)


def evened(weight: Float[Tensor, "size size"]) -> Float[Tensor, "size size"]:
    """Weight of evidence as of a photo that shows what it shows best with `TYPICAL` pixels a texel."""
    ordered = weight.flatten().sort().values
    total = ordered.cumsum(0)
    half = ordered[int((total < total[-1] / 2).sum().clamp(max=len(ordered) - 1))]
    return weight * TYPICAL / half.clamp(min=1e-6)


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
