"""Kill `mien animate` at random moments with SIGKILL, resume it, and compare the bytes with an unbroken run.

    python benchmarks/resume.py AVATAR.mien CLIP.mp4 --kills 20

writes benchmarks/results/resume.json. Every kill is a new job: begun, killed after a random share of the time
that the unbroken run took, then resumed with the same command.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

PROGRAM = """
import sys
from mien.animation import performance, track
from mien.apps.cli import main

performance.SEGMENT, track.CHUNK = int(sys.argv[1]), int(sys.argv[2])
main(sys.argv[3:])
"""
"""The command, which keeps short segments so that a short clip has many."""


@click.command()
@click.argument("avatar", type=click.Path(path_type=Path, exists=True))
@click.argument("clip", type=click.Path(path_type=Path, exists=True))
@click.option("--kills", default=20, show_default=True)
@click.option("--segment", default=4, show_default=True, help="Frames per kept file.")
@click.option("--crop", default=64, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/resume.json")
)
def command(avatar: Path, clip: Path, kills: int, segment: int, crop: int, seed: int, output: Path) -> None:
    """Measure."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        line = ["animate", str(avatar), "--drive", str(clip), "--crop", str(crop), "-o"]
        code = [sys.executable, "-c", PROGRAM, str(segment), str(segment)]
        begun = time.monotonic()
        _run([*code, *line, f"{name}/whole.mp4"])
        whole_s, expected = time.monotonic() - begun, _sha256(Path(name, "whole.mp4"))
        rows: list[dict[str, Any]] = []
        for number in range(kills):
            path = Path(name, f"{number}.mp4")
            after_s = float(rng.uniform(0.05, 0.98)) * whole_s
            row = {"killed_after_s": round(after_s, 2), **_kill([*code, *line, str(path)], after_s, path)}
            if not row["was_done"]:
                _run([*code, *line, str(path)])
            rows.append(
                {**row, "same_bytes": _sha256(path) == expected, "left": len(list(Path(name).glob(".*")))}
            )
            click.echo(json.dumps(rows[-1]))
            facts = {
                "clip": clip.name, "crop_px": crop, "segment": segment, "unbroken_s": round(whole_s, 1),
                "kills": len(rows), "killed_before_the_end": sum(not row["was_done"] for row in rows),
                "same_bytes": sum(row["same_bytes"] for row in rows), "rows": rows,
            }  # fmt: skip
            output.write_text(json.dumps(facts, indent=1) + "\n")


def _kill(line: list[str], after_s: float, output: Path) -> dict[str, Any]:
    """Kill a job that has just begun; what it had kept by then."""
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = output.with_name(f".{output.name}.resume")
    return {
        "was_done": output.exists(),
        "tracking_files": len(list(kept.glob("driver-*/*.npz"))),
        "motion_kept": (kept / "motion" / "driven.npz").exists(),
        "frame_files": len(list(kept.glob("frames/*.mkv"))),
    }


def _run(line: list[str]) -> None:
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    command()
