"""Where the error is: regions of the true pictures, means over persons."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mien.evaluation.bench.regions import Region
from mien.evaluation.metrics.psnr import MOST_DB, psnr_of_error_db


@dataclass(frozen=True)
class RegionMean:
    """A region at one yaw; means over the persons who have it."""

    persons: int
    pixel_share: float
    """Of the whole picture."""
    psnr_db: float
    """Of a person's squared error in the region, over all views of the yaw."""
    error_share: float
    """Of the whole picture's squared error, all persons and views of the yaw together."""
    uncovered_share: float
    """The same, only where the subject shows nothing (in the background: where it shows something)."""
    depth_error_mm: float | None
    """Mean over views of each one's median."""


def region_means(persons: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, RegionMean]]]:
    """By subject, yaw and region's name, of persons as they are in their files."""
    subjects = list(persons[0]["views"][0]["scores"])
    yaws = sorted({view["yaw_deg"] for view in persons[0]["views"]})
    return {s: {f"{yaw:g}": _at(persons, s, yaw) for yaw in yaws} for s in subjects}


def _at(persons: list[dict[str, Any]], subject: str, yaw: float) -> dict[str, RegionMean]:
    views = [
        [v["scores"][subject]["regions"] for v in person["views"] if v["yaw_deg"] == yaw]
        for person in persons
    ]
    everything = [score for person in views for view in person for score in view.values()]
    total = {
        key: max(float(sum(score[key] for score in everything)), 1e-9) for key in ("pixels", "squared_error")
    }
    out = {}
    for region in Region:
        name = region.name.lower()
        have = [[view[name] for view in person if name in view] for person in views]
        have = [scores for scores in have if scores]
        if have:
            out[name] = _mean(have, total)
    return out


def _mean(persons: list[list[dict[str, Any]]], total: dict[str, float]) -> RegionMean:
    """Of the scores of each person's views."""
    sums = [
        {key: sum(s[key] for s in scores) for key in ("pixels", "squared_error", "squared_error_uncovered")}
        for scores in persons
    ]
    psnr = [psnr_of_error_db(np.array(s["squared_error"] / s["pixels"])) for s in sums]
    depths = [s["depth_error_mm"] for scores in persons for s in scores if s["depth_error_mm"] is not None]
    return RegionMean(
        persons=len(persons),
        pixel_share=sum(s["pixels"] for s in sums) / total["pixels"],
        psnr_db=float(np.minimum(psnr, MOST_DB).mean()),
        error_share=sum(s["squared_error"] for s in sums) / total["squared_error"],
        uncovered_share=sum(s["squared_error_uncovered"] for s in sums) / total["squared_error"],
        depth_error_mm=float(np.mean(depths)) if depths else None,
    )


def region_lines(table: dict[str, dict[str, dict[str, RegionMean]]]) -> list[str]:
    """As Markdown: a line for each subject and yaw; PSNR, share of the error, and depth of each region."""
    names = [region.name.lower() for region in Region]
    lines = [
        "Of each region: PSNR in dB, its share of the picture's squared error (in brackets where the subject "
        "covers nothing; in the background where it covers something), median error of the depth in mm.",
        "",
        "| subject | yaw | " + " | ".join(names) + " |",
        "| --- | --- |" + " --- |" * len(names),
    ]
    for subject, by_yaw in table.items():
        for yaw, regions in by_yaw.items():
            cells = " | ".join(_cell(regions.get(name)) for name in names)
            lines.append(f"| {subject} | {yaw}° | {cells} |")
    return lines


def _cell(mean: RegionMean | None) -> str:
    if mean is None:
        return "-"
    cell = f"{mean.psnr_db:.1f}, {100 * mean.error_share:.0f} % ({100 * mean.uncovered_share:.0f})"
    return cell if mean.depth_error_mm is None else f"{cell}, {mean.depth_error_mm:.1f}"
