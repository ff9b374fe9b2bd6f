"""`mien train`: heads, distillation, finish and export, each going on where it was interrupted."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mien.core.assets import sha256_of_file
from mien.core.checkpoint import read_header
from mien.core.errors import InputError
from mien.generator.model import MIEN_BASE, load_generator
from mien.generator.samples import RENDER_PX, head_row, join_pictures, random_heads, still_head
from mien.io.images import write_image
from mien.training.config import DistilConfig
from mien.training.dataset import DatasetConfig, build_dataset, read_config
from mien.training.distil import Distiller, LogRow
from mien.training.finish import FinishConfig, Finished, finish
from mien.training.mapping_fit import MappingFitConfig
from mien.training.superres_fit import SuperResolutionFitConfig

LEAST_HEADS: Final = 4
SHEET_HEADS: Final = 3
SHEET_FILE: Final = "samples.jpg"


@dataclass(frozen=True)
class TrainPlan:
    """What `mien train distil` is asked for."""

    heads: int = 640
    views: int = 10
    minutes: float = 90.0
    seed: int = 0
    threads: int = 2
    start: Path | None = None
    """A generator file to go on from."""
    finish: FinishConfig | None = None


def train_distil(
    folder: Path,
    *,
    data_folder: Path | None = None,
    plan: TrainPlan | None = None,
    command: str = "",
    on_log: Callable[[LogRow], None] = lambda row: None,
) -> Finished:
    """Train a generator in `folder` and export it there; called again, it goes on.

    A set of heads that is in `data_folder` already is used as it is (and completed); else one is rendered.
    Raises InputError for settings that cannot work, ResumeError if the folder holds another run.
    """
    plan = plan or TrainPlan()
    data_folder = data_folder or folder / "heads"
    torch.set_num_threads(plan.threads)
    wanted = DatasetConfig(heads=plan.heads, views=plan.views, seed=plan.seed)
    config = read_config(data_folder) or wanted
    if config.heads < LEAST_HEADS:
        raise InputError(
            f"{config.heads} heads are too few to learn from; give --heads {LEAST_HEADS} or more."
        )
    start = None if plan.start is None else load_generator(plan.start)
    build_dataset(data_folder, config, workers=plan.threads)
    distil = DistilConfig(
        minutes=plan.minutes,
        seed=plan.seed,
        held_out=held_out_heads(config.heads),
        start_sha256="" if plan.start is None else sha256_of_file(plan.start),
        start_hours=0.0 if plan.start is None else hours_of(plan.start),
    )
    Distiller(
        folder, data_folder, distil, start=start, on_log=on_log, on_checkpoint=write_progress_sheet
    ).run()
    return finish(folder, data_folder, folder / MIEN_BASE, config=plan.finish, command=command)


def hours_of(path: Path) -> float:
    """Hours of training that a generator file's header tells of, with those of the files it went on from."""
    training = read_header(path).get("training", {})
    return float(training.get("hours", 0.0)) + float(training.get("distil", {}).get("start_hours", 0.0))


def held_out_heads(heads: int) -> int:
    """Heads kept for measuring: one in sixteen."""
    return max(1, heads // 16)


def write_progress_sheet(distiller: Distiller) -> None:
    """Beside the state: training heads as drawn and as learned, and random latents around the average."""
    generator = distiller.generator
    codes = distiller.codes.detach()
    rows = []
    for head in range(min(SHEET_HEADS, distiller.n_train)):
        still = still_head(generator, distiller.model, distiller.identity(head), codes[head])
        rows.append([_drawn(distiller, head), *head_row(still)])
    people = random_heads(generator, distiller.model, SHEET_HEADS, seed=distiller.config.seed)
    random = torch.Generator().manual_seed(distiller.config.seed)
    for person in people:
        # The mapping network is trained at the end; until then a normal distribution stands for it.
        w = codes.mean(0) + 0.7 * codes.std(0) * torch.randn(codes.shape[1], generator=random)
        row = head_row(still_head(generator, distiller.model, person.identity, w))
        rows.append([row[0] * 0 + 255, *row])
    write_image(distiller.folder / SHEET_FILE, join_pictures(rows))


def _drawn(distiller: Distiller, head: int) -> NDArray[np.uint8]:
    """The first picture of a head in the set, at the size of the sheet's cells."""
    size = distiller.data.config.size
    first = distiller.data.pixels["rgb"][head * distiller.data.config.views].reshape(size, size, 3)
    return np.asarray(cv2.resize(first, (2 * RENDER_PX, 2 * RENDER_PX)), np.uint8)


def export_run(
    folder: Path,
    output: Path,
    *,
    data_folder: Path | None = None,
    seed: int = 0,
    threads: int = 2,
    command: str = "",
) -> Finished:
    """`mien train finish`: export a run as it is now."""
    torch.set_num_threads(threads)
    config = FinishConfig(MappingFitConfig(seed=seed), SuperResolutionFitConfig(seed=seed))
    return finish(folder, data_folder or folder / "heads", output, config=config, command=command)
