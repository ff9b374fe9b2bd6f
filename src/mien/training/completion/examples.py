"""Examples: what one view of a procedural head shows on the chart, and the whole head."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.generator.completion import EVIDENCE_SIZE, ChartEvidence, CompletionInput, base_of, completion_input
from mien.generator.decoder import HAIR_HEIGHT, HEIGHT_SCALE
from mien.generator.model import Generator
from mien.generator.texels import Splatted, splat, unseen
from mien.training.completion.config import CompletionTraining
from mien.training.procedural.shards import BODY, HAIR, UNIT, HeadShard, read_shard

EDGE_PX: Final = 4.0
"""Pixels from the outline of what they show over which they gain their weight, as in a photo."""
SHIFT: Final = 0.004
"""Of all evidence over the chart (standard deviation): a photo's fit is never exact."""
SWELL: Final = 0.06
"""Standard deviation of the smooth error of the known hair height, in units of `HEIGHT_SCALE`."""
NAMES: Final = ("body", "hair", "height", "opacity", "rgb", "kind", "alpha", "uv")
LEAST_LOGIT, MOST_LOGIT = 0.012, 0.988


@dataclass(frozen=True, eq=False)
class Batch:
    """Some heads, each seen in one view. N is the size of what is completed."""

    given: CompletionInput
    body: Float[Tensor, "*batch 3 size size"]
    """True colours in [0, 1]."""
    hair: Float[Tensor, "*batch 3 size size"]
    height: Float[Tensor, "*batch 1 half half"]
    """True, in units of `HEIGHT_SCALE`."""
    opacity: Float[Tensor, "*batch 1 half half"]
    """Of the hair, in [0, 1]."""
    seen: Float[Tensor, "*batch 2 half half"]
    """1 where the view shows the body, the hair."""


class Examples:
    """Heads in files, with their codes in a generator."""

    def __init__(
        self,
        paths: Sequence[Path],
        codes: Float[Tensor, "head w"],
        generator: Generator,
        config: CompletionTraining,
    ) -> None:
        self.paths, self.codes, self.generator, self.config = paths, codes, generator, config
        self.spread = codes.std(0)

    def batch(self, heads: Sequence[int], random: np.random.Generator) -> Batch:
        """One random view of each of some heads, as a photo would show it."""
        return _stacked([self._example(head, random, train=True) for head in heads])

    def fixed(self, head: int) -> Batch:
        """The first view of a head, always the same, with its true hair height and nearly its own w."""
        return _stacked([self._example(head, np.random.default_rng(head), train=False)])

    def _example(self, head: int, random: np.random.Generator, *, train: bool) -> Batch:
        shard = read_shard(self.paths[head], NAMES)
        view = int(random.integers(len(shard.arrays["rgb"]))) if train else 0
        noise = self.config.w_noise if train else 0.5 * self.config.w_noise
        w = self.codes[head] + noise * self.spread * _normal(random, len(self.spread))
        with torch.no_grad():
            base = base_of(self.generator, self.generator.planes(w[None], torch.zeros(1, 52)))
        true = torch.from_numpy(shard.arrays["height"].astype(np.float32))[None] / HEIGHT_SCALE
        known = _known_height(true, base[HAIR_HEIGHT:], random) if train else true
        hidden = train and random.uniform() < self.config.no_evidence
        shift = SHIFT * _normal(random, 2) if train else torch.zeros(2)
        body, hair = (evidence_of(shard, view, kind, shift, nothing=hidden) for kind in (BODY, HAIR))
        known = base[HAIR_HEIGHT:] if hidden else known
        given = completion_input(
            ChartEvidence(body, hair, base, known), _normal(random, 1, EVIDENCE_SIZE, EVIDENCE_SIZE)
        )
        colours = [torch.from_numpy(shard.arrays[n]).permute(2, 0, 1).float() / 255 for n in ("body", "hair")]
        opacity = torch.from_numpy(shard.arrays["opacity"].astype(np.float32))[None] / 255
        seen = torch.stack([1 - unseen(body[1]), 1 - unseen(hair[1])])
        return Batch(given, colours[0], colours[1], true, opacity, seen)


def evidence_of(
    shard: HeadShard, view: int, kind: int, shift: Float[Tensor, "2"], *, nothing: bool = False
) -> Splatted:
    """Colours (logits) of a view's pixels of a kind, spread onto the chart as by inversion."""
    size = round(len(shard.arrays["kind"][view]) ** 0.5)
    shows = shard.arrays["kind"][view] == kind
    if nothing or not shows.any():
        return torch.zeros(3, EVIDENCE_SIZE, EVIDENCE_SIZE), torch.zeros(EVIDENCE_SIZE, EVIDENCE_SIZE)
    away = cv2.distanceTransform(shows.reshape(size, size).astype(np.uint8), cv2.DIST_L2, 3).ravel()[shows]
    alpha = shard.arrays["alpha"][view][shows].astype(np.float32)[:, None] / 255
    rgb = shard.arrays["rgb"][view][shows].astype(np.float32) / 255 / np.maximum(alpha, 0.3)
    uv = torch.from_numpy(shard.arrays["uv"][view][shows].astype(np.float32) / UNIT) + shift
    target = torch.logit(torch.from_numpy(rgb).clamp(LEAST_LOGIT, MOST_LOGIT))
    weight = torch.from_numpy(np.clip(away / EDGE_PX, 0, 1) ** 2).float()
    return splat(uv, target, weight, EVIDENCE_SIZE)


def _known_height(true: Tensor, base: Tensor, random: np.random.Generator) -> Tensor:
    """Between the true height and the generator's, and smoothly off."""
    bumps = random.normal(size=(6, 6)).astype(np.float32)
    swell = cv2.resize(bumps, (true.shape[-1], true.shape[-1]), interpolation=cv2.INTER_CUBIC)
    return torch.lerp(true, base, float(random.uniform())) + SWELL * torch.from_numpy(swell)


def _normal(random: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(random.standard_normal(shape, np.float32))


def _stacked(parts: list[Batch]) -> Batch:
    given = CompletionInput(
        torch.stack([p.given.features for p in parts]), torch.stack([p.given.filled for p in parts])
    )
    body, hair, height, opacity, seen = (
        torch.stack([getattr(p, name) for p in parts])
        for name in ("body", "hair", "height", "opacity", "seen")
    )
    return Batch(given, body, hair, height, opacity, seen)
