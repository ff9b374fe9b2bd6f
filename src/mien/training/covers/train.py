"""`mien train covers`: squares, training, scores on heads that it has not seen, the file."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mien.core.parallel import one_thread
from mien.morphable.covernet import ASSET, CLASSES, COVER, KIND, NOTHING, SIZE, read_cover_net
from mien.morphable.partsnet import PartsAnswer, PartsNet, PartsNetConfig, save_parts_net
from mien.training.covers.crops import read_squares
from mien.training.covers.examples import (
    SquareAugment,
    SquareExamples,
    SquareSet,
    draw_square_examples,
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


@dataclass(frozen=True)
class CoverTraining:
    """Length, rates and examples."""

    heads: int = 170
    steps: int = 2600
    batch: int = 16
    lr: float = 3e-3
    bare: float = 0.4
    """Share of examples of renders with nothing before the face."""
    held_out: float = 0.1
    """Share of the heads, at the end of the set, that training never sees."""
    worn_weight: float = 0.2
    threads: int = 1
    half: bool = True
    """Convolutions in bfloat16, where that is fast."""
    seed: int = 0
    network: PartsNetConfig = SIZE
    start: Path | None = None
    """A trained network that is trained on, without norms; None begins anew."""
    augment: SquareAugment = field(default_factory=SquareAugment)


@dataclass(frozen=True)
class CoverScores:
    """On augmented squares of held-out heads."""

    iou: float
    """Of pixels that are taken for cover and those that it mostly fills."""
    seen: float
    """Share of the covered squares that are seen to be."""
    false_alarms: float
    """Share of the bare ones that are taken for covered."""
    squares: int


@dataclass(frozen=True)
class CoverRun:
    """What was made."""

    path: Path
    bytes: int
    scores: CoverScores


def train_covers(
    folder: Path, data_folder: Path, *, config: CoverTraining | None = None, command: str = "",
    on_log: Callable[[dict[str, Any]], None] = lambda row: None,
) -> CoverRun:  # fmt: skip
    """Train on the squares in a folder and write `cover_finder.safetensors`. Takes an hour and goes on
    where it was interrupted; the same squares and settings give the same file.

    Raises InputError if there are too few heads, ResumeError if the folder keeps one of other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = config or CoverTraining()
    with one_thread():
        torch.set_num_threads(config.threads)
        heads = read_squares(data_folder, config.heads)
        own, held = held_out_split(heads, config.held_out, data_folder)
        network = fit_network(joined(own), config, on_log, folder)
        scores = score(network, joined(held), config)
    path = folder / ASSET
    training = {
        "command": command, "heads": len(heads), "steps": config.steps, "scores": asdict(scores),
    }  # fmt: skip
    save_parts_net(path, network, KIND, {"training": training})
    (folder / STATE_FILE).unlink(missing_ok=True)
    return CoverRun(path, path.stat().st_size, scores)


def fit_network(
    squares: SquareSet, config: CoverTraining, on_log: Callable[[dict[str, Any]], None],
    kept: Path | None = None,
) -> PartsNet:  # fmt: skip
    """The running mean of the weights, folded. The training goes on from what a folder keeps of it."""
    random = torch.Generator().manual_seed(config.seed)
    bare, covered = (torch.nonzero(squares.covered == flag)[:, 0] for flag in (0, 1))
    few = round(config.bare * config.batch)

    def cost_of_step(network: PartsNet) -> Tensor:
        rows = [some_of(bare, few, random), some_of(covered, config.batch - few, random)]
        lenders = squares.of(some_of(covered, config.batch, random))
        examples = draw_square_examples(squares.of(torch.cat(rows)), lenders, random, config.augment)
        return cost_of(answer_in(network, examples.image, half=config.half), examples, config)

    if config.start is None:
        network = new_network(config.network, CLASSES, config.seed)
    else:
        network = read_cover_net(config.start).train().requires_grad_(True)
    schedule = FitSchedule(config.steps, config.lr, settings_of(config), kept)
    return fit_parts(network, cost_of_step, random, schedule, on_log)


def cost_of(answer: PartsAnswer, examples: SquareExamples, config: CoverTraining) -> Tensor:
    """Cross-entropy of pixels and of whether there is anything."""
    logit = answer.parts[:, COVER] - answer.parts[:, NOTHING]
    pixels = F.binary_cross_entropy_with_logits(logit, examples.cover)
    return pixels + config.worn_weight * F.binary_cross_entropy_with_logits(answer.worn, examples.covered)


def score(network: PartsNet, squares: SquareSet, config: CoverTraining) -> CoverScores:
    """See `CoverScores`; each square is drawn three times."""
    random = torch.Generator().manual_seed(config.seed + 1)
    covered = torch.nonzero(squares.covered)[:, 0]
    both = either = 0
    seen: list[Tensor] = []
    truth: list[Tensor] = []
    for _ in range(3):
        for rows in torch.arange(len(squares.covered)).split(config.batch):
            lenders = squares.of(some_of(covered, len(rows), random))
            examples = draw_square_examples(squares.of(rows), lenders, random, config.augment)
            with torch.no_grad():
                answer = network(examples.image)
            found, true = answer.parts.argmax(1) == COVER, examples.cover > 0.5
            both += int((found & true).sum())
            either += int((found | true).sum())
            seen.append(answer.worn > 0)
            truth.append(examples.covered > 0)
    is_seen, is_covered = torch.cat(seen), torch.cat(truth)
    return CoverScores(
        round(both / max(either, 1), 3), round(float(is_seen[is_covered].float().mean()), 4),
        round(float(is_seen[~is_covered].float().mean()), 4), len(is_covered),
    )  # fmt: skip
