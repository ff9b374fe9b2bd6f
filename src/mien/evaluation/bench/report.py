"""The benchmark's table from the files of its persons: JSON, Markdown, a plot and a contact sheet."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.core.atomic import atomic_path
from mien.core.errors import InputError
from mien.evaluation.bench.breakdown import Group, breakdown, breakdown_lines
from mien.evaluation.bench.region_table import RegionMean, region_lines, region_means
from mien.evaluation.bench.run import PERSONS, read_persons, read_settings
from mien.evaluation.metrics.bootstrap import Interval, bootstrap_mean
from mien.io.images import read_photo, write_image

JSON_FILE, TABLE_FILE, PLOT_FILE, SHEET_FILE = "bench.json", "bench.md", "bench.png", "sheet.jpg"
SHEET_PERSONS: Final = 4


@dataclass(frozen=True)
class Figure:
    """A figure of the table."""

    key: str
    """In `ViewScore`."""
    title: str
    digits: int
    weight: str | None = None
    """Another number in `ViewScore`: means over a person's views are weighted by it."""


FIGURES: Final = (
    Figure("psnr_db", "PSNR dB", 1),
    Figure("psnr_face_db", "PSNR face dB", 1),
    Figure("ssim", "SSIM", 3),
    Figure("perceptual", "perceptual", 3),
    Figure("sharpness", "sharpness", 2),
    Figure("alpha_error", "alpha error", 3),
    Figure("depth_error_mm", "depth mm", 1),
    Figure("pose_error_deg", "pose °", 1),
    Figure("landmark_error", "landmarks", 3),
    Figure("expression_picture_error", "expression", 2, weight="expression_change"),
    Figure("identity_seen", "identity (dlib)", 3),
    Figure("pose_error_seen_deg", "pose seen °", 1),
    Figure("aed_seen", "AED seen", 3),
)


