"""`mien train prior`: realistic procedural heads, basis, wrinkles, completion, names, mapping."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.camera import FFHQ_FOCAL, Camera, intrinsics_of
from mien.core.errors import InputError
from mien.core.progress import progress
from mien.generator.backbones.blocks import BlocksBackbone, BlocksConfig
from mien.generator.completion import CompletionConfig
from mien.generator.model import MIEN_BASE, Generator, save_generator
from mien.generator.names.model import Names
from mien.generator.samples import rgba_of, still_head
from mien.morphable.model import MorphableModel, load_head_model
from mien.training.basis import codes_of, generator_config, load_maps, start_generator
from mien.training.completion.config import CompletionTraining
from mien.training.completion.examples import Examples
from mien.training.completion.scores import Scores
from mien.training.completion.trainer import CompletionTrainer, LogRow
from mien.training.expressions import (
    FOLDER,
    ExpressionConfig,
    ExpressionReport,
    build_expressions,
    fit_expressions,
)
from mien.training.mapping_fit import (
    MappingFitConfig,
    MappingReport,
    code_statistics,
    fit_blocks,
    importance_of,
)
from mien.training.names_fit import LabelledHeads, fit_names, unnamed
from mien.training.procedural.shards import ShardConfig, build_shards, read_shard, shards_in
from mien.training.superres_fit import Pairs, SuperResolutionFitConfig, SuperResolutionReport, fit_superres
from mien.training.vocabulary import values_of, vocabulary

DATA: Final = "procedural heads only; no photographs, no real people"
LEAST_HEADS: Final = 8
LEAST_SPREAD: Final = 1e-3


@dataclass(frozen=True)
class PriorPlan:
    """What `mien train prior` is asked for."""

    heads: int = 640
    minutes: float = 60.0
    """Of the completion's training; heads and fits come on top."""
    adversarial: float = 0.0
    seed: int = 0
    threads: int = 2
    shards: ShardConfig | None = None
    backbone: BlocksConfig | None = None
    network: CompletionConfig | None = None
    expressions: ExpressionConfig | None = None
    mapping: MappingFitConfig | None = None
    superres: SuperResolutionFitConfig | None = None


@dataclass(frozen=True)
class Prior:
    """What was made."""

    path: Path
    bytes: int
    heads: int
    hours: float
    steps: int
    explained: dict[str, float]
    """Share of the variance of training heads that each block's components hold."""
    scores: Scores
    """Of the completion, on heads that were held out."""
    expressions: ExpressionReport
    names: dict[str, float]
    """How well each name is read from held-out heads: R2, or share of right choices."""
    mapping: MappingReport
    superres: SuperResolutionReport


