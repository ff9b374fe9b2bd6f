"""EG3D's training: one step after another, the same in one process or several, interrupted or not."""

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.stylegan2.layers import draw_weights
from mien.training.discriminator import DualDiscriminator
from mien.training.gan.config import AdamConfig, GanConfig, checked
from mien.training.gan.dataset import GanDataset, Reals
from mien.training.gan.draws import EndlessOrder, Phase, chunk_random
from mien.training.gan.phases import Moment, Phases, Term
from mien.training.gan.processes import Processes
from mien.training.gan.schedules import ema_share

LARGEST_GRADIENT: Final = 1e5
"""Infinite gradients become this, and those that are no numbers zero; the log counts them."""


Terms = Callable[[torch.Generator, int], Iterator[Term]]
"""The losses of one chunk, given its random generator and which of this process's chunks it is."""


@dataclass(frozen=True, eq=False)
class Job:
    """A phase: which network learns from it, and how often."""

    phase: Phase
    network: nn.Module
    adam: torch.optim.Adam
    every: int
    """Steps from one time to the next; its losses count this many times."""


class GanTrainer:
    """Networks, optimisers and the number of steps done, which together are all of a run's state."""

    def __init__(
        self,
        config: GanConfig,
        data: GanDataset,
        *,
        device: torch.device | str = "cpu",
        group: Processes | None = None,
    ) -> None:
        self.config, self.data, self.device = checked(config), data, torch.device(device)
        self.group = group or Processes()
        self.chunks = self.group.chunks(config.batch // config.chunk)
        random = torch.Generator().manual_seed(config.seed)
        generator, discriminator = Eg3dGenerator(config.generator), DualDiscriminator(config.discriminator)
        draw_weights(generator, random)
        draw_weights(discriminator, random)
        self.generator = generator.to(self.device).train().requires_grad_(False)
        self.discriminator = discriminator.to(self.device).train().requires_grad_(False)
        self.average = copy.deepcopy(self.generator).eval()
        """The generator that is kept: an exponential moving average."""
        adam, loss = config.adam, config.loss
        self.adam_generator = lazy_adam(self.generator, adam, adam.lr_generator, loss.density_every)
        self.adam_discriminator = lazy_adam(self.discriminator, adam, adam.lr_discriminator, loss.r1_every)
        self.jobs = (
            Job("generator", self.generator, self.adam_generator, 1),
            Job("density", self.generator, self.adam_generator, loss.density_every),
            Job("discriminator", self.discriminator, self.adam_discriminator, 1),
            Job("penalty", self.discriminator, self.adam_discriminator, loss.r1_every),
        )
        self.phases = Phases(config, self.generator, self.discriminator, data.labels.to(self.device))
        self.order = EndlessOrder(len(data), config.seed)
        self.step_count = 0
        self._next: tuple[int, list[Future[Reals]]] | None = None

    @property
    def images(self) -> int:
        """Real images seen so far, over all processes."""
        return self.step_count * self.config.batch

    @property
    def moment(self) -> Moment:
        """What the schedules say now."""
        return Moment.at(self.config, self.images)

    def step(self) -> dict[str, float]:
        """One step of both networks; the figures of its losses, means over the whole batch."""
        moment, phases, reals = self.moment, self.phases, self._reals(self.step_count)
        figures, means_of_w = Figures(self.group), list[Tensor]()
        terms: dict[Phase, Terms] = {
            "generator": lambda random, k: phases.generator_terms(moment, random),
            "density": lambda random, k: phases.density_terms(moment, random),
            "discriminator": lambda random, k: phases.discriminator_terms(
                moment, random, reals[k], means_of_w
            ),
            "penalty": lambda random, k: phases.penalty_terms(moment, random, reals[k]),
        }
        for job in self.jobs:
            if self.step_count % job.every == 0:
                self._do(job, terms[job.phase], figures)
        self._update_w_avg(means_of_w)
        self._update_average()
        self.step_count += 1
        return figures.means()

    def _do(self, job: "Job", terms: "Terms", figures: "Figures") -> None:
        """Gradients of all chunks, averaged over processes; then one step of the optimiser."""
        job.network.requires_grad_(True)
        job.adam.zero_grad(set_to_none=True)
        gain = job.every / (self.config.batch // self.config.chunk)
        for place, chunk in enumerate(self.chunks):
            random = chunk_random(self.config.seed, job.phase, self.step_count, chunk, self.device)
            for term in terms(random, place):
                (term.loss * gain).backward()
                figures.add(term.figures)
        job.network.requires_grad_(False)
        gradients = [p.grad for p in job.network.parameters() if p.grad is not None]
        self.group.add_up(gradients)
        figures.add({"bad_gradients": mended(gradients)})
        job.adam.step()

    def _reals(self, step: int) -> list[Reals]:
        """The real images of this process's chunks; those of the next step are read meanwhile."""
        ready = self._next[1] if self._next is not None and self._next[0] == step else self._ask(step)
        self._next = (step + 1, self._ask(step + 1))
        return [
            Reals(found.images.to(self.device), found.labels.to(self.device))
            for found in (waiting.result() for waiting in ready)
        ]

    def _ask(self, step: int) -> list[Future[Reals]]:
        size = self.config.chunk
        starts = [step * self.config.batch + chunk * size for chunk in self.chunks]
        return [self.data.prepare([self.order[s + k] for k in range(size)]) for s in starts]

    @torch.no_grad()
    def _update_w_avg(self, means: list[Tensor]) -> None:
        mean = torch.stack(means).sum(0) / (self.config.batch // self.config.chunk)
        self.group.add_up([mean])
        self.generator.backbone.mapping.update_w_avg(mean[None])

    @torch.no_grad()
    def _update_average(self) -> None:
        """Parameters move towards the generator's, buffers (such as the mean of w) are taken over."""
        s = self.config.schedule
        share = ema_share(
            self.images, batch=self.config.batch, half_life_kimg=s.ema_half_life_kimg, ramp_up=s.ema_ramp_up
        )
        for kept, new in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            kept.copy_(new.lerp(kept, share))
        for buffer, current in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            buffer.copy_(current)


class Figures:
    """Sums of figures over chunks and, in the end, processes."""

    def __init__(self, group: Processes) -> None:
        self._group = group
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, figures: dict[str, Tensor]) -> None:
        """Add those of a chunk."""
        for name, value in figures.items():
            value = value.detach().double()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        """Means over all chunks of all processes, which have all had the same phases."""
        names = sorted(self._sums)
        values = torch.stack([self._sums[n] / self._counts[n] for n in names])
        self._group.add_up([values])
        return dict(zip(names, (values / self._group.count).tolist(), strict=True))


def lazy_adam(network: nn.Module, config: AdamConfig, lr: float, every: int) -> torch.optim.Adam:
    """Adam for a network that takes an additional, regularising step every so many steps.

    Rate and betas are corrected so that memory is as long as without (Karras et al. 2020, appendix B).
    `every` 1 corrects too: then there are two steps of the optimiser in one.
    """
    share = every / (every + 1)
    return torch.optim.Adam(
        network.parameters(),
        lr=lr * share,
        betas=(config.beta1**share, config.beta2**share),
        eps=config.epsilon,
    )


def mended(gradients: list[Tensor]) -> Tensor:
    """Replace what is not finite; how many numbers that were. Nothing waits for the device."""
    bad = [(~torch.isfinite(gradient)).sum() for gradient in gradients]
    for gradient in gradients:
        torch.nan_to_num(gradient, nan=0.0, posinf=LARGEST_GRADIENT, neginf=-LARGEST_GRADIENT, out=gradient)
    return torch.stack(bad).sum()
