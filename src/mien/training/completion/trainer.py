"""The training of the completion; goes on exactly from the state in its folder."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mien.core.device import fast_bfloat16
from mien.core.progress import progress
from mien.generator.completion import Completed, Completer, CompletionConfig
from mien.training.completion.config import CompletionTraining
from mien.training.completion.costs import completion_costs
from mien.training.completion.critic import Critic, gradient_penalty, masked, shown
from mien.training.completion.examples import Batch
from mien.training.completion.scores import Scores, score
from mien.training.state import (
    STATE_FILE,
    TrainingState,
    append_row,
    forget_rows_after,
    load_moments,
    moments_of,
    read_state,
    require_same_settings,
    write_state,
)

LOG_FILE: Final = "log.jsonl"
LOG_EVERY: Final = 50
WARM_UP_STEPS: Final = 50
LAST_RATE: Final = 0.03
BETAS: Final = (0.5, 0.99)
LONGEST_GRADIENT: Final = 1.0

LogRow = dict[str, Any]


@runtime_checkable
class ExampleSource(Protocol):
    """Where examples come from: files one by one (`Examples`), or memory (`ResidentExamples`)."""

    codes: Tensor

    def drawn(self, heads: int, random: np.random.Generator) -> Batch:
        """As many examples as a step takes, of the first so many heads."""
        ...

    def batch(self, heads: Sequence[int], random: np.random.Generator) -> Batch:
        """One random view of each of some heads."""
        ...

    def fixed(self, head: int, *, shifted: bool = False) -> Batch:
        """A head that measures, as it is or with other colours."""
        ...


class CompletionTrainer:
    """Owns network, critic, optimisers and schedule. `clock` gives seconds; the schedule runs on it.

    Computes where the examples' codes are. A `network` is trained on from its weights, one of a config anew.
    `origin` is what else must be the same for a run to go on, as plain JSON.
    """

    def __init__(
        self,
        folder: Path,
        examples: ExampleSource,
        config: CompletionTraining,
        *,
        network: CompletionConfig | Completer | None = None,
        origin: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_log: Callable[[LogRow], None] = lambda row: None,
    ) -> None:
        self.folder, self.config, self.clock, self.on_log = folder, config, clock, on_log
        self.settings = asdict(config) | dict(origin or {})
        self.examples, self.device = examples, examples.codes.device
        self.n_train = len(examples.codes) - config.held_out
        torch.manual_seed(config.seed)
        network = network if isinstance(network, Completer) else Completer(network or CompletionConfig())
        layout = torch.channels_last if self.device.type == "cuda" else torch.contiguous_format
        self.network = network.to(self.device, memory_format=layout).train().requires_grad_(True)  # type: ignore[call-overload]
        self.averaged = deepcopy(self.network).requires_grad_(False) if config.average else self.network
        self.critic = Critic().to(self.device, memory_format=layout)  # type: ignore[call-overload]
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=config.lr, betas=(0.9, 0.99))
        self.critic_optimiser = torch.optim.Adam(self.critic.parameters(), lr=config.lr, betas=BETAS)
        self.step, self.spent_s = 0, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / STATE_FILE).exists():
            self._resume()

    def run(self, *, max_steps: int | None = None, until: float = np.inf) -> None:
        """Train until the schedule ends (or `max_steps` steps are done, or the clock shows `until`).

        Logs and keeps its state on the way, and at the end.
        """
        sums: dict[str, Tensor] = {}
        last_save = self.clock()
        while self._goes_on(max_steps) and (start := self.clock()) < until:
            for name, value in self._train_step().items():
                sums[name] = sums.get(name, value.new_zeros(())) + value.detach() / LOG_EVERY
            self.spent_s += self.clock() - start
            if self.step % LOG_EVERY == 0:
                self._log({k: round(float(v), 5) for k, v in sums.items()})
                sums = {}
            if self.step % self.config.score_every == 0:
                self._log({f"held_out{name}": asdict(found) for name, found in self.all_scores().items()})
            if self.clock() - last_save > self.config.checkpoint_every_s:
                self.save()
                last_save = self.clock()
        self.save()

    def complete(self, batch: Batch) -> Completed:
        """The network's answer."""
        return self._answer(self.network, batch)

    def _answer(self, network: Completer, batch: Batch) -> Completed:
        half = self.config.half and fast_bfloat16(self.device)
        with torch.autocast(self.device.type, torch.bfloat16) if half else nullcontext():
            out = network(batch.given)
        return Completed(out.body.float(), out.hair.float(), out.height.float())

    def costs_of(self, heads: Sequence[int], *, seed: int = 0) -> dict[str, float]:
        """The costs of views of some heads, drawn as in training but by a seed of their own."""
        batch = self.examples.batch(heads, np.random.default_rng(seed))
        with torch.no_grad():
            costs = completion_costs(self.complete(batch), batch, self.config)
        return {name: float(value) for name, value in costs.items()}

    def scores(self, *, shifted: bool = False) -> Scores:
        """On the heads that are held out, perhaps with shifted hues, of the averaged weights."""
        heads = progress(range(self.n_train, self.n_train + self.config.held_out), desc="held out")
        with torch.no_grad():
            batches = (self.examples.fixed(head, shifted=shifted) for head in heads)
            return score((batch, self._answer(self.averaged, batch)) for batch in batches)

    def all_scores(self) -> dict[str, Scores]:
        """Without a shift, and, if colours are shifted in training, with one."""
        kinds = {"": False, "_shifted": True} if self.config.colour_shift else {"": False}
        return {name: self.scores(shifted=shifted) for name, shifted in kinds.items()}

    def save(self) -> None:
        """Everything needed to go on exactly."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"critic.{k}": v for k, v in self.critic.state_dict().items()}
        if self.averaged is not self.network:
            tensors |= {f"averaged.{k}": v for k, v in self.averaged.state_dict().items()}
        for name, optimiser in self._optimisers().items():
            tensors |= moments_of(optimiser, f"{name}.")
        tensors = {name: tensor.cpu() for name, tensor in tensors.items()}
        write_state(self.folder, TrainingState(tensors, self.step, self.spent_s, self.settings))

    def _train_step(self) -> dict[str, Tensor]:
        self._set_learning_rate()
        random = np.random.default_rng([self.config.seed, self.step])
        batch = self.examples.drawn(self.n_train, random)
        out = self.complete(batch)
        costs = completion_costs(out, batch, self.config)
        if self.config.adversarial > 0 and self._done() >= self.config.critic_after:
            costs |= self._judge(out, batch)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack([v for k, v in costs.items() if not k.startswith("critic")]).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
        self.optimiser.step()
        self.step += 1
        self._average()
        return costs

    def _average(self) -> None:
        if self.averaged is self.network:
            return
        share = 1 - min(self.config.average, self.step / (self.step + 10))  # not of the start
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.network.parameters()), share)

    def _goes_on(self, max_steps: int | None) -> bool:
        return self.spent_s < self.config.minutes * 60 and (max_steps is None or self.step < max_steps)

    def _judge(self, out: Completed, batch: Batch) -> dict[str, Tensor]:
        """Train the critic (non-saturating, Goodfellow et al. 2014); its opinion of the network's answer."""
        real = masked(batch.body, batch.hair, batch.opacity)
        fake = shown(out, batch.opacity)
        cost = F.softplus(-self.critic(real)).mean() + F.softplus(self.critic(fake.detach())).mean()
        penalty = cost.new_zeros(())
        if self.step % self.config.r1_every == 0:
            penalty = 0.5 * self.config.r1 * self.config.r1_every * gradient_penalty(self.critic, real)
        self.critic_optimiser.zero_grad(set_to_none=True)
        (cost + penalty).backward()
        self.critic_optimiser.step()
        found = {"critic": cost.detach(), "critic_penalty": penalty.detach()}
        if self._done() < self.config.critic_counts_after:
            return found
        self.critic.requires_grad_(False)
        opinion = F.softplus(-self.critic(fake)).mean()
        self.critic.requires_grad_(True)
        return found | {"adversarial": self.config.adversarial * opinion}

    def _set_learning_rate(self) -> None:
        cosine = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + np.cos(np.pi * self._done()))
        for optimiser in self._optimisers().values():
            for group in optimiser.param_groups:
                group["lr"] = self.config.lr * min(1.0, (self.step + 1) / WARM_UP_STEPS) * cosine

    def _done(self) -> float:
        """Share of the schedule, at most 1."""
        return min(self.spent_s / (self.config.minutes * 60), 1.0)

    def _optimisers(self) -> dict[str, torch.optim.Adam]:
        return {"adam": self.optimiser, "critic_adam": self.critic_optimiser}

    def _log(self, means: LogRow) -> None:
        row = {"step": self.step, "minutes": round(self.spent_s / 60, 2), **means}
        append_row(self.folder / LOG_FILE, row)
        self.on_log(row)

    def _resume(self) -> None:
        state = read_state(self.folder)
        require_same_settings(self.folder, state, self.settings)
        self.network.load_state_dict(state.with_prefix("network."))
        self.critic.load_state_dict(state.with_prefix("critic."))
        if self.averaged is not self.network:
            self.averaged.load_state_dict(state.with_prefix("averaged."))
        for name, optimiser in self._optimisers().items():
            load_moments(optimiser, state.with_prefix(f"{name}."))
        self.step, self.spent_s = state.step, state.spent_s
        forget_rows_after(self.folder / LOG_FILE, self.step)
