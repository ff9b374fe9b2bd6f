"""`mien train glasses`: strips, training, scores on heads that it has not seen, the file."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mien.core.errors import InputError
from mien.core.parallel import one_thread
from mien.morphable.glassesnet import (
    ARM,
    ASSET,
    CLEAR,
    DARK,
    RIM,
    GlassesAnswer,
    GlassesNet,
    GlassesNetConfig,
    save_glasses_net,
)
from mien.training.glasses.crops import read_crops
from mien.training.glasses.examples import (
    StripAugment,
    StripExamples,
    StripSet,
    draw_strip_examples,
    joined,
)

CLASS_WEIGHTS: Final = (1.0, 3.0, 3.0, 1.0, 1.0)
AVERAGE: Final = 0.998
LOG_STEPS: Final = 100
NAMES: Final = {"rim": RIM, "arm": ARM, "clear lens": CLEAR, "dark lens": DARK}


@dataclass(frozen=True)
class GlassesTraining:
    """Length, rates and examples."""

    heads: int = 160
    steps: int = 2500
    batch: int = 24
    lr: float = 3e-3
    bare: float = 0.45
    """Share of examples without glasses."""
    held_out: float = 0.1
    """Share of the heads, at the end of the set, that training never sees."""
    worn_weight: float = 0.3
    half: bool = True
    """Convolutions in bfloat16."""
    seed: int = 0
    network: GlassesNetConfig = field(default_factory=GlassesNetConfig)
    augment: StripAugment = field(default_factory=StripAugment)


@dataclass(frozen=True)
class GlassesScores:
    """On augmented strips of held-out heads."""

    iou: dict[str, float]
    """Of pixels whose likeliest class it is and those that it mostly fills."""
    worn_seen: float
    """Share of glasses that are seen to be worn."""
    false_alarms: float
    """Share of bare faces on which glasses are seen."""
    strips: int


@dataclass(frozen=True)
class GlassesRun:
    """What was made."""

    path: Path
    bytes: int
    scores: GlassesScores


def train_glasses(
    folder: Path, data_folder: Path, *, config: GlassesTraining | None = None, command: str = "",
    on_log: Callable[[dict[str, Any]], None] = lambda row: None,
) -> GlassesRun:  # fmt: skip
    """Train on the strips in a folder and write `glasses_finder.safetensors`. Takes minutes; the same strips
    and settings give the same file. Raises InputError if there are too few heads."""
    config = config or GlassesTraining()
    with one_thread():
        heads = read_crops(data_folder, config.heads)
        held = max(round(len(heads) * config.held_out), 1)
        if len(heads) <= held:
            raise InputError(f"{data_folder} holds {len(heads)} heads; training wants two or more.")
        network = fit_network(joined(heads[:-held]), config, on_log)
        scores = score(network, joined(heads[-held:]), config)
    path = folder / ASSET
    training = {
        "command": command, "heads": len(heads), "steps": config.steps, "scores": asdict(scores),
    }  # fmt: skip
    save_glasses_net(path, network, {"training": training})
    return GlassesRun(path, path.stat().st_size, scores)


def fit_network(
    strips: StripSet, config: GlassesTraining, on_log: Callable[[dict[str, Any]], None]
) -> GlassesNet:
    """The running mean of the weights, folded."""
    random = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = GlassesNet(config.network)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = deepcopy(network).requires_grad_(False)
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.lr, weight_decay=0.02)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.lr, total_steps=config.steps, pct_start=0.1)
    bare, worn = (torch.nonzero(strips.worn == flag)[:, 0] for flag in (0, 1))
    few = round(config.bare * config.batch)
    total = 0.0
    for step in range(1, config.steps + 1):
        rows = torch.cat([_some(bare, few, random), _some(worn, config.batch - few, random)])
        examples = draw_strip_examples(strips.of(rows), random, config.augment)
        cost = cost_of(_answer(network, examples.image, config), examples, config)
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
    return average.fold()


def _answer(network: GlassesNet, image: Tensor, config: GlassesTraining) -> GlassesAnswer:
    with torch.autocast("cpu", torch.bfloat16, enabled=config.half):
        answer = network(image.contiguous(memory_format=torch.channels_last))
    return GlassesAnswer(answer.parts.float(), answer.worn.float())


def cost_of(answer: GlassesAnswer, examples: StripExamples, config: GlassesTraining) -> Tensor:
    """Cross-entropy of pixels (of rims and arms it counts more) and of whether glasses are worn."""
    weight = examples.parts.new_tensor(CLASS_WEIGHTS)[:, None, None]
    pixels = -(weight * examples.parts * F.log_softmax(answer.parts, 1)).sum(1).mean()
    return pixels + config.worn_weight * F.binary_cross_entropy_with_logits(answer.worn, examples.worn)


def score(network: GlassesNet, strips: StripSet, config: GlassesTraining) -> GlassesScores:
    """See `GlassesScores`; each strip is drawn three times."""
    random = torch.Generator().manual_seed(config.seed + 1)
    both, either = np.zeros(len(NAMES)), np.zeros(len(NAMES))
    seen: list[Tensor] = []
    truth: list[Tensor] = []
    for _ in range(3):
        for rows in torch.arange(len(strips.worn)).split(config.batch):
            examples = draw_strip_examples(strips.of(rows), random, config.augment)
            with torch.no_grad():
                answer = network(examples.image)
            found, true = answer.parts.argmax(1), examples.parts.argmax(1)
            for k, part in enumerate(NAMES.values()):
                both[k] += int(((found == part) & (true == part)).sum())
                either[k] += int(((found == part) | (true == part)).sum())
            seen.append(answer.worn > 0)
            truth.append(examples.worn > 0)
    is_seen, is_worn = torch.cat(seen), torch.cat(truth)
    iou = {name: round(float(b / max(e, 1)), 3) for name, b, e in zip(NAMES, both, either, strict=True)}
    return GlassesScores(
        iou, round(float(is_seen[is_worn].float().mean()), 4),
        round(float(is_seen[~is_worn].float().mean()), 4), len(is_worn),
    )  # fmt: skip


def _some(rows: Tensor, count: int, random: torch.Generator) -> Tensor:
    return rows[torch.randint(len(rows), (count,), generator=random)]


def _average(average: GlassesNet, network: GlassesNet, keep: float) -> None:
    own, new = average.state_dict(), network.state_dict()
    names = [name for name, value in new.items() if value.is_floating_point()]
    torch._foreach_lerp_([own[n] for n in names], [new[n] for n in names], 1 - keep)
