"""Training of the small networks that see glasses, or what hides a face: the running mean of the weights."""

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar

import torch
from torch import Tensor

from mien.core.device import fast_bfloat16
from mien.core.errors import InputError
from mien.morphable.partsnet import PartsAnswer, PartsNet, PartsNetConfig
from mien.training.state import (
    STATE_FILE,
    TrainingState,
    load_moments,
    moments_of,
    read_state,
    require_same_settings,
    write_state,
)

AVERAGE: Final = 0.998
LOG_STEPS: Final = 100
Head = TypeVar("Head")


def settings_of(config: Any) -> dict[str, Any]:
    """A training's configuration, a data class, as a kept training knows it."""
    return dict(json.loads(json.dumps(asdict(config), default=lambda path: Path(path).name)))


def held_out_split(
    heads: Sequence[Head], share: float, source: Path
) -> tuple[Sequence[Head], Sequence[Head]]:
    """Heads to learn from, and those at the end, a share and at least one, that training never sees.

    Raises InputError if none are left to learn from.
    """
    held = max(round(len(heads) * share), 1)
    if len(heads) <= held:
        raise InputError(f"{source} holds {len(heads)} heads; training wants two or more.")
    return heads[:-held], heads[-held:]


def new_network(config: PartsNetConfig, classes: int, seed: int) -> PartsNet:
    """A network with random weights that follow from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PartsNet(config, classes)


@dataclass(frozen=True)
class FitSchedule:
    """Length and rate of a training, and where it is kept."""

    steps: int
    lr: float
    settings: dict[str, Any]
    """All that the result follows from; a kept training goes on with the same only."""
    folder: Path | None = None
    """Where it is kept on the way; None keeps nothing."""
    keep_every_s: float = 120.0


def fit_parts(
    network: PartsNet, cost_of_step: Callable[[PartsNet], Tensor], random: torch.Generator,
    schedule: FitSchedule, on_log: Callable[[dict[str, Any]], None],
) -> PartsNet:  # fmt: skip
    """Train a network; the running mean of its weights, folded.

    The cost draws its examples from the generator. A training that was kept goes on as if never interrupted.
    Raises ResumeError if it was begun with other settings.
    """
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = deepcopy(network).requires_grad_(False)
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.lr, weight_decay=0.02)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, schedule.lr, total_steps=schedule.steps, pct_start=0.1
    )
    folder, first, total, kept_at = schedule.folder, 1, 0.0, perf_counter()
    if folder is not None and (folder / STATE_FILE).exists():
        state = read_state(folder)
        require_same_settings(folder, state, schedule.settings)
        network.load_state_dict(state.with_prefix("network."))
        average.load_state_dict(state.with_prefix("average."))
        rate.last_epoch = state.step
        lr, *betas = state.tensors["rate"].tolist()
        optimiser.param_groups[0].update(lr=lr, betas=tuple(betas))
        load_moments(optimiser, state.with_prefix("optimiser."))
        random.set_state(state.tensors["random"])
        total, first = float(state.tensors["total"]), state.step + 1
    for step in range(first, schedule.steps + 1):
        cost = cost_of_step(network)
        optimiser.zero_grad(set_to_none=True)
        cost.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        rate.step()
        _average(average, network, min(AVERAGE, (1 + step) / (10 + step)))
        total += float(cost.detach())
        if step % LOG_STEPS == 0:
            on_log({"step": step, "cost": round(total / LOG_STEPS, 4)})
            total = 0.0
        if folder is not None and perf_counter() - kept_at >= schedule.keep_every_s:
            parts = {"network.": network.state_dict(), "average.": average.state_dict()}
            tensors = {prefix + n: t for prefix, part in parts.items() for n, t in part.items()}
            tensors |= moments_of(optimiser, "optimiser.")
            group = optimiser.param_groups[0]
            numbers = {"rate": [group["lr"], *group["betas"]], "total": total}
            tensors |= {n: torch.tensor(v, dtype=torch.float64) for n, v in numbers.items()}
            tensors |= {"random": random.get_state()}
            write_state(folder, TrainingState(tensors, step, 0.0, schedule.settings))
            kept_at = perf_counter()
    return average.fold()


def answer_in(network: PartsNet, image: Tensor, *, half: bool) -> PartsAnswer:
    """The network's answer, its convolutions in bfloat16, if wished for and fast."""
    with torch.autocast("cpu", torch.bfloat16, enabled=half and fast_bfloat16()):
        answer = network(image.contiguous(memory_format=torch.channels_last))
    return PartsAnswer(answer.parts.float(), answer.worn.float())


def some_of(rows: Tensor, count: int, random: torch.Generator) -> Tensor:
    """So many of the rows, with repetition."""
    return rows[torch.randint(len(rows), (count,), generator=random)]


def _average(average: PartsNet, network: PartsNet, keep: float) -> None:
    own, new = average.state_dict(), network.state_dict()
    names = [name for name, value in new.items() if value.is_floating_point()]
    torch._foreach_lerp_([own[n] for n in names], [new[n] for n in names], 1 - keep)
