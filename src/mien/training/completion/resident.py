"""All examples in memory, on one device: nothing is read or splatted while a network is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.core.parallel import core_count, ordered
from mien.core.progress import progress
from mien.generator.completion import EVIDENCE_SIZE, bases_of
from mien.generator.decoder import HEIGHT_SCALE
from mien.generator.model import Generator
from mien.morphable.carry import chart_grid
from mien.training.basis import codes_of, load_maps
from mien.training.completion.config import CompletionTraining
from mien.training.completion.draws import SHIFT, Draws, draw_fixed, draw_many
from mien.training.completion.examples import NAMES, Batch, TrueMaps, assembled, evidence_of
from mien.training.procedural.shards import BODY, HAIR, read_shard

CODES_AT_ONCE: Final = 256
"""Heads whose maps are on the device together while their codes are sought."""


@dataclass(frozen=True, eq=False)
class _Head:
    colours: UInt8[Tensor, "6 size size"]
    height: Float[Tensor, "1 half half"]
    opacity: UInt8[Tensor, "1 half half"]
    evidence: Float[Tensor, "view 2 4 half half"]


class ResidentExamples:
    """As `Examples`, in batches and on a device. About 6 MB for a head with four views.

    Evidence is splatted once for each view and copy, shifted as in training, for heads held out not at all;
    half precision keeps it. Colours stay bytes.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        codes: Float[Tensor, "head w"],
        generator: Generator,
        config: CompletionTraining,
        *,
        workers: int | None = None,
    ) -> None:
        self.generator, self.config, self.device = generator, config, generator.w_std.device
        self.codes = codes.to(self.device)
        self.spread = self.codes.std(0)
        self.grid = chart_grid(EVIDENCE_SIZE).to(self.device)
        self.random = torch.Generator(self.device)
        shifts = _shifts(paths, config)
        self.shifts = shifts.to(self.device)
        loaded = ordered(_load, zip(paths, shifts, strict=True), workers=workers or core_count())
        for k, head in enumerate(progress(loaded, desc="heads", total=len(paths))):
            if k == 0:
                self.colours, self.height, self.opacity, self.evidence = (
                    torch.empty(len(paths), *part.shape, dtype=part.dtype, device=self.device)
                    for part in (head.colours, head.height, head.opacity, head.evidence)
                )
            self.colours[k], self.height[k] = head.colours.to(self.device), head.height.to(self.device)
            self.opacity[k], self.evidence[k] = head.opacity.to(self.device), head.evidence.to(self.device)

    def drawn(self, heads: int, random: np.random.Generator) -> Batch:
        """As many examples as a step takes, of the first so many heads."""
        self.random.manual_seed(int(random.integers(2**62)))
        chosen = torch.randint(heads, (self.config.batch,), generator=self.random, device=self.device)
        return self.examples(self._draws(chosen))

    def batch(self, heads: Sequence[int], random: np.random.Generator) -> Batch:
        """One random view of each of some heads, as a photo would show it."""
        self.random.manual_seed(int(random.integers(2**62)))
        return self.examples(self._draws(torch.tensor(heads, device=self.device)))

    def fixed(self, head: int, *, shifted: bool = False) -> Batch:
        """A head that measures, see `draw_fixed`."""
        draws = draw_fixed(head, len(self.spread), self.config, shifted=shifted)
        return self.examples(draws.batched().to(self.device))

    def examples(self, draws: Draws) -> Batch:
        """The examples of some draws, whose shifts must be those of their views."""
        head = draws.head
        w = self.codes[head] + self.spread * draws.w
        planes = self.generator.planes(w, torch.zeros(len(head), 52, device=self.device))
        evidence = self.evidence[head, draws.view].float()
        colours = self.colours[head].float() / 255
        true = TrueMaps(
            colours[:, :3], colours[:, 3:], self.height[head].float() / HEIGHT_SCALE,
            self.opacity[head].float() / 255,
        )  # fmt: skip
        body, hair = ((evidence[:, k, :3], evidence[:, k, 3]) for k in (0, 1))
        return assembled(body, hair, bases_of(self.generator, planes, self.grid), true, draws)

    def _draws(self, heads: Tensor) -> Draws:
        return draw_many(heads, self.shifts, len(self.spread), self.config, self.random)


def codes_in(
    generator: Generator, paths: Sequence[Path], *, workers: int | None = None
) -> Float[Tensor, "head w"]:
    """Latents of the heads in files, by their maps (`codes_of`), where the generator is."""
    spread, average = generator.w_std, generator.mapping.w_avg
    size = generator.config.backbone.basis_size
    found = []
    for first in range(0, len(paths), CODES_AT_ONCE):
        maps = load_maps(paths[first : first + CODES_AT_ONCE], size, workers=workers or core_count())
        found.append(codes_of(generator, maps.to(spread.device), spread, average))
    return torch.cat(found)


def _shifts(paths: Sequence[Path], config: CompletionTraining) -> Float[Tensor, "head view 2"]:
    """Of each copy of each view: drawn for heads to learn from, none for those held out."""
    views = len(read_shard(paths[0], ("rgb",)).arrays["rgb"])
    rng = np.random.default_rng(config.seed)
    shifts = SHIFT * rng.standard_normal((len(paths), config.copies * views, 2), np.float32)
    shifts[len(paths) - config.held_out :] = 0
    return torch.from_numpy(shifts)


def _load(job: tuple[Path, Tensor]) -> _Head:
    path, shifts = job
    shard = read_shard(path, NAMES)
    views = len(shard.arrays["rgb"])
    evidence = torch.stack([
        torch.stack([torch.cat([total, weight[None]]) for total, weight in (
            evidence_of(shard, k % views, kind, shift) for kind in (BODY, HAIR)
        )])
        for k, shift in enumerate(shifts)
    ])  # fmt: skip
    colours = [torch.from_numpy(shard.arrays[name]).permute(2, 0, 1) for name in ("body", "hair")]
    height, opacity = (torch.from_numpy(shard.arrays[name])[None] for name in ("height", "opacity"))
    return _Head(torch.cat(colours), height, opacity, evidence.half())
