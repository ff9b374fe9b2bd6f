"""`mien train glasses`: strips, training, scores on heads that it has not seen, the file."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mien.core.parallel import one_thread
from mien.morphable.glassesnet import ARM, ASSET, CLASSES, CLEAR, DARK, KIND, RIM
from mien.morphable.partsnet import PartsAnswer, PartsNet, PartsNetConfig, save_parts_net
from mien.training.glasses.crops import read_crops
from mien.training.glasses.examples import (
    StripAugment,
    StripExamples,
    StripSet,
    draw_strip_examples,
    joined,
)
from mien.training.partsfit import (
    FitSchedule,
    answer_in,
    fit_parts,
    held_out_split,
    new_network,
    settings_of,
    some_of,
)
from mien.training.state import STATE_FILE

CLASS_WEIGHTS: Final = (1.0, 3.0, 3.0, 1.0, 1.0)
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
    """Convolutions in bfloat16, where that is fast."""
    seed: int = 0
    network: PartsNetConfig = field(default_factory=PartsNetConfig)
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
    """Train on the strips in a folder and write `glasses_finder.safetensors`. Takes minutes and goes on
    where it was interrupted; the same strips and settings give the same file.

    Raises InputError if there are too few heads, ResumeError if the folder keeps one of other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = config or GlassesTraining()
    with one_thread():
        heads = read_crops(data_folder, config.heads)
        own, held = held_out_split(heads, config.held_out, data_folder)
        network = fit_network(joined(own), config, on_log, folder)
        scores = score(network, joined(held), config)
    path = folder / ASSET
    training = {
        "command": command, "heads": len(heads), "steps": config.steps, "scores": asdict(scores),
    }  # fmt: skip
    save_parts_net(path, network, KIND, {"training": training})
    (folder / STATE_FILE).unlink(missing_ok=True)
    return GlassesRun(path, path.stat().st_size, scores)


def fit_network(
    strips: StripSet, config: GlassesTraining, on_log: Callable[[dict[str, Any]], None],
    kept: Path | None = None,
) -> PartsNet:  # fmt: skip
    """The running mean of the weights, folded. The training goes on from what a folder keeps of it."""
    random = torch.Generator().manual_seed(config.seed)
    network = new_network(config.network, CLASSES, config.seed)
    bare, worn = (torch.nonzero(strips.worn == flag)[:, 0] for flag in (0, 1))
    few = round(config.bare * config.batch)

    def cost_of_step(network: PartsNet) -> Tensor:
        rows = [some_of(bare, few, random), some_of(worn, config.batch - few, random)]
        examples = draw_strip_examples(strips.of(torch.cat(rows)), random, config.augment)
        return cost_of(answer_in(network, examples.image, half=config.half), examples, config)

    schedule = FitSchedule(config.steps, config.lr, settings_of(config), kept)
    return fit_parts(network, cost_of_step, random, schedule, on_log)


def cost_of(answer: PartsAnswer, examples: StripExamples, config: GlassesTraining) -> Tensor:
    """Cross-entropy of pixels (of rims and arms it counts more) and of whether glasses are worn."""
    weight = examples.parts.new_tensor(CLASS_WEIGHTS)[:, None, None]
    pixels = -(weight * examples.parts * F.log_softmax(answer.parts, 1)).sum(1).mean()
    return pixels + config.worn_weight * F.binary_cross_entropy_with_logits(answer.worn, examples.worn)


def score(network: PartsNet, strips: StripSet, config: GlassesTraining) -> GlassesScores:
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
