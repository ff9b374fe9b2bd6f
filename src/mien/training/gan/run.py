"""`mien train gan`: a run in a folder, with its log, sample sheets and files; started again, it goes on."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch

from mien.core.atomic import atomic_path
from mien.core.device import DeviceChoice
from mien.core.errors import InputError, ResumeError
from mien.core.progress import progress
from mien.generator.eg3d.checkpoint import save_eg3d_state
from mien.io.images import write_image
from mien.training.gan.config import GanConfig, config_hash, differences, to_json
from mien.training.gan.dataset import GanDataset
from mien.training.gan.metrics import Metric, SlicedWasserstein
from mien.training.gan.processes import processes
from mien.training.gan.samples import fakes, sheet, to_8_bit
from mien.training.gan.state import STATE_FILE, read_state, training_header, write_state
from mien.training.gan.trainer import GanTrainer

RUN_FILE: Final = "run.json"
LOG_FILE: Final = "log.jsonl"
GENERATOR_FILE: Final = "generator.safetensors"
HELD_OUT_LIMIT: Final = 2048
HELD_OUT_BATCH: Final = 16
LogRow = dict[str, Any]


@dataclass(frozen=True)
class GanPlan:
    """How long a run is and how often it writes; may be changed when the run goes on."""

    kimg: float = 25_000.0
    """Thousand real images to see in all."""
    log_every: int = 50
    """Steps."""
    sheet_every: int = 500
    checkpoint_every: int = 500
    keep_every: int = 10_000
    """Steps between two generators that are kept for good."""
    metric_every: int = 2000
    metric_images: int = 50_000
    """Fakes that a metric sees."""
    device: DeviceChoice = "auto"
    threads: int | None = None
    """Of PyTorch on a CPU; None leaves them. A run repeats its numbers exactly only with as many threads."""


@dataclass(frozen=True)
class GanResult:
    """A finished run."""

    generator: Path
    """The averaged generator; `load_eg3d` and every `--model` read it."""
    steps: int
    images: int
    hours: float
    is_first: bool = True
    """Whether this process is the one that wrote."""


def train_gan(
    dataset: Path,
    folder: Path,
    config: GanConfig,
    plan: GanPlan | None = None,
    *,
    metric: Metric | None = None,
    on_log: Callable[[LogRow], None] = lambda row: None,
) -> GanResult:
    """Train in `folder` on a folder of pictures and labels; called again, it goes on where it was.

    Started by torch's launcher, all processes share the work and the first one writes. Raises InputError for
    pictures or settings that cannot work, ResumeError if the folder holds another run.
    """
    plan = plan or GanPlan()
    if plan.threads is not None:
        torch.set_num_threads(plan.threads)
    data = sized(GanDataset(dataset, mirror=config.mirror), config.generator.image_px)
    with processes(plan.device) as (group, device):
        trainer = GanTrainer(config, data, device=device, group=group)
        run = _Run(folder, trainer, plan, metric, on_log)
        if group.is_first:
            run.begin()
        group.wait()
        run.resume()
        run.finish()
        group.wait()
    hours = run.spent_s / 3600
    return GanResult(
        folder / GENERATOR_FILE, trainer.step_count, trainer.images, hours, is_first=group.is_first
    )


def sized(data: GanDataset, image_px: int) -> GanDataset:
    """The data set itself. InputError unless its pictures have this side."""
    if data.image_px != image_px:
        raise InputError(
            f"The pictures in {data.folder} have {data.image_px} px, but these settings make images of "
            f"{image_px} px; choose another preset or crop the photos to that size."
        )
    return data


def distance_to(folder: Path, image_px: int) -> tuple[Metric, int]:
    """Sliced Wasserstein distance to the pictures of a folder, and how many it takes of them."""
    data = sized(GanDataset(folder), image_px)
    count = min(len(data), HELD_OUT_LIMIT)
    starts = range(0, count, HELD_OUT_BATCH)
    read = (data.read(list(range(k, min(k + HELD_OUT_BATCH, count)))) for k in starts)
    return SlicedWasserstein(to_8_bit(reals.images) for reals in read), count


class _Run:
    """The folder of a run; only the first process writes there."""

    def __init__(
        self,
        folder: Path,
        trainer: GanTrainer,
        plan: GanPlan,
        metric: Metric | None,
        on_log: Callable[[LogRow], None],
    ) -> None:
        self.folder, self.trainer, self.plan = folder, trainer, plan
        self.metric, self.on_log = metric, on_log
        self.spent_s = 0.0
        self.steps = round(plan.kimg * 1000 / trainer.config.batch)

    def begin(self) -> None:
        """Make the folder and its run.json, or see that the run in it is this one."""
        mine = {
            "config": to_json(self.trainer.config), "config_sha256": config_hash(self.trainer.config),
            "labels_sha256": self.trainer.data.sha256,
        }  # fmt: skip
        path = self.folder / RUN_FILE
        if not path.is_file():
            if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
                raise InputError(
                    f"{self.folder} exists and is no run of `mien train gan`; choose a new folder."
                )
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(mine, indent=1) + "\n", encoding="utf-8")
            return
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            config, labels = found["config"], found["labels_sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ResumeError(f"{path} is damaged ({error}); choose a new folder for the run.") from error
        if odd := differences(config, json.loads(json.dumps(mine["config"]))):
            raise ResumeError(
                f"{self.folder} holds a run with other settings ({', '.join(odd[:5])}); give the same ones, "
                "or choose a new folder."
            )
        if labels != mine["labels_sha256"]:
            raise ResumeError(f"{self.folder} holds a run on other pictures; choose a new folder.")

    def resume(self) -> None:
        """Read the state, if there is one, and forget what was logged after it."""
        path = self.folder / STATE_FILE
        if path.exists():
            self.spent_s = read_state(path, self.trainer)
        log = self.folder / LOG_FILE
        if self.trainer.group.is_first and log.exists():
            rows = [row for row in read_log(log) if row["step"] <= self.trainer.step_count]
            with atomic_path(log) as temporary:
                temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def finish(self) -> None:
        """All steps that are left, and what is to be written between them."""
        trainer, plan = self.trainer, self.plan
        if trainer.step_count == 0 and trainer.group.is_first:
            self._write_sheet()
        sums: dict[str, list[float]] = {}
        start, before = time.monotonic(), self.spent_s
        left = range(trainer.step_count, self.steps)
        for _ in progress(left, desc="training") if trainer.group.is_first else left:
            for name, value in trainer.step().items():
                sums.setdefault(name, []).append(value)
            self.spent_s = before + time.monotonic() - start
            done, last = trainer.step_count, trainer.step_count == self.steps
            if done % plan.log_every == 0 or last:
                self._log(sums)
                sums = {}
            if (done % plan.sheet_every == 0 or last) and trainer.group.is_first:
                self._write_sheet()
            if done % plan.checkpoint_every == 0 or last:
                self._write_files()
            if done % plan.keep_every == 0 and trainer.group.is_first:
                self._write_generator(f"generator_{done:08d}.safetensors")

    def _log(self, sums: dict[str, list[float]]) -> None:
        """A line of the log: means since the last one, the schedules, and a metric now and then."""
        trainer = self.trainer
        if not trainer.group.is_first:
            return
        moment = trainer.moment
        row: LogRow = {
            "step": trainer.step_count, "kimg": trainer.images / 1000, "minutes": round(self.spent_s / 60, 2),
            **{name: round(sum(v) / len(v), 6) for name, v in sorted(sums.items())},
            "swap": moment.swap, "neural_px": moment.neural_px, "blur_px": moment.blur_px,
        }  # fmt: skip
        if self.metric is not None and (
            trainer.step_count % self.plan.metric_every == 0 or trainer.step_count == self.steps
        ):
            row |= self.metric(fakes(trainer, self.plan.metric_images))
        with (self.folder / LOG_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self.on_log(row)

    def _write_sheet(self) -> None:
        name = f"samples_{self.trainer.step_count:08d}.png"
        write_image(self.folder / name, sheet(self.trainer))

    def _write_files(self) -> None:
        """The state, and the averaged generator on its own."""
        trainer = self.trainer
        if trainer.group.is_first:
            self._write_generator(GENERATOR_FILE)
            write_state(self.folder / STATE_FILE, trainer, spent_s=self.spent_s)
        trainer.group.wait()

    def _write_generator(self, name: str) -> None:
        trainer = self.trainer
        save_eg3d_state(
            self.folder / name,
            replace(trainer.config.generator, neural_resolution=trainer.moment.neural_px),
            trainer.average.state_dict(),
            header=training_header(trainer, self.spent_s),
        )


def read_log(path: Path) -> list[LogRow]:
    """The rows of a log; a last line that was cut off is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            break
        if not isinstance(row, dict) or "step" not in row:
            break
        rows.append(row)
    return rows
