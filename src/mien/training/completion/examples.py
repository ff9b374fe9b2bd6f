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
from torch.nn import functional as F

from mien.generator.completion import EVIDENCE_SIZE, ChartEvidence, CompletionInput, base_of, completion_input
from mien.generator.decoder import BODY_RGB, HAIR_HEIGHT, HAIR_RGB, HEIGHT_SCALE
from mien.generator.model import Generator
from mien.generator.texels import Splatted, splat, unseen
from mien.training.completion.config import CompletionTraining
from mien.training.completion.draws import Draws, draw_fixed, draw_one
from mien.training.procedural.shards import BODY, HAIR, UNIT, HeadShard, read_shard

EDGE_PX: Final = 4.0
"""Pixels from the outline of what they show over which they gain their weight, as in a photo."""
NAMES: Final = ("body", "hair", "height", "opacity", "rgb", "kind", "alpha", "uv")
LEAST_LOGIT, MOST_LOGIT = 0.012, 0.988


@dataclass(frozen=True, eq=False)
class TrueMaps:
    """A whole head over the chart, or several. N is the size of what is completed."""

    body: Float[Tensor, "*batch 3 size size"]
    """Colours in [0, 1]."""
    hair: Float[Tensor, "*batch 3 size size"]
    height: Float[Tensor, "*batch 1 half half"]
    """In units of `HEIGHT_SCALE`."""
    opacity: Float[Tensor, "*batch 1 half half"]
    """Of the hair, in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some heads, each seen in one view. N is the size of what is completed."""

    given: CompletionInput
    body: Float[Tensor, "*batch 3 size size"]
    """True colours, and so on as in `TrueMaps`."""
    hair: Float[Tensor, "*batch 3 size size"]
    height: Float[Tensor, "*batch 1 half half"]
    opacity: Float[Tensor, "*batch 1 half half"]
    seen: Float[Tensor, "*batch 2 half half"]
    """1 where the view shows the body, the hair."""


class Examples:
    """Heads in files, with their codes in a generator: read, splatted and decoded one by one on the CPU.

    `mien.training.completion.resident` does the same with all heads in memory, many at once.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        codes: Float[Tensor, "head w"],
        generator: Generator,
        config: CompletionTraining,
    ) -> None:
        self.paths, self.codes, self.generator, self.config = paths, codes, generator, config
        self.spread = codes.std(0)

    def drawn(self, heads: int, random: np.random.Generator) -> Batch:
        """As many examples as a step takes, of the first so many heads."""
        return self.batch(random.integers(0, heads, self.config.batch).tolist(), random)

    def batch(self, heads: Sequence[int], random: np.random.Generator) -> Batch:
        """One random view of each of some heads, as a photo would show it."""
        return _stacked([self._drawn(head, random) for head in heads])

    def fixed(self, head: int, *, shifted: bool = False) -> Batch:
        """A head that measures, see `draw_fixed`."""
        return _stacked([self.example(draw_fixed(head, len(self.spread), self.config, shifted=shifted))])

    def example(self, draws: Draws, shard: HeadShard | None = None) -> Batch:
        """One example, without an axis for the batch."""
        shard = shard or read_shard(self.paths[int(draws.head)], NAMES)
        w = self.codes[draws.head] + self.spread * draws.w
        with torch.no_grad():
            base = base_of(self.generator, self.generator.planes(w[None], torch.zeros(1, 52)))
        body, hair = (evidence_of(shard, int(draws.view), kind, draws.shift) for kind in (BODY, HAIR))
        return assembled(body, hair, base, true_maps(shard), draws)

    def _drawn(self, head: int, random: np.random.Generator) -> Batch:
        shard = read_shard(self.paths[head], NAMES)
        views = len(shard.arrays["rgb"])
        return self.example(draw_one(head, views, len(self.spread), self.config, random), shard)


def assembled(
    body: Splatted, hair: Splatted, base: Float[Tensor, "*batch 7 half half"], true: TrueMaps, draws: Draws
) -> Batch:
    """What the network reads and what it should answer, given evidence, the generator's heads and draws."""
    hidden, share = _images(draws.hidden), _images(draws.base_share)
    own = base[..., HAIR_HEIGHT:, :, :]
    swell = F.interpolate(
        draws.bumps.reshape(-1, 1, *draws.bumps.shape[-2:]), size=own.shape[-2:], mode="bicubic"
    )
    known = torch.lerp(true.height, own, _images(draws.to_base)) + swell.view(own.shape)
    on_body, on_hair = (draws.offset[..., colours, None, None] for colours in (BODY_RGB, HAIR_RGB))
    both = F.pad(torch.cat([on_body, on_hair], -3), (0, 0, 0, 0, 0, 1))
    body, hair = (
        ((total + weight[..., None, :, :] * offset) * ~hidden, weight * ~hidden[..., 0])
        for (total, weight), offset in ((body, on_body), (hair, on_hair))
    )
    evidence = ChartEvidence(body, hair, base + share * both, torch.where(hidden, own, known))
    return Batch(
        completion_input(evidence, draws.noise),
        recoloured(true.body, on_body), recoloured(true.hair, on_hair), true.height, true.opacity,
        torch.stack([1 - unseen(body[1]), 1 - unseen(hair[1])], -3),
    )  # fmt: skip


