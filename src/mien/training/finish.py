"""From a training run to the generator that is used: latent statistics, mapping, super-resolution, export."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from mien.core.errors import InputError
from mien.generator.model import GeneratorConfig, save_generator
from mien.morphable.model import load_head_model
from mien.training.dataset import HeadDataset, open_dataset
from mien.training.mapping_fit import (
    MappingFitConfig,
    MappingReport,
    code_statistics,
    fit_blocks,
    importance_of,
)
from mien.training.state import CODES, GENERATOR, TrainingState, generator_of, read_state
from mien.training.superres_fit import (
    SuperResolutionFitConfig,
    SuperResolutionReport,
    fit_superres,
    make_pairs,
)

DATA: Final = "procedural heads only; no photographs, no real people"


@dataclass(frozen=True)
class FinishConfig:
    """The two fits that come after distillation."""

    mapping: MappingFitConfig = field(default_factory=MappingFitConfig)
    superres: SuperResolutionFitConfig = field(default_factory=SuperResolutionFitConfig)


@dataclass(frozen=True)
class Finished:
    """What was exported."""

    path: Path
    bytes: int
    hours: float
    steps: int
    mapping: MappingReport
    superres: SuperResolutionReport


def finish(
    folder: Path,
    data_folder: Path,
    output: Path,
    *,
    config: FinishConfig | None = None,
    generator_config: GeneratorConfig | None = None,
    command: str = "",
) -> Finished:
    """Export the state in `folder`, trained on the heads in `data_folder`, as float16 safetensors.

    Only reads the run, so it can be called while training goes on. `command` is what the user typed; it goes
    into the header. Deterministic for a state and a config, on one thread. Raises InputError if there is no
    such run or set.
    """
    config = config or FinishConfig()
    state = read_state(folder, prefixes=(GENERATOR, CODES))
    data = open_dataset(data_folder)
    _check_match(folder, state, data_folder, data)
    generator, codes = generator_of(state, generator_config), state.codes
    importance = importance_of(generator.backbone, codes.shape[1])
    mapping = fit_blocks(generator.mapping.requires_grad_(True), codes, importance, config.mapping)
    generator.w_std.copy_(code_statistics(codes)[1])
    pairs = make_pairs(generator, load_head_model(), codes, data, config.superres)
    superres = fit_superres(generator.superres.requires_grad_(True), pairs, config.superres)
    done = Finished(output, 0, state.spent_s / 3600, state.step, mapping, superres)
    save_generator(output, generator, {"training": _header(done, state, data, config, command)})
    return replace(done, bytes=output.stat().st_size)


def _check_match(folder: Path, state: TrainingState, data_folder: Path, data: HeadDataset) -> None:
    expected = data.config.heads - int(state.config.get("held_out", 0))
    if len(state.codes) != expected:
        raise InputError(
            f"The run in {folder} has latents of {len(state.codes)} heads, but {data_folder} has {expected} "
            "heads for training; give the set that the run was trained on."
        )


def _header(
    done: Finished, state: TrainingState, data: HeadDataset, config: FinishConfig, command: str
) -> dict[str, Any]:
    return {
        "command": command,
        "seed": state.config.get("seed"),
        "hours": round(done.hours, 3),
        "step": state.step,
        "data": {"kind": DATA, **asdict(data.config)},
        "distil": state.config,
        "finish": asdict(config),
        "mapping": asdict(done.mapping),
        "superres": asdict(done.superres),
    }
