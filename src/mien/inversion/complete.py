"""What a photo hides, completed over the chart by the generator's own network, see `generator.completion`."""

from dataclasses import replace

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
from mien.generator.decoder import BODY_RGB, HAIR_RGB, HEIGHT_SCALE
from mien.generator.model import Generator
from mien.generator.planes import Planes, resize
from mien.generator.texels import Splatted, splat, unseen
from mien.inversion.hidden import Observations
from mien.morphable import chart


def chart_evidence(
    generator: Generator,
    planes: Planes,
    height: Float[Tensor, "v u"],
    body: Observations,
    hair: Observations,
) -> ChartEvidence:
    """Observed colours (logits) on the chart, beside what the generator has; planes without a residual."""
    base = base_of(generator, replace(planes, hair_height=None, residual=None))
    known = resize(height[None, None], EVIDENCE_SIZE)[0].clamp(*chart.HEIGHT_RANGE) / HEIGHT_SCALE
    return ChartEvidence(_splatted(body), _splatted(hair), base, known)


def complete(generator: Generator, evidence: ChartEvidence, *, seed: int = 0) -> Completed:
    """The whole head of one photo; for generators with a network for it. Deterministic for a seed."""
    assert generator.completer is not None
    noise = torch.randn(1, EVIDENCE_SIZE, EVIDENCE_SIZE, generator=torch.Generator().manual_seed(seed))
    given = completion_input(evidence, noise)
    with torch.no_grad():
        out = generator.completer(CompletionInput(given.features[None], given.filled[None]))
    return Completed(out.body[0], out.hair[0], out.height[0])


def put_hidden(
    residual: Float[Tensor, "1 7 size size"], evidence: ChartEvidence, completed: Completed
) -> Float[Tensor, "1 7 size size"]:
    """The residual, with the completed colours instead of its own where nothing was seen."""
    size = residual.shape[-1]
    base = resize(evidence.base[None], completed.body.shape[-1])[0]
    out = residual.clone()
    for channels, colours, (_, weight) in (
        (BODY_RGB, completed.body, evidence.body), (HAIR_RGB, completed.hair, evidence.hair)
    ):  # fmt: skip
        guess = _fitted((colours - base[channels])[None], size)[0]
        share = _fitted(unseen(weight)[None, None], size)[0, 0]
        out[0, channels] = torch.lerp(residual[0, channels], guess, share)
    return out


def _fitted(image: Float[Tensor, "1 channel v u"], size: int) -> Float[Tensor, "1 channel size size"]:
    if image.shape[-1] > size:
        return torch.nn.functional.interpolate(image, size=(size, size), mode="area")
    return resize(image, size)


def _splatted(o: Observations) -> Splatted:
    used = o.weight > 1e-3
    return splat(o.points[used, :2], o.target[used], o.weight[used], EVIDENCE_SIZE)
