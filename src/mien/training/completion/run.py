"""`mien train completion`: a new completion network for a generator that is there already."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch

from mien.core.assets import asset_path, sha256_of_file
from mien.core.checkpoint import read_header
from mien.core.errors import InputError
from mien.core.parallel import core_count
from mien.generator.backbones.blocks import BlocksBackbone
from mien.generator.completion import Completer, CompletionConfig
from mien.generator.model import MIEN_BASE, Generator, load_generator, save_generator
from mien.training.completion.config import CompletionTraining
from mien.training.completion.resident import ResidentExamples, codes_in
from mien.training.completion.scores import Scores
from mien.training.completion.trainer import CompletionTrainer, LogRow
from mien.training.procedural.shards import shards_in

LEAST_HEADS: Final = 4
MOST_HELD_OUT: Final = 64
SETTINGS: Final = CompletionTraining(
    batch=16, critic_after=0.5, critic_counts_after=0.55, average=0.999, checkpoint_every_s=60.0
)
"""The critic, if there is one, has the second half of the schedule."""
SCORE_EVERY_ON_GPU: Final = 1000


@dataclass(frozen=True)
class CompletionPlan:
    """What `mien train completion` is asked for."""

    training: CompletionTraining = SETTINGS
    """`held_out` and, on a GPU, `score_every` are chosen by the run."""
    widths: tuple[int, ...] | None = None
    """Channels of the network; None takes those of the file's own, or the default ones."""
    go_on: bool = False
    """Start from the file's network, not anew."""
    heads: int | None = None
    """Heads to use, at most."""
    stop_after_s: float = float("inf")
    """Wall-clock seconds after which this call keeps its state and stops."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    threads: int | None = None
    """Of the CPU; None takes all cores."""


@dataclass(frozen=True)
class TrainedCompletion:
    """What was made."""

    path: Path
    bytes: int
    heads: int
    hours: float
    steps: int
    finished: bool
    """Whether the schedule came to its end; if not, the file holds what was reached."""
    scores: dict[str, Scores]
    """On heads that were held out: as they are (""), and with shifted hues ("_shifted")."""


def train_completion(
    folder: Path,
    data_folder: Path,
    *,
    model: Path | None = None,
    plan: CompletionPlan | None = None,
    command: str = "",
    on_log: Callable[[LogRow], None] = lambda row: None,
) -> TrainedCompletion:
    """Train a completion network on a set of heads and write `model` (None: the bundled one) with it.

    All else in the file stays. Called again with the same settings it goes on where it was. Raises InputError
    for settings that cannot work, ResumeError if the folder holds another run.
    """
    plan, until = plan or CompletionPlan(), time.monotonic()
    until += plan.stop_after_s
    torch.set_num_threads(plan.threads or core_count())
    model = asset_path(MIEN_BASE) if model is None else model
    paths = shards_in(data_folder)[: plan.heads]
    settings = _settings(plan, len(paths))
    generator = load_generator(model, device=plan.device)
    network = _network(generator, plan)
    if not isinstance(generator.backbone, BlocksBackbone):
        raise InputError(f"{model} is a generator without blocks; give one that `mien train prior` made.")
    origin = {
        "model": sha256_of_file(model), "heads": len(paths), "go_on": plan.go_on,
        "widths": list(network.config.widths),
    }  # fmt: skip
    examples = _examples(generator, paths, settings, plan)
    if plan.device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # after the codes, which are solutions of linear systems
    trainer = CompletionTrainer(folder, examples, settings, network=network, origin=origin, on_log=on_log)
    trainer.run(until=until)
    done = TrainedCompletion(
        folder / MIEN_BASE, 0, len(paths), trainer.spent_s / 3600, trainer.step,
        trainer.spent_s >= settings.minutes * 60, trainer.all_scores(),
    )  # fmt: skip
    generator.completer = trainer.averaged.eval().requires_grad_(False)
    generator.config = replace(generator.config, completion=network.config)
    header = {"completion": _header(done, settings, origin, command)}
    if "training" in (old := read_header(model)):
        header["training"] = old["training"]
    save_generator(done.path, generator, header)
    return replace(done, bytes=done.path.stat().st_size)


def _settings(plan: CompletionPlan, heads: int) -> CompletionTraining:
    if heads < LEAST_HEADS:
        raise InputError(
            f"{heads} heads are too few to learn from; make {LEAST_HEADS} or more with `mien train heads`."
        )
    held_out = max(2, min(MOST_HELD_OUT, heads // 8))
    every = SCORE_EVERY_ON_GPU if plan.device.type == "cuda" else plan.training.score_every
    return replace(plan.training, held_out=held_out, score_every=every)


def _network(generator: Generator, plan: CompletionPlan) -> Completer:
    """The network to train: the file's own, or a new one."""
    own = generator.completer
    if not plan.go_on:
        default = CompletionConfig() if own is None else own.config
        torch.manual_seed(plan.training.seed)
        return Completer(default if plan.widths is None else CompletionConfig(plan.widths))
    if own is None:
        raise InputError("The generator has no completion network to go on from; train one without --go-on.")
    if plan.widths not in (None, own.config.widths):
        raise InputError(
            f"--widths asks for {plan.widths}, but the generator's network has {own.config.widths}; leave "
            "out --widths or --go-on."
        )
    return own


def _examples(
    generator: Generator, paths: Sequence[Path], settings: CompletionTraining, plan: CompletionPlan
) -> ResidentExamples:
    codes = codes_in(generator, paths, workers=plan.threads)
    examples = ResidentExamples(paths, codes, generator, settings, workers=plan.threads)
    torch.set_num_threads(plan.threads or core_count())  # threads that load set theirs, and MKL's of all
    return examples


def _header(
    done: TrainedCompletion, settings: CompletionTraining, origin: dict[str, Any], command: str
) -> dict[str, Any]:
    return {
        "command": command, "seed": settings.seed, "hours": round(done.hours, 3), "step": done.steps,
        "finished": done.finished, "heads": done.heads, "settings": asdict(settings),
        "started_from": {"sha256": origin["model"], "its_network": origin["go_on"]},
        "scores": asdict(done.scores[""]),
        "scores_shifted": asdict(done.scores["_shifted"]) if "_shifted" in done.scores else None,
    }  # fmt: skip
