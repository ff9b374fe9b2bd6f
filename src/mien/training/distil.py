"""Distil procedural heads into mien-base: basis from PCA of canonical maps, then Adam on rendered pixels."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mien.core.errors import ResumeError
from mien.core.progress import progress
from mien.generator.model import Generator, GeneratorConfig
from mien.morphable.carry import Carrier, make_carrier
from mien.morphable.model import MorphableModel, load_head_model
from mien.training.batches import Batch, BatchSampler
from mien.training.config import DistilConfig
from mien.training.costs import distil_costs
from mien.training.dataset import BODY, HAIR, open_dataset
from mien.training.pca import nearest_codes, pca_start
from mien.training.state import (
    CODES,
    GENERATOR,
    STATE_FILE,
    TrainingState,
    append_row,
    forget_rows_after,
    load_moments,
    load_weights,
    moments_of,
    read_state,
    write_state,
)

LOG_FILE: Final = "log.jsonl"
LOG_EVERY: Final = 50
WARM_UP_STEPS: Final = 50
LAST_RATE: Final = 0.03
BETAS: Final = (0.9, 0.99)

LogRow = dict[str, Any]


class Distiller:
    """Owns generator, latents, optimisers and the schedule; goes on exactly from the state in its folder.

    It begins with principal components, or goes on from the weights of the generator `start` with heads that
    it need not have seen. `clock` gives seconds; the schedule runs on it, so another clock makes
    training reproducible to the bit.
    """

    def __init__(
        self,
        folder: Path,
        data_folder: Path,
        config: DistilConfig,
        *,
        generator_config: GeneratorConfig | None = None,
        start: Generator | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_log: Callable[[LogRow], None] = lambda row: None,
        on_checkpoint: Callable[["Distiller"], None] = lambda distiller: None,
    ) -> None:
        self.folder, self.config, self.clock = folder, config, clock
        self.on_log, self.on_checkpoint = on_log, on_checkpoint
        self.data = open_dataset(data_folder)
        self.model: MorphableModel = load_head_model()
        self.n_train = self.data.config.heads - config.held_out
        torch.manual_seed(config.seed)
        self.generator = Generator(generator_config or GeneratorConfig())
        if start is None:
            codes = pca_start(self.generator, self.data, self.n_train)
        else:
            self.generator.load_state_dict(start.state_dict())
            codes = nearest_codes(self.generator, self.data, self.n_train)
        self.codes = nn.Parameter(codes)
        self.carriers: dict[int, Carrier] = {}
        self.random = torch.Generator().manual_seed(config.seed)
        self.sampler = BatchSampler(self.data, self.n_train, config, self.random)
        self.step, self.spent_s = 0, 0.0
        self.optimisers = self._make_optimisers()
        self.folder.mkdir(parents=True, exist_ok=True)
        if (self.folder / STATE_FILE).exists():
            self._resume()

    def run(self, *, max_steps: int | None = None) -> None:
        """Train until the schedule ends (or `max_steps` steps are done), logging and checkpointing."""
        sums: dict[str, float] = {}
        last_save = self.clock()
        for _ in progress(self._steps(max_steps), desc="distillation"):
            start = self.clock()
            costs = self._train_step()
            self.spent_s += self.clock() - start
            for name, value in costs.items():
                sums[name] = sums.get(name, 0.0) + value.item()
            if self.step % LOG_EVERY == 0:
                self._log({k: round(v / LOG_EVERY, 5) for k, v in sums.items()})
                sums = {}
            if self.clock() - last_save > self.config.checkpoint_every_s:
                self.save()
                self.on_checkpoint(self)
                last_save = self.clock()
        self.save()
        self.on_checkpoint(self)

    def costs(self, batch: Batch) -> dict[str, Tensor]:
        """The weighted costs of one step."""
        sampler = self.sampler
        return distil_costs(
            self.generator,
            self.codes[batch.heads],
            batch.expression,
            body=sampler.pixels(batch, BODY),
            hair=sampler.pixels(batch, HAIR),
            rays=sampler.rays(batch),
            heights=sampler.heights(batch),
            carriers=[self._carrier(int(head)) for head in batch.heads],
        )

    def save(self) -> None:
        """Everything needed to go on exactly: weights, Adam moments, random state, clock."""
        tensors = {f"{GENERATOR}{k}": v for k, v in self.generator.state_dict().items()}
        tensors[CODES] = self.codes
        for name, optimiser in self.optimisers.items():
            tensors |= moments_of(optimiser, f"adam.{name}.")
        for n, p in self.generator.backbone.named_parameters():
            if p.grad is not None:
                tensors[f"grad.{n}"] = p.grad
        tensors["random"] = self.random.get_state()
        write_state(self.folder, TrainingState(tensors, self.step, self.spent_s, asdict(self.config)))

    def identity(self, head: int) -> Float[Tensor, " component"]:
        """Identity coefficients of a head of the set."""
        return torch.from_numpy(np.array(self.data.identities[head]))

    def _steps(self, max_steps: int | None) -> Iterator[int]:
        end_s = self.config.minutes * 60
        while self.spent_s < end_s and (max_steps is None or self.step < max_steps):
            yield self.step

    def _train_step(self) -> dict[str, Tensor]:
        self._set_learning_rate()
        costs = self.costs(self.sampler.draw())
        torch.stack(list(costs.values())).sum().backward()
        self.step += 1
        names = ["often"] if self.step % self.config.basis_every else ["often", "basis"]
        for name in names:
            self.optimisers[name].step()
            self.optimisers[name].zero_grad(set_to_none=True)
        return costs

    def _make_optimisers(self) -> dict[str, torch.optim.Adam]:
        c, b = self.config, self.generator.backbone
        means = [b.mean_uv, b.mean_uh, b.mean_vh]
        basis = [b.basis_uv, b.basis_uh, b.basis_vh]
        network = [*self.generator.decoder.parameters(), *b.expression_code.parameters()]
        often = [(means, c.lr_mean), (network, c.lr_network), ([self.codes], c.lr_latent)]
        return {"often": _adam(often), "basis": _adam([(basis, c.lr_basis)])}

    def _set_learning_rate(self) -> None:
        done = min(self.spent_s / (self.config.minutes * 60), 1.0)
        cosine = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + np.cos(np.pi * done))
        factor = min(1.0, (self.step + 1) / WARM_UP_STEPS) * cosine
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * factor

    def _carrier(self, head: int) -> Carrier:
        if head not in self.carriers:
            neutral = self.model.vertices(self.identity(head), torch.zeros(52))
            self.carriers[head] = make_carrier(self.model, neutral)
        return self.carriers[head]

    def _log(self, means: dict[str, float]) -> None:
        row = {"step": self.step, "minutes": round(self.spent_s / 60, 2), **means}
        append_row(self.folder / LOG_FILE, row)
        self.on_log(row)

    def _resume(self) -> None:
        state = read_state(self.folder)
        differing = _differences(state.config, asdict(self.config))
        if differing:
            raise ResumeError(
                f"The run in {self.folder} has other settings ({differing}); repeat it with the same ones, "
                "or choose another folder."
            )
        load_weights(self.generator, state.with_prefix(GENERATOR))
        if state.codes.shape != self.codes.shape:
            raise ResumeError(
                f"The run in {self.folder} has latents of {len(state.codes)} heads, the set has "
                f"{self.n_train} for training; give the set that the run began with."
            )
        self.codes.data.copy_(state.codes)
        for name, optimiser in self.optimisers.items():
            load_moments(optimiser, state.with_prefix(f"adam.{name}."))
        grads = state.with_prefix("grad.")
        for n, p in self.generator.backbone.named_parameters():
            p.grad = grads.get(n)
        self.random.set_state(state.tensors["random"])
        self.step, self.spent_s = state.step, state.spent_s
        forget_rows_after(self.folder / LOG_FILE, self.step)


def _adam(groups: list[tuple[list[nn.Parameter], float]]) -> torch.optim.Adam:
    return torch.optim.Adam([{"params": p, "lr": lr, "peak": lr} for p, lr in groups], betas=BETAS)


def _differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    names = [n for n in sorted(old.keys() | new.keys()) if old.get(n) != new.get(n)]
    return ", ".join(f"{n} {old.get(n)} there, {new.get(n)} here" for n in names)


__all__ = ["DistilConfig", "Distiller"]