def train_prior(
    folder: Path,
    *,
    data_folder: Path | None = None,
    plan: PriorPlan | None = None,
    command: str = "",
    on_log: Callable[[LogRow], None] = lambda row: None,
) -> Prior:
    """Make a generator in `folder`; called again with the same settings, it goes on where it was.

    Raises InputError for settings that cannot work, ResumeError if the folder holds another run.
    """
    plan = plan or PriorPlan()
    if plan.heads < LEAST_HEADS:
        raise InputError(f"{plan.heads} heads are too few to learn from; give --heads {LEAST_HEADS} or more.")
    torch.set_num_threads(plan.threads)
    data_folder = data_folder or folder / "heads"
    shards = plan.shards or ShardConfig(heads=plan.heads, seed=plan.seed)
    build_shards(data_folder, shards, workers=plan.threads)
    paths, model = shards_in(data_folder)[: plan.heads], load_head_model()
    held_out = max(2, len(paths) // 16)
    generator, start = start_generator(paths[:-held_out], model, generator_config(plan.backbone))
    spread, average = start.codes.std(0).clamp(min=LEAST_SPREAD), start.codes.mean(0)
    backbone = generator.backbone
    assert isinstance(backbone, BlocksBackbone)
    drawn = plan.expressions or ExpressionConfig(seed=plan.seed)
    changes = build_expressions(data_folder / FOLDER, drawn)
    expressions = fit_expressions(backbone, changes, drawn.pull)
    others = load_maps(paths[-held_out:], backbone.config.basis_size)
    codes = torch.cat([start.codes, codes_of(generator, others, spread, average)])
    settings = CompletionTraining(
        minutes=plan.minutes,
        held_out=held_out,
        adversarial=plan.adversarial,
        seed=plan.seed,
        colour_shift=0.0,
    )
    network = plan.network or CompletionConfig()
    examples = Examples(paths, codes, generator, settings)
    trainer = CompletionTrainer(folder, examples, settings, network=network, on_log=on_log)
    trainer.run()
    generator.completer = trainer.network.eval().requires_grad_(False)
    generator.config = replace(generator.config, completion=network)
    names = name_people(generator, paths, codes, held_out)
    mapping, superres = _fits(generator, start.codes, paths, model, plan)
    done = Prior(
        folder / MIEN_BASE, 0, len(paths), trainer.spent_s / 3600, trainer.step, start.explained,
        trainer.scores(), expressions, dict(names.config.held_out), mapping, superres,
    )  # fmt: skip
    save_generator(done.path, generator, {"training": _header(done, shards, settings, command)})
    return replace(done, bytes=done.path.stat().st_size)


def name_people(
    generator: Generator, paths: Sequence[Path], codes: Float[Tensor, "head w"], held_out: int
) -> Names:
    """Teach a generator the names of its training heads' features; the last heads only measure."""
    backbone = generator.backbone
    assert isinstance(backbone, BlocksBackbone)
    found = [read_shard(path, ("identity", "light_sh")) for path in paths]
    heads = LabelledHeads(
        [values_of(head.labels, head.arrays["light_sh"]) for head in found],
        codes,
        torch.from_numpy(np.stack([head.arrays["identity"] for head in found])),
        held_out,
    )
    generator.names = fit_names(vocabulary(), heads, backbone.blocks)
    generator.config = replace(generator.config, names=generator.names.config)
    return generator.names


def _fits(
    generator: Generator,
    codes: Float[Tensor, "head w"],
    paths: Sequence[Path],
    model: MorphableModel,
    plan: PriorPlan,
) -> tuple[MappingReport, SuperResolutionReport]:
    importance = importance_of(generator.backbone, codes.shape[1])
    mapping_config = plan.mapping or MappingFitConfig(seed=plan.seed)
    superres_config = plan.superres or SuperResolutionFitConfig(seed=plan.seed)
    generator.w_std.copy_(code_statistics(codes)[1])
    left = codes if generator.names is None else unnamed(generator.names, codes)
    mapping = fit_blocks(generator.mapping.requires_grad_(True), left, importance, mapping_config)
    pairs = view_pairs(generator, model, codes, paths, superres_config)
    return mapping, fit_superres(generator.superres.requires_grad_(True), pairs, superres_config)


def view_pairs(
    generator: Generator,
    model: MorphableModel,
    codes: Float[Tensor, "head w"],
    paths: Sequence[Path],
    config: SuperResolutionFitConfig,
) -> Pairs:
    """Views of training heads as the generator knows them (their codes), and as they were rendered."""
    rng = np.random.default_rng(config.seed)
    chosen = rng.choice(len(codes), min(config.pairs, len(codes)), replace=False)
    small, large = [], []
    for index in progress(chosen.tolist(), desc="super-resolution pairs"):
        arrays = read_shard(paths[index]).arrays
        k = int(rng.integers(len(arrays["rgb"])))
        side = round(arrays["alpha"].shape[1] ** 0.5)
        camera = Camera(torch.from_numpy(arrays["camera"][k]), intrinsics_of(FFHQ_FOCAL))
        expression = torch.from_numpy(arrays["expression"][k])
        still = still_head(generator, model, torch.from_numpy(arrays["identity"]), codes[index], expression)
        small.append(rgba_of(still.view(camera, side // 2)))
        rgba = np.concatenate([arrays["rgb"][k], arrays["alpha"][k, :, None]], 1).astype(np.float32) / 255
        large.append(torch.from_numpy(rgba.reshape(side, side, 4)).permute(2, 0, 1))
    return Pairs(torch.stack(small), torch.stack(large))


def _header(done: Prior, shards: ShardConfig, settings: CompletionTraining, command: str) -> dict[str, Any]:
    return {
        "command": command,
        "seed": settings.seed,
        "hours": round(done.hours, 3),
        "step": done.steps,
        "data": {"kind": DATA, **asdict(shards)},
        "completion": asdict(settings),
        "explained": done.explained,
        "scores": asdict(done.scores),
        "expressions": asdict(done.expressions),
        "names": done.names,
        "mapping": asdict(done.mapping),
        "superres": asdict(done.superres),
    }
