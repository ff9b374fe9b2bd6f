"""Resident memory of `mien animate` over time (Linux), for clips of several lengths of one driver to and fro.

    python benchmarks/memory.py AVATAR.mien CLIP.mp4 --seconds 10 --seconds 60

writes benchmarks/results/memory.json and docs/media/memory.png. Only lengths that were run are in them. With
`--drawn-s` a run ends when it has drawn frames for so long: what grows with the length of a clip has by then.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from mien.io.video import VideoReader, VideoWriter

STEP_S = 0.5
WARM_SHARE = 0.5
"""Growth is measured over the later part of the run, when everything is loaded."""


@click.command()
@click.argument("avatar", type=click.Path(path_type=Path, exists=True))
@click.argument("clip", type=click.Path(path_type=Path, exists=True))
@click.option("--seconds", "lengths_s", multiple=True, type=float, default=(10.0, 60.0), show_default=True)
@click.option("--crop", type=int, default=128, show_default=True)
@click.option("--drawn-s", type=float, help="End a run that has drawn frames for so many seconds.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path("benchmarks/results/memory.json")
)
@click.option("--plot", type=click.Path(path_type=Path), default=Path("docs/media/memory.png"))
def command(
    avatar: Path, clip: Path, lengths_s: tuple[float, ...], crop: int, drawn_s: float | None, output: Path,
    plot: Path,
) -> None:  # fmt: skip
    """Measure."""
    rows: list[dict[str, Any]] = []
    for length_s in lengths_s:
        with tempfile.TemporaryDirectory() as name:
            driver = Path(name, "driver.mp4")
            frames = _write_to_and_fro(clip, driver, length_s)
            output_file = Path(name, "out.mp4")
            times_s, rss_mib, tracked_s = _watched(
                [
                    *(sys.executable, "-m", "mien", "animate", str(avatar), "--drive", str(driver)),
                    *("--crop", str(crop), "-o", str(output_file)),
                ],
                output_file.with_name(f".{output_file.name}.resume") / "frames",
                drawn_s,
            )
        late = slice(int(WARM_SHARE * len(times_s)), None)
        slope = np.polyfit(times_s[late], rss_mib[late], 1)[0] if len(times_s) > 8 else float("nan")
        rows.append(
            {
                "seconds": length_s, "frames": frames, "crop_px": crop, "took_s": round(times_s[-1], 1),
                "ended_after_drawing_s": drawn_s, "drawing_begun_s": round(tracked_s, 1),
                "peak_mib": round(max(rss_mib)), "growth_mib_per_min": round(60 * float(slope), 2),
                "times_s": np.round(times_s, 1).tolist(), "rss_mib": np.round(rss_mib).tolist(),
            }
        )  # fmt: skip
        output.write_text(json.dumps(rows) + "\n")
        _plot(rows, plot)
        click.echo(json.dumps({k: v for k, v in rows[-1].items() if k not in ("times_s", "rss_mib")}))


def _write_to_and_fro(clip: Path, path: Path, seconds: float) -> int:
    with VideoReader(clip) as reader:
        count = round(seconds * reader.fps)
        with VideoWriter(path, reader.fps, *reader.size) as writer:
            for _, rgb in zip(range(count), _to_and_fro(reader), strict=False):
                writer.write(rgb)
    return count


def _to_and_fro(reader: VideoReader) -> Iterator[np.ndarray]:
    shots = [frame.rgb for frame in reader]
    while True:
        yield from shots
        yield from shots[-2:0:-1]


def _watched(line: list[str], frames: Path, drawn_s: float | None) -> tuple[np.ndarray, np.ndarray, float]:
    """Run a command; times and resident memory of its process, and when the folder `frames` appeared."""
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    begun, drawing_s, ended = time.monotonic(), float("nan"), False
    times_s, rss_mib = [], []
    while process.poll() is None:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        kib = [int(line.split()[1]) for line in lines if line.startswith("VmRSS")]
        if kib:  # a process that has just ended has none
            rss_mib.append(kib[0] / 2**10)
            times_s.append(time.monotonic() - begun)
        if np.isnan(drawing_s) and frames.is_dir():
            drawing_s = time.monotonic() - begun
        if drawn_s is not None and time.monotonic() - begun > drawing_s + drawn_s:
            process.terminate()
            ended = True
            break
        time.sleep(STEP_S)
    if process.wait() and not ended:
        raise click.ClickException(f"{' '.join(line)} failed.")
    return np.array(times_s), np.array(rss_mib), drawing_s


def _plot(rows: list[dict[str, Any]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.5), constrained_layout=True)
    for row in rows:
        axes.plot(
            row["times_s"], row["rss_mib"], label=f"{row['seconds']:g} s of clip, {row['frames']} frames"
        )
    axes.axhline(1536, color="grey", linestyle=":", label="1.5 GiB")
    axes.set(xlabel="time since start (s)", ylabel="resident memory (MiB)", ylim=(0, 1700))
    axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    command()
