"""The training of the image encoder; goes on exactly from the state in its folder."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from mien.core.errors import InputError
from mien.morphable.imageencoder import ImageNetwork
from mien.morphable.landmarks import LandmarkModel
from mien.training.encoder.augment import CropExamples, draw_examples
from mien.training.encoder.imageconfig import ImageTraining
from mien.training.encoder.imagecosts import ImageScores, image_costs, image_scores, on_device
from mien.training.encoder.views import Views
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
WARM_UP_STEPS: Final = 200
LAST_RATE: Final = 0.01
LONGEST_GRADIENT: Final = 2.0

LogRow = dict[str, Any]


class ImageTrainer:
    """Owns network, running mean, optimiser and schedule. `clock` gives seconds; the schedule runs on it.

    The views lie on the CPU or on the device already. Raises InputError if there are too few heads.
    """

    def __init__(
        self,
        folder: Path,
        views: Views,
        landmarks: LandmarkModel,
        config: ImageTraining,
        *,
        device: torch.device,
        clock: Callable[[], float] = time.monotonic,
        on_log: Callable[[LogRow], None] = lambda row: None,
    ) -> None:
        self.folder, self.config, self.clock, self.on_log = folder, config, clock, on_log
        self.device, self.landmarks = device, on_device(landmarks, device)
        heads = int(views.head.max()) + 1
        first = heads - max(1, round(heads * config.held_out))
        self.seen = views[views.head < first].to(device)
        self.unseen = views[views.head >= first].to(device)
        if not len(self.seen) or not len(self.unseen):
            raise InputError(f"{heads} heads are too few to learn from and to keep some; make more of them.")
        self.random = torch.Generator(device).manual_seed(config.seed)
        torch.manual_seed(config.seed)
        self.network = self._new_network().to(device)
        if device.type == "cuda":  # what tensor cores want
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = deepcopy(self.network).requires_grad_(False).eval()
        self.optimiser = torch.optim.AdamW(
            _groups(self.network, config.decay), lr=config.lr, betas=(0.9, 0.99), foreach=True
        )
        self.step, self.spent_s = 0, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = _plain(config) | {"heads": heads, "views": _fingerprint(views)}
        if (folder / STATE_FILE).exists():
            self._resume()

    def run(self, *, max_steps: int | None = None, until_s: float = float("inf")) -> None:
        """Train until the schedule ends, `max_steps` are done or the clock shows `until_s`; log and save."""
        sums: dict[str, Tensor] = {}
        last_save = last = self.clock()
        while self._goes_on(max_steps) and last < until_s:
            for name, value in self._train_step().items():
                sums[name] = sums.get(name, 0) + value.detach() / LOG_EVERY
            if self.step % LOG_EVERY == 0:  # reading the sums waits for the device
                self._log({k: round(float(v), 5) for k, v in sums.items()})
                sums = {}
            now = self.clock()
            self.spent_s, last = self.spent_s + now - last, now
            if now - last_save > self.config.checkpoint_every_s:
                self.save()
                self._log({"held_out": asdict(self.scores())})
                last_save = last = self.clock()
        self.save()

    def answer(self, network: ImageNetwork, examples: CropExamples) -> Any:
        """A network's answer."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._is_half()):
            return network(examples.image)

    def unseen_examples(self, repeats: int = 1) -> Iterator[CropExamples]:
        """Examples of the held-out views, always the same, in batches."""
        random = torch.Generator(self.device).manual_seed(self.config.seed + 1)
        rows = torch.arange(len(self.unseen), device=self.device).repeat(repeats)
        for part in rows.split(self.config.batch):
            yield self._examples(self.unseen, part, random)

    def scores(self) -> ImageScores:
        """Of the averaged network on the heads that are held out."""
        rows, weights = [], []
        with torch.no_grad():
            for examples in self.unseen_examples():
                rows.append(image_scores(self.answer(self.average, examples), examples, self.landmarks))
                weights.append(len(examples.image))
        share = torch.tensor(weights, device=self.device) / sum(weights)
        return ImageScores(*(round(float(v), 4) for v in (share[:, None] * torch.stack(rows)).sum(0)))

    def save(self) -> None:
        """Everything needed to go on exactly."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        tensors |= moments_of(self.optimiser, "adam.")
        tensors["random"] = self.random.get_state()
        write_state(self.folder, TrainingState(tensors, self.step, self.spent_s, self._settings))

    def _train_step(self) -> dict[str, Tensor]:
        c = self.config
        self._set_learning_rate()
        rows = torch.randint(len(self.seen), (c.batch,), generator=self.random, device=self.device)
        examples = self._examples(self.seen, rows, self.random)
        answer = self.answer(self.network, examples)
        costs = image_costs(answer, examples, self.landmarks, self.network.sd, c.weights)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(costs.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return costs

    def _examples(self, views: Views, rows: Tensor, random: torch.Generator) -> CropExamples:
        with torch.no_grad():
            return draw_examples(views, rows, self.config.network.size_px, random, self.config.augment)

    def _new_network(self) -> ImageNetwork:
        network = ImageNetwork(self.config.network)
        random = torch.Generator(self.device).manual_seed(self.config.seed + 2)
        rows = torch.randint(len(self.seen), (self.config.scaling,), generator=random, device=self.device)
        found = []
        for part in rows.split(self.config.batch):
            e = self._examples(self.seen, part, random)
            found.append(torch.cat([e.points.flatten(1), e.turn, e.shape], 1))
        answers = torch.cat(found)
        network.mean.copy_(answers.mean(0))
        network.sd.copy_(answers.std(0).clamp(min=1e-2))
        return network

    def _update_average(self) -> None:
        """Exponential mean of weights and norms' statistics, quicker in the beginning."""
        keep = min(self.config.average, (1 + self.step) / (10 + self.step))
        own, new = self.average.state_dict(), self.network.state_dict()
        names = [n for n, t in new.items() if t.is_floating_point()]
        torch._foreach_lerp_([own[n] for n in names], [new[n] for n in names], 1 - keep)

    def _set_learning_rate(self) -> None:
        done = min(self.spent_s / (self.config.minutes * 60), 1.0)
        cosine = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + np.cos(np.pi * done))
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.lr * min(1.0, (self.step + 1) / WARM_UP_STEPS) * cosine

    def _goes_on(self, max_steps: int | None) -> bool:
        return self.spent_s < self.config.minutes * 60 and (max_steps is None or self.step < max_steps)

    def _is_half(self) -> bool:
        return self.config.half and self.device.type == "cuda"

    def _log(self, means: LogRow) -> None:
        row = {"step": self.step, "minutes": round(self.spent_s / 60, 2), **means}
        append_row(self.folder / LOG_FILE, row)
        self.on_log(row)

    def _resume(self) -> None:
        state = read_state(self.folder)
        require_same_settings(self.folder, state, self._settings)
        self.network.load_state_dict(state.with_prefix("network."))
        self.average.load_state_dict(state.with_prefix("average."))
        load_moments(self.optimiser, state.with_prefix("adam."))
        self.random.set_state(state.tensors["random"])
        self.step, self.spent_s = state.step, state.spent_s
        forget_rows_after(self.folder / LOG_FILE, self.step)


def _groups(network: ImageNetwork, decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases and norms do not."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _fingerprint(views: Views) -> str:
    """Of what is known of each view; its pixels go with that."""
    known = hashlib.sha256()
    for part in (views.head, views.points, views.turn, views.shape):
        known.update(part.cpu().contiguous().numpy().tobytes())
    return known.hexdigest()[:16]


def _plain(config: ImageTraining) -> dict[str, Any]:
    """As JSON keeps it: tuples become lists."""
    return dict(json.loads(json.dumps(asdict(config))))
