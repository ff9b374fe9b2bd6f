"""Kill `mien animate` at random moments with SIGKILL, resume it, and compare the bytes with an unbroken run.

    python benchmarks/resume.py AVATAR.mien CLIP.mp4 --kills 20

writes benchmarks/results/resume.json. Every kill is a new job on a short clip at irregular times: begun,
killed, then resumed with the same command. Most are killed while frames are drawn: after a random number of
kept files and a random part of the time that one takes. The others are killed at a random moment before that.
What was kept at the kill tells the stage in which it fell. The last of them find no compiled kernels, as the
first job on a machine does, and are resumed with those that they left.
"""

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from mien.io.video import VideoReader, VideoWriter

PROGRAM: Final = """
import sys
from mien.animation import performance, track
from mien.apps.cli import main

performance.SEGMENT, track.CHUNK = int(sys.argv[1]), int(sys.argv[2])
main(sys.argv[3:])
"""
"""The command, which keeps short segments so that a short clip has many."""
POLL_S: Final = 0.01
DROPPED_EVERY: Final = 3
"""One of so many frames of the clip is left out, so that the times are irregular."""


@dataclass(frozen=True)
class Unbroken:
    """What a run takes that is not killed, seconds of wall clock."""

    before_frames_s: float
    frames_s: float
    frame_files: int
    sha256: str


@click.command()
@click.argument("avatar", type=click.Path(path_type=Path, exists=True))
@click.argument("clip", type=click.Path(path_type=Path, exists=True))
@click.option("--kills", default=20, show_default=True)
@click.option("--early", default=4, show_default=True, help="Kills before frames are drawn.")
@click.option("--first", default=4, show_default=True, help="Killed jobs that compile the kernels.")
@click.option("--frames", default=48, show_default=True, help="Of the clip.")
@click.option("--segment", default=4, show_default=True, help="Frames per kept file.")
@click.option("--crop", default=128, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/resume.json")
)
def command(
    avatar: Path, clip: Path, kills: int, early: int, first: int, frames: int, segment: int, crop: int,
    seed: int, output: Path,
) -> None:  # fmt: skip
    """Measure."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        driver = Path(name, "driver.mp4")
        _write_irregular(clip, driver, frames)
        line = [
            *(sys.executable, "-c", PROGRAM, str(segment), str(segment)),
            *("animate", str(avatar), "--drive", str(driver), "--crop", str(crop), "-o"),
        ]
        whole = _unbroken(line, Path(name, "whole.mp4"))
        rows: list[dict[str, Any]] = []
        for number in range(kills):
            path = Path(name, f"{number}.mp4")
            if number < early:
                reached = _after(float(rng.uniform(0.05, 0.98)) * whole.before_frames_s)
            else:
                files = float(rng.uniform(0, whole.frame_files))
                reached = _drawn(path, files, whole.frames_s / whole.frame_files)
            compiles = number >= kills - first
            cache = {"NUMBA_CACHE_DIR": str(Path(name, f"kernels-{number}"))} if compiles else {}
            row = {"compiles": compiles} | _kill([*line, str(path)], path, reached, cache)
            if not row["was_done"]:
                _run([*line, str(path)], cache)
            same = _sha256(path) == whole.sha256
            rows.append({**row, "same_bytes": same, "left": len(list(Path(name).glob(".*")))})
            click.echo(json.dumps(rows[-1]))
            facts = _facts(rows, whole, clip=clip.name, frames=frames, crop_px=crop, segment=segment)
            output.write_text(json.dumps(facts, indent=1) + "\n")


def _facts(rows: list[dict[str, Any]], whole: Unbroken, **settings: Any) -> dict[str, Any]:
    stages = [row["stage"] for row in rows]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        **settings, "unbroken_before_frames_s": round(whole.before_frames_s, 1),
        "unbroken_frames_s": round(whole.frames_s, 1), "unbroken_frame_files": whole.frame_files,
        "processor_s": round(used.ru_utime + used.ru_stime), "kills": len(rows),
        "killed_before_the_end": sum(not row["was_done"] for row in rows),
        "stages": {stage: stages.count(stage) for stage in sorted(set(stages))},
        "compiled_by_the_killed_job": sum(row["compiles"] for row in rows),
        "same_bytes": sum(row["same_bytes"] for row in rows), "rows": rows,
    }  # fmt: skip


def _write_irregular(clip: Path, path: Path, count: int) -> None:
    """So many frames of a clip at their own times, with some between them left out."""
    with VideoReader(clip) as reader, VideoWriter(path, reader.fps, *reader.size) as writer:
        for frame in reader:
            if frame.index % DROPPED_EVERY != 1:
                writer.write(frame.rgb, time_s=frame.time_s)
            if writer.frame_count == count:
                break


def _unbroken(line: list[str], path: Path) -> Unbroken:
    """Run to the end, and look when the drawing begins."""
    begun, first, files = time.monotonic(), 0.0, 0
    process = subprocess.Popen([*line, str(path)], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        if first == 0.0 and (_kept(path) / "frames").is_dir():
            first = time.monotonic()
        files = max(files, _frame_files(path))
        time.sleep(POLL_S)
    if process.returncode:
        raise click.ClickException(f"{' '.join(line)} failed.")
    return Unbroken(first - begun, time.monotonic() - first, files, _sha256(path))


def _after(seconds: float) -> Callable[[], bool]:
    """Whether the time since now has passed."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _drawn(path: Path, files: float, file_s: float) -> Callable[[], bool]:
    """Whether so many files of frames are there; a broken number is a part of the time that one takes."""
    since: list[float] = []

    def reached() -> bool:
        if not since and (_kept(path) / "frames").is_dir() and _frame_files(path) >= int(files):
            since.append(time.monotonic())
        return bool(since) and time.monotonic() - since[0] >= files % 1 * file_s

    return reached


def _kill(
    line: list[str], output: Path, reached: Callable[[], bool], variables: dict[str, str]
) -> dict[str, Any]:
    """Kill a job that has just begun when a moment is reached; what it had kept by then."""
    begun = time.monotonic()
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, env=os.environ | variables)
    while process.poll() is None and not reached():
        time.sleep(POLL_S)
    after_s = time.monotonic() - begun
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return {
        "killed_after_s": round(after_s, 2),
        "stage": _stage(output),
        "was_done": output.exists(),
        "tracking_files": len(list(_kept(output).glob("driver-*/*.npz"))),
        "frame_files": _frame_files(output),
    }


def _stage(output: Path) -> str:
    kept = _kept(output)
    if output.exists():
        return "done"
    if (kept / "frames").is_dir():
        return "frames"
    if (kept / "motion").is_dir():
        return "motion"
    return "tracking" if any(kept.glob("driver-*")) else "start-up"


def _kept(output: Path) -> Path:
    return output.with_name(f".{output.name}.resume")


def _frame_files(output: Path) -> int:
    return len(list(_kept(output).glob("frames/[0-9]*.mkv")))


def _run(line: list[str], variables: dict[str, str]) -> None:
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, env=os.environ | variables)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    command()
