"""Everything that is random in an example: its view, how wrong its w and height are, its colours."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mien.generator.completion import EVIDENCE_SIZE
from mien.training.completion.config import CompletionTraining

SHIFT: Final = 0.004
"""Of all evidence over the chart (standard deviation): a photo's fit is never exact."""
SWELL: Final = 0.06
"""Standard deviation of the smooth error of the known hair height, in units of `HEIGHT_SCALE`."""
BUMPS: Final = 6
"""Values of that error along each side of the chart."""
HUE: Final = 0.5
"""Standard deviation (logits) of the hues of held-out heads with shifted colours."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Of one example, or of several. W is what the generator's latents are, S is `EVIDENCE_SIZE`."""

    head: Int[Tensor, "*batch"]
    view: Int[Tensor, "*batch"]
    w: Float[Tensor, "*batch w"]
    """Error of the head's code, in standard deviations of the heads' codes."""
    to_base: Float[Tensor, "*batch"]
    """Place of the known hair height between the true one (0) and the generator's (1)."""
    bumps: Float[Tensor, "*batch bump bump"]
    """Smooth error of that height."""
    hidden: Bool[Tensor, "*batch"]
    """Whether the example shows nothing."""
    shift: Float[Tensor, "*batch 2"]
    """Of the evidence over the chart, (u, v)."""
    offset: Float[Tensor, "*batch 6"]
    """Of the colours of body and hair, logits."""
    base_share: Float[Tensor, "*batch"]
    """How far the generator's own head has that offset, too."""
    noise: Float[Tensor, "*batch 1 size size"]

    def at(self, k: int) -> "Draws":
        """Those of one example of a batch."""
        return Draws(*(getattr(self, field.name)[k] for field in fields(self)))

    def batched(self) -> "Draws":
        """Those of one example as a batch."""
        return Draws(*(getattr(self, field.name)[None] for field in fields(self)))

    def to(self, device: torch.device) -> "Draws":
        """The same on another device."""
        return Draws(*(getattr(self, field.name).to(device) for field in fields(self)))


def draw_one(
    head: int, views: int, latent: int, config: CompletionTraining, rng: np.random.Generator
) -> Draws:
    """Of a training example."""
    view = int(rng.integers(views))
    w = config.w_noise * _normal(rng, latent)
    bumps, to_base = SWELL * _normal(rng, BUMPS, BUMPS), float(rng.uniform())
    hidden = bool(rng.uniform() < config.no_evidence)
    shift, noise = SHIFT * _normal(rng, 2), _normal(rng, 1, EVIDENCE_SIZE, EVIDENCE_SIZE)
    offset, base_share = torch.zeros(6), 0.0
    if rng.uniform() < config.colour_shift and not hidden:
        hues, light = config.hue_spread * _normal(rng, 2, 3), config.light_spread * _normal(rng, 2, 1)
        offset, base_share = (hues + light).flatten(), float(rng.uniform())
    return Draws(
        torch.tensor(head), torch.tensor(view), w, torch.tensor(to_base), bumps, torch.tensor(hidden),
        shift, offset, torch.tensor(base_share), noise,
    )  # fmt: skip


def draw_many(
    heads: Int[Tensor, " batch"],
    shifts: Float[Tensor, "head view 2"],
    latent: int,
    config: CompletionTraining,
    random: torch.Generator,
) -> Draws:
    """Of training examples, where `heads` are; the view's number also tells its shift."""
    count, device = len(heads), heads.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=random, device=device)

    def uniform() -> Tensor:
        return torch.rand(count, generator=random, device=device)

    view = torch.randint(shifts.shape[1], (count,), generator=random, device=device)
    hidden = uniform() < config.no_evidence
    shifted = (uniform() < config.colour_shift) & ~hidden
    colours = config.hue_spread * normal(2, 3) + config.light_spread * normal(2, 1)
    return Draws(
        heads, view, config.w_noise * normal(latent), uniform(), SWELL * normal(BUMPS, BUMPS), hidden,
        shifts[heads, view], colours.flatten(1) * shifted[:, None], uniform(),
        normal(1, EVIDENCE_SIZE, EVIDENCE_SIZE),
    )  # fmt: skip


def draw_fixed(head: int, latent: int, config: CompletionTraining, *, shifted: bool = False) -> Draws:
    """Of a head that measures: its first view, with the true hair height and nearly its own w.

    `shifted` gives body and hair other hues, of which the generator's own head knows nothing.
    """
    rng = np.random.default_rng(head)
    w, noise = 0.5 * config.w_noise * _normal(rng, latent), _normal(rng, 1, EVIDENCE_SIZE, EVIDENCE_SIZE)
    hues = HUE * _normal(rng, 2, 3) * shifted
    zero = torch.zeros(())
    return Draws(
        torch.tensor(head), torch.tensor(0), w, zero, torch.zeros(BUMPS, BUMPS), torch.tensor(False),
        torch.zeros(2), hues.flatten(), zero, noise,
    )  # fmt: skip


def _normal(random: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(random.standard_normal(shape, np.float32))