def recoloured(rgb: Tensor, offset: Tensor) -> Tensor:
    """Colours in [0, 1] whose logits are moved; black and white stay, and all does for an offset of 0."""
    factor = offset.exp()
    return rgb * factor / (1 - rgb + rgb * factor)


def true_maps(shard: HeadShard) -> TrueMaps:
    """Of a head."""
    body, hair = (torch.from_numpy(shard.arrays[n]).permute(2, 0, 1).float() / 255 for n in ("body", "hair"))
    height, opacity = (
        torch.from_numpy(shard.arrays[n].astype(np.float32))[None] / scale
        for n, scale in (("height", HEIGHT_SCALE), ("opacity", 255))
    )
    return TrueMaps(body, hair, height, opacity)


def evidence_of(shard: HeadShard, view: int, kind: int, shift: Float[Tensor, "2"]) -> Splatted:
    """Colours (logits) of a view's pixels of a kind, spread onto the chart as by inversion."""
    size = round(len(shard.arrays["kind"][view]) ** 0.5)
    shows = shard.arrays["kind"][view] == kind
    if not shows.any():
        return torch.zeros(3, EVIDENCE_SIZE, EVIDENCE_SIZE), torch.zeros(EVIDENCE_SIZE, EVIDENCE_SIZE)
    away = cv2.distanceTransform(shows.reshape(size, size).astype(np.uint8), cv2.DIST_L2, 3).ravel()[shows]
    alpha = shard.arrays["alpha"][view][shows].astype(np.float32)[:, None] / 255
    rgb = shard.arrays["rgb"][view][shows].astype(np.float32) / 255 / np.maximum(alpha, 0.3)
    uv = torch.from_numpy(shard.arrays["uv"][view][shows].astype(np.float32) / UNIT) + shift
    target = torch.logit(torch.from_numpy(rgb).clamp(LEAST_LOGIT, MOST_LOGIT))
    weight = torch.from_numpy(np.clip(away / EDGE_PX, 0, 1) ** 2).float()
    return splat(uv, target, weight, EVIDENCE_SIZE)


def _images(values: Tensor) -> Tensor:
    """Numbers per example beside images with channels."""
    return values[..., None, None, None]


def _stacked(parts: list[Batch]) -> Batch:
    given = CompletionInput(
        torch.stack([p.given.features for p in parts]), torch.stack([p.given.filled for p in parts])
    )
    body, hair, height, opacity, seen = (
        torch.stack([getattr(p, name) for p in parts])
        for name in ("body", "hair", "height", "opacity", "seen")
    )
    return Batch(given, body, hair, height, opacity, seen)
