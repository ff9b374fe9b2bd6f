"""What is random in a step, as a function of the seed, the step and the place in the batch."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Phase = Literal["generator", "density", "discriminator", "penalty", "samples"]
"""Independent random numbers for each."""
PHASES: tuple[Phase, ...] = ("generator", "density", "discriminator", "penalty", "samples")
SHUFFLES = len(PHASES)
"""Beside the phases: the order of the real pictures."""


def chunk_random(
    seed: int, phase: Phase, step: int, chunk: int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """The random generator of one chunk of the batch; the same whichever process works on the chunk."""
    words = np.random.SeedSequence([seed, PHASES.index(phase), step, chunk]).generate_state(2)
    return torch.Generator(device).manual_seed(int(words[0]) << 31 ^ int(words[1]))


class EndlessOrder:
    """Places 0, 1, 2, ... to items: every item once, in random order, then again in another order."""

    def __init__(self, items: int, seed: int) -> None:
        self.items, self.seed = items, seed
        self._round, self._order = -1, np.zeros(0, int)

    def __getitem__(self, place: int) -> int:
        which, inside = divmod(place, self.items)
        if which != self._round:
            rng = np.random.default_rng([self.seed, SHUFFLES, which])
            self._round, self._order = which, rng.permutation(self.items)
        return int(self._order[inside])


def swapped(
    labels: Float[Tensor, "batch 25"], probability: float, random: torch.Generator
) -> Float[Tensor, "batch 25"]:
    """Each label replaced, with this probability, by that of the image before (EG3D, section 4.4)."""
    chosen = torch.rand(len(labels), 1, generator=random, device=random.device) < probability
    return torch.where(chosen.to(labels.device), labels.roll(1, 0), labels)


def random_labels(
    labels: Float[Tensor, "item 25"], count: int, random: torch.Generator
) -> Float[Tensor, "batch 25"]:
    """Labels of `count` random items, for the cameras of fakes; on the generator's device."""
    chosen = torch.randint(len(labels), (count,), generator=random, device=random.device)
    return labels.to(random.device)[chosen]