PLOTTED: Final = (
    "psnr_db", "psnr_face_db", "depth_error_mm", "alpha_error", "expression_picture_error", "identity_seen",
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """What a folder's persons come to."""

    settings: dict[str, Any]
    persons: int
    failed: dict[str, str]
    """Reason by number."""
    table: dict[str, dict[str, dict[str, Interval | None]]]
    """By subject, yaw and figure: mean over persons with a 95 % interval; None if nobody has the figure."""
    regions: dict[str, dict[str, dict[str, RegionMean]]]
    """By subject, yaw and region."""
    groups: dict[str, dict[str, Group]]
    """Of the first subject, by factor and value."""
    turns: dict[str, dict[str, float | None]]
    """By subject: jitter and warping error, means over persons."""
    cost: dict[str, float]
    """Means over persons; the peak is the largest."""
    seconds_per_view: dict[str, float]


def make_report(folder: Path) -> Report:
    """Read a folder. Raises InputError if it has no person yet, ResumeError for damaged files."""
    persons = read_persons(folder)
    there = [p for p in persons if "failed" not in p]
    if not there:
        raise InputError(
            f"None of the {len(persons)} persons in {folder} could be inverted; there is nothing to report."
        )
    costs = [p["cost"] for p in there]
    return Report(
        settings=read_settings(folder),
        persons=len(there),
        failed={str(p["index"]): p["failed"] for p in persons if "failed" in p},
        table=_table(there),
        regions=region_means(there),
        groups=breakdown(there, next(iter(there[0]["views"][0]["scores"]))),
        turns=_turns(there),
        cost={
            "seconds": _mean(c["seconds"] for c in costs),
            "cpu_seconds": _mean(c["cpu_seconds"] for c in costs),
            "peak_gib": max(c["peak_gib"] for c in costs),
        },
        seconds_per_view={
            name: _mean(p["seconds_per_view"][name] for p in there) for name in there[0]["seconds_per_view"]
        },
    )


def write_report(folder: Path) -> Report:
    """The report's files beside the persons'. Without matplotlib (`mien[eval]`) the plot is left out."""
    report = make_report(folder)
    _text(folder / JSON_FILE, json.dumps(_plain(asdict(report)), indent=1) + "\n")
    _text(folder / TABLE_FILE, markdown(report))
    plot(report, folder / PLOT_FILE)
    _join_strips(folder)
    return report


def markdown(report: Report) -> str:
    """The table as Markdown: a line for each subject and yaw."""
    network = report.settings["perceptual"]
    facts = ", ".join(
        f"{k} {v}" for k, v in report.settings.items() if isinstance(v, str) and k != "perceptual"
    )
    lines = [
        f"{report.persons} persons, {len(report.failed)} that could not be inverted. {facts}.",
        "Photo to avatar: {seconds:.0f} s, {cpu_seconds:.0f} s of processor, at most {peak_gib:.2f} GiB. "
        "Perceptual distance: {network}.".format(**report.cost, network=network or "not measured"),
        "",
        "| subject | yaw | " + " | ".join(f.title for f in FIGURES) + " |",
        "| --- | --- |" + " --- |" * len(FIGURES),
    ]
    for subject, by_yaw in report.table.items():
        for yaw, figures in by_yaw.items():
            cells = " | ".join(_cell(figures[f.key], f.digits) for f in FIGURES)
            lines.append(f"| {subject} | {yaw}° | {cells} |")
    lines += ["", "| subject | jitter | warping error | s per view |", "| --- | --- | --- | --- |"]
    for subject, turn in report.turns.items():
        cells = " | ".join("-" if v is None else f"{v:.5f}" for v in turn.values())
        seconds = report.seconds_per_view.get(subject)
        lines.append(f"| {subject} | {cells} | {'-' if seconds is None else f'{seconds:.2f}'} |")
    lines += ["", *region_lines(report.regions), "", *breakdown_lines(report.groups)]
    return "\n".join([*lines, "", *(f"Failed: {k}: {v}" for k, v in report.failed.items())]).rstrip() + "\n"


def plot(report: Report, path: Path) -> bool:
    """Figures by yaw with their intervals; False without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        return False
    shown = [figure for figure in FIGURES if figure.key in PLOTTED]
    canvas = Canvas(figsize=(11, 6))
    for axis, figure in zip(canvas.subplots(2, 3).flat, shown, strict=True):
        for colour, (subject, by_yaw) in enumerate(report.table.items()):
            points = [(float(yaw), row[figure.key]) for yaw, row in by_yaw.items()]
            known = [(yaw, interval) for yaw, interval in points if interval is not None]
            if known:
                yaws = [yaw for yaw, _ in known]
                axis.plot(yaws, [i.mean for _, i in known], marker="o", label=subject, color=f"C{colour}")
                low, high = [i.low for _, i in known], [i.high for _, i in known]
                axis.fill_between(yaws, low, high, alpha=0.2, color=f"C{colour}")
        axis.set_title(figure.title, fontsize=10)
        axis.set_xlabel("yaw (degrees)")
    canvas.axes[0].legend(fontsize=8)
    canvas.tight_layout()
    with atomic_path(path) as temporary:
        FigureCanvasAgg(canvas).print_png(str(temporary))
    return True


def _table(persons: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Interval | None]]]:
    subjects = list(persons[0]["views"][0]["scores"])
    yaws = sorted({view["yaw_deg"] for view in persons[0]["views"]})
    return {
        subject: {f"{yaw:g}": {f.key: _interval(persons, subject, yaw, f) for f in FIGURES} for yaw in yaws}
        for subject in subjects
    }


def _interval(persons: list[dict[str, Any]], subject: str, yaw: float, figure: Figure) -> Interval | None:
    """Each person's mean over the views of a yaw counts once: views of a person go together."""
    means = []
    for person in persons:
        scores = [v["scores"][subject] for v in person["views"] if v["yaw_deg"] == yaw]
        known = [score for score in scores if score[figure.key] is not None]
        weights = [score[figure.weight] if figure.weight else 1.0 for score in known]
        if sum(weights) > 0:
            means.append(float(np.average([score[figure.key] for score in known], weights=weights)))
    return bootstrap_mean(np.array(means)) if means else None


def _turns(persons: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for name in persons[0]["turns"]:
        rows = [p["turns"][name] for p in persons]
        found[name] = {}
        for key in ("jitter_seen", "warping_error"):
            known = [row[key] for row in rows if row[key] is not None and math.isfinite(row[key])]
            found[name][key] = float(np.mean(known)) if known else None
    return found


def _join_strips(folder: Path) -> None:
    strips = sorted((folder / PERSONS).glob("[0-9]*.png"))[:SHEET_PERSONS]
    pictures = [read_photo(path).rgb for path in strips]
    if pictures:
        write_image(folder / SHEET_FILE, np.concatenate(pictures))


def _cell(interval: Interval | None, digits: int) -> str:
    if interval is None:
        return "-"
    return f"{interval.mean:.{digits}f} ({interval.low:.{digits}f} to {interval.high:.{digits}f})"


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _plain(value: Any) -> Any:
    """With floats of six digits, and without numbers that JSON lacks."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
