"""Learning curves of the completion: errors on held-out heads against hours, for runs of `mien train prior`.

    python benchmarks/prior_curves.py "without a critic=RUN_A" "with a critic=RUN_B"

Each run is a folder with its log. Writes results/prior_curves.json and docs/media/prior_curves.png.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Final

from mien.core.atomic import atomic_path
from mien.core.errors import InputError
from mien.training.completion.trainer import LOG_FILE

ROOT: Final = Path(__file__).resolve().parent.parent
PANELS: Final = (
    ("psnr_body", "hidden skin and cloth, PSNR (dB)"),
    ("psnr_hair", "hidden hair, PSNR (dB)"),
    ("texture", "grain of hidden hair, share of the true one"),
    ("height_mm", "hair's outer surface, error (mm)"),
)


def main() -> None:
    """Read the logs, write figures and plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", help="NAME=FOLDER")
    curves = {}
    for run in parser.parse_args().runs:
        name, _, folder = run.partition("=")
        curves[name] = read_curve(Path(folder))
    with atomic_path(ROOT / "benchmarks/results/prior_curves.json") as path:
        path.write_text(json.dumps(curves, indent=1) + "\n", encoding="utf-8")
    plot(curves, ROOT / "docs/media/prior_curves.png")


def read_curve(folder: Path) -> list[dict[str, float]]:
    """Rows of held-out scores with their hours and steps."""
    log = folder / LOG_FILE
    if not log.exists():
        raise InputError(
            f"{folder} holds no run ({LOG_FILE} is missing); give the folder of `mien train prior`."
        )
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [
        {"hours": round(row["minutes"] / 60, 4), "step": row["step"], **row["held_out"]}
        for row in rows
        if "held_out" in row
    ]


def plot(curves: dict[str, list[dict[str, float]]], path: Path) -> None:
    """One panel for each figure, one line for each run; dashed is the fill that the network starts from."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    fig, axes = plt.subplots(1, len(PANELS), figsize=(4 * len(PANELS), 3.2), constrained_layout=True)
    for axis, (key, title) in zip(axes, PANELS, strict=True):
        filled: Any = None
        for name, rows in curves.items():
            axis.plot([r["hours"] for r in rows], [r[key] for r in rows], marker=".", label=name)
            filled = rows[-1].get(f"{key}_filled", filled)
        if filled is not None:
            axis.axhline(filled, color="grey", linestyle="--", linewidth=1, label="fill alone")
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("hours of one core, shared")
    axes[0].legend(fontsize=8)
    with atomic_path(path) as target:
        fig.savefig(target, dpi=100)


if __name__ == "__main__":
    main()
