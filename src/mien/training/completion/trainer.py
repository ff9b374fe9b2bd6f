"""The training of the completion; goes on exactly from the state in its folder."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.core.errors import ResumeError
from mien.core.progress import progress
from mien.generator.completion import Completed, Completer, CompletionConfig
from mien.generator.model import Generator
from mien.training.completion.config import CompletionTraining
from mien.training.completion.costs import completion_costs
from mien.training.completion.critic import Critic, gradient_penalty, masked, shown
from mien.training.completion.examples import Batch, Examples
from mien.training.completion.scores import Scores, score
from mien.training.state import STATE_FILE, TrainingState, forget_rows_after, read_state, write_state

LOG_FILE: Final = "log.jsonl"
LOG_EVERY: Final = 50
SCORE_EVERY: Final = 150
WARM_UP_STEPS: Final = 50
LAST_RATE: Final = 0.03
BETAS: Final = (0.5, 0.99)
LONGEST_GRADIENT: Final = 1.0

LogRow = dict[str, Any]


class CompletionTrainer:
    """Owns network, critic, optimisers and schedule. `clock` gives seconds; the schedule runs on it."""

    def __init__(
        self,
        folder: Path,
        paths: Sequence[Path],
        codes: Float[Tensor, "head w"],
        generator: Generator,
        config: CompletionTraining,
        *,
        network: CompletionConfig | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_log: Callable[[LogRow], None] = lambda row: None,
    ) -> None:
        self.folder, self.config, self.clock, self.on_log = folder, config, clock, on_log
        self.examples = Examples(paths, codes, generator, config)
        self.n_train = len(paths) - config.held_out
        torch.manual_seed(config.seed)
        self.network = Completer(network or CompletionConfig())
        self.critic = Critic()
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=config.lr, betas=(0.9, 0.99))
        self.critic_optimiser = torch.optim.Adam(self.critic.parameters(), lr=config.lr, betas=BETAS)
        self.step, self.spent_s = 0, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / STATE_FILE).exists():
            self._resume()

    def run(self, *, max_steps: int | None = None) -> None:
        """Train until the schedule ends (or `max_steps` steps are done), logging and checkpointing."""
        sums: dict[str, float] = {}
        last_save = self.clock()
        while self.spent_s < self.config.minutes * 60 and (max_steps is None or self.step < max_steps):
            start = self.clock()
            for name, value in self._train_step().items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / LOG_EVERY
            self.spent_s += self.clock() - start
            if self.step % LOG_EVERY == 0:
                self._log({k: round(v, 5) for k, v in sums.items()})
                sums = {}
            if self.step % SCORE_EVERY == 0:
                self._log({"held_out": asdict(self.scores())})
            if self.clock() - last_save > self.config.checkpoint_every_s:
                self.save()
                last_save = self.clock()
        self.save()

    def complete(self, batch: Batch) -> Completed:
        """The network's answer."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.half):
            out = self.network(batch.given)
        return Completed(out.body.float(), out.hair.float(), out.height.float())

    def costs_of(self, heads: Sequence[int], *, seed: int = 0) -> dict[str, float]:
        """The costs of views of some heads, drawn as in training but by a seed of their own."""
        batch = self.examples.batch(heads, np.random.default_rng(seed))
        with torch.no_grad():
            costs = completion_costs(self.complete(batch), batch, self.config)
        return {name: float(value) for name, value in costs.items()}

    def scores(self) -> Scores:
        """On the heads that are held out."""
        heads = range(self.n_train, self.n_train + self.config.held_out)
        with torch.no_grad():
            batches = (self.examples.fixed(head) for head in progress(heads, desc="held out"))
            return score((batch, self.complete(batch)) for batch in batches)

    def save(self) -> None:
        """Everything needed to go on exactly."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"critic.{k}": v for k, v in self.critic.state_dict().items()}
        for name, optimiser in self._optimisers().items():
            for k, slot in optimiser.state_dict()["state"].items():
                tensors |= {f"{name}.{k}.{n}": torch.as_tensor(v) for n, v in slot.items()}
        write_state(self.folder, TrainingState(tensors, self.step, self.spent_s, asdict(self.config)))

    def _train_step(self) -> dict[str, Tensor]:
        self._set_learning_rate()
        random = np.random.default_rng([self.config.seed, self.step])
        batch = self.examples.batch(random.integers(0, self.n_train, self.config.batch).tolist(), random)
        out = self.complete(batch)
        costs = completion_costs(out, batch, self.config)
        if self.config.adversarial > 0 and self._done() >= self.config.critic_after:
            costs |= self._judge(out, batch)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack([v for k, v in costs.items() if not k.startswith("critic")]).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
        self.optimiser.step()
        self.step += 1
        return costs

    def _judge(self, out: Completed, batch: Batch) -> dict[str, Tensor]:
        """Train the critic (non-saturating, Goodfellow et al. 2014); its opinion of the network's answer."""
        real = masked(batch.body, batch.hair, batch.opacity)
        fake = shown(out, batch.opacity)
        cost = F.softplus(-self.critic(real)).mean() + F.softplus(self.critic(fake.detach())).mean()
        penalty = torch.zeros(())
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
        with (self.folder / LOG_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.on_log(row)

    def _resume(self) -> None:
        state = read_state(self.folder)
        now = asdict(self.config)
        differing = [n for n in sorted(now.keys() | state.config.keys()) if now.get(n) != state.config.get(n)]
        if differing:
            raise ResumeError(
                f"The run in {self.folder} has other settings ({', '.join(differing)} differ); repeat it "
                "with the same ones, or choose another folder."
            )
        self.network.load_state_dict(state.with_prefix("network."))
        self.critic.load_state_dict(state.with_prefix("critic."))
        for name, optimiser in self._optimisers().items():
            moments = optimiser.state_dict()
            for key, value in state.with_prefix(f"{name}.").items():
                index, slot = key.split(".")
                moments["state"].setdefault(int(index), {})[slot] = value
            optimiser.load_state_dict(moments)
        self.step, self.spent_s = state.step, state.spent_s
        forget_rows_after(self.folder / LOG_FILE, self.step)
