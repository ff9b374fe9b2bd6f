"""The benchmark over all persons: one file each, written whole, so that it can stop and go on anywhere.

OUT/settings.json holds what the figures depend on; OUT/persons/000.json a person's figures or why there are
none; OUT/persons/000.png their pictures. Several processes may share OUT, each with its own part of the
persons.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.core.atomic import atomic_path
from mien.core.errors import InputError, ResumeError
from mien.core.progress import progress
from mien.evaluation.bench.eyes import Eyes
from mien.evaluation.bench.heads import BenchHead, bench_head
from mien.evaluation.bench.person import Bench, PersonScore, score_person
from mien.evaluation.bench.plan import BENCH_VERSION, IDENTITIES, PHOTO_PX, ViewPlan
from mien.evaluation.bench.subject_files import MakeSubjects, SittingError
from mien.evaluation.metrics.perceptual import PerceptualDistance
from mien.evaluation.sheets import contact_sheet
from mien.io.images import write_image
from mien.morphable.model import load_head_model

SETTINGS: Final = "settings.json"
PERSONS: Final = "persons"
STRIP_CELL_PX: Final = 144

Say = Callable[[str], None]


@dataclass(frozen=True)
class BenchOptions:
    """What is run."""

    plan: ViewPlan = field(default_factory=ViewPlan)
    identities: int = IDENTITIES
    shard: tuple[int, int] = (0, 1)
    """This process does the persons k with k % count == first."""
    resume: bool = False
    """Go on with what is in the folder."""
    facts: dict[str, str] = field(default_factory=dict)
    """What else the figures depend on: model, effort, seed."""

    def settings(self, perceptual: PerceptualDistance | None) -> dict[str, Any]:
        """All that figures in one folder must share, as JSON has it."""
        found = {
            "bench_version": BENCH_VERSION,
            "plan": asdict(self.plan),
            "perceptual": None if perceptual is None else perceptual.name,
            **self.facts,
        }
        return dict(json.loads(json.dumps(found)))


def run_bench(
    folder: Path,
    make_subjects: MakeSubjects,
    options: BenchOptions | None = None,
    *,
    perceptual: PerceptualDistance | None = None,
    make_head: Callable[[int], BenchHead] | None = None,
    say: Say = lambda line: None,
) -> None:
    """Measure every person that is not measured yet. Raises InputError or ResumeError before any work."""
    options = options or BenchOptions()
    prepare_folder(folder, options, perceptual)
    model = load_head_model()
    make_head = make_head or (lambda index: bench_head(model, index))
    first, count = options.shard
    todo = [k for k in range(first, options.identities, count) if not person_file(folder, k).exists()]
    with Eyes() as eyes:
        bench = Bench(options.plan, eyes, perceptual)
        for index in progress(todo, desc="mien-bench"):
            say(_measure(folder, index, make_head(index), make_subjects, bench))


def prepare_folder(folder: Path, options: BenchOptions, perceptual: PerceptualDistance | None) -> None:
    """Make the folder, or see that what is in it may be gone on with."""
    if options.identities < 1 or not 0 <= options.shard[0] < options.shard[1]:
        raise InputError(
            f"{options.identities} identities in part {options.shard} were asked for; expected at least one, "
            "and a part I/N with I from 0 to N - 1."
        )
    path, settings = folder / SETTINGS, options.settings(perceptual)
    if path.exists():
        if not options.resume:
            raise InputError(f"{folder} holds a benchmark already; add --resume or give another folder.")
        found = read_settings(folder)
        changed = sorted(k for k in settings.keys() | found.keys() if settings.get(k) != found.get(k))
        if changed:
            raise ResumeError(
                f"The benchmark in {folder} was begun with another {' and '.join(changed)}; give the same "
                "options, or another folder."
            )
        return
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def read_settings(folder: Path) -> dict[str, Any]:
    """Of the benchmark in a folder. Raises ResumeError if they cannot be read."""
    return _read(folder / SETTINGS)


def read_persons(folder: Path) -> list[dict[str, Any]]:
    """What is there of all persons, in order."""
    return [_read(path) for path in sorted((folder / PERSONS).glob("*.json"))]


def person_file(folder: Path, index: int) -> Path:
    """Where a person's figures are."""
    return folder / PERSONS / f"{index:03d}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResumeError(f"{path} cannot be read ({error}); delete it and run again.") from error
    if not isinstance(found, dict):
        raise ResumeError(f"{path} is no file of the benchmark; delete it and run again.")
    return found


def _measure(folder: Path, index: int, head: BenchHead, make_subjects: MakeSubjects, bench: Bench) -> str:
    """One person: photo, inversion, all views; gives a line to say."""
    path = person_file(folder, index)
    photo = folder / PERSONS / f".{index:03d}.photo.png"
    rgb = head.photo(PHOTO_PX)
    write_image(photo, rgb)
    try:
        sat = make_subjects(photo)
    except SittingError as error:
        _write(path, {"index": index, "failed": str(error)})
        return f"{index}: failed: {error}"
    finally:
        photo.unlink(missing_ok=True)
    score, rows = score_person(bench, head, sat.subjects, index)
    strip = [[rgb, *row] if k == 0 else [None, *row] for k, row in enumerate(rows)]
    write_image(path.with_suffix(".png"), contact_sheet(strip, side_px=STRIP_CELL_PX))
    _write(path, {"index": index, "groups": head.groups(), "cost": asdict(sat.cost), **asdict(score)})
    return f"{index}: {_summary(score)}"


def _summary(score: PersonScore) -> str:
    names = list(score.views[0].scores)
    means = {name: np.mean([view.scores[name].psnr_db for view in score.views]) for name in names}
    return ", ".join(f"{name} {value:.1f} dB" for name, value in means.items())


def _write(path: Path, value: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value) + "\n", encoding="utf-8")
