"""Animates portraits by drivers through the command line and measures every video.

    python benchmarks/animation.py [--media FOLDER]

For each portrait `mien invert` and `mien orbit`, for each portrait and driver `mien animate`; then self
re-enactment (the driver's first frame as the photo) and a still driver. MediaPipe and dlib look at the output
videos. Writes results/animation.json, and plots and contact sheets into docs/media. Needs `mien[eval]`.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mien.core.atomic import atomic_path
from mien.core.errors import MienError
from mien.evaluation.clips import (
    SeenClip,
    clip_change,
    identity_by_yaw,
    score_animation,
    score_reenactment,
    see_clip,
    see_photo,
    sharpness_near,
)
from mien.evaluation.identity import IdentityMeter
from mien.evaluation.metrics.pose import rotation_angles_deg
from mien.evaluation.process import RunCost, run_measured
from mien.evaluation.sheets import contact_sheet, frames_at, spread_indices
from mien.evaluation.video_metrics import EXPRESSION_GROUPS, SAME_PERSON, group_signal
from mien.io.images import Photo, read_photo, write_image
from mien.io.video import VideoWriter

ROOT = Path(__file__).resolve().parent.parent
PORTRAITS = ("astronaut.png", "woman_waterfall.jpg", "mona_lisa.jpg", "pearl_earring.jpg")
DRIVERS = ("driver_man_18.mp4", "driver_woman_10.mp4")
ORBIT_YAW_DEG = 45.0
STILL_FRAMES = 12
SHEET_FRAMES = 8


@dataclass(frozen=True)
class Bench:
    """Where things are, and how the command is run."""

    mien: tuple[str, ...]
    """The command line's start."""
    work: Path
    """Folder for avatars and videos."""
    media: Path
    """Folder with portraits and drivers."""
    pictures: Path
    """Folder for plots and sheets."""
    fresh: bool
    """Run commands again whose output is there; kept outputs keep the cost of their run."""

    def run(self, output: Path, *arguments: str | Path) -> dict[str, float]:
        """Run one command that writes `output`; its cost is kept beside the output."""
        record = output.with_suffix(output.suffix + ".cost.json")
        if not self.fresh and output.exists() and record.exists():
            return dict(json.loads(record.read_text()))
        print(f"  mien {' '.join(map(str, arguments))}", file=sys.stderr, flush=True)
        cost = _cost(run_measured([*self.mien, *map(str, arguments)]))
        record.write_text(json.dumps(cost))
        return cost


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Path, default=ROOT.parent / "shared" / "media")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "benchmarks" / "animation")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "animation.json")
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs" / "media")
    parser.add_argument("--portraits", nargs="*", default=PORTRAITS)
    parser.add_argument("--drivers", nargs="*", default=DRIVERS)
    parser.add_argument(
        "--identity-every", type=int, default=3, help="look at the identity of every n-th frame"
    )
    parser.add_argument(
        "--mien", nargs="+", default=[sys.executable, "-m", "mien"], help="the command to measure"
    )
    parser.add_argument("--fresh", action="store_true", help="run every command again")
    parser.add_argument(
        "--skip-self", action="store_true", help="leave out self re-enactment and the still driver"
    )
    options = parser.parse_args()
    portraits = _there(options.media, options.portraits)
    drivers = _there(options.media, options.drivers)
    if not portraits or not drivers:
        print(f"skipped: {options.media} lacks portraits or drivers; give their folder by --media")
        return
    options.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(tuple(options.mien), options.work, options.media, options.pictures, options.fresh)
    results = run_benchmark(
        bench, portraits, drivers, options.identity_every, with_self=not options.skip_self
    )
    with atomic_path(options.results) as temporary:
        temporary.write_text(json.dumps(_rounded(results), indent=1) + "\n")
    print_table(results)


def run_benchmark(
    bench: Bench, portraits: Sequence[Path], drivers: Sequence[Path], identity_every: int, *, with_self: bool
) -> dict[str, Any]:
    """All figures, by portrait and driver. A command that fails is written down as such, the rest goes on."""
    meter = IdentityMeter()
    seen_drivers = {
        driver: see_clip(driver, meter=meter, identity_every=identity_every) for driver in drivers
    }
    results: dict[str, Any] = {"portraits": {}, "animations": {}, "self": {}}
    results["drivers"] = {driver.stem: own_distances(seen) for driver, seen in seen_drivers.items()}
    for path in portraits:
        photo = read_photo(path)
        results["portraits"][path.stem] = _tried(measure_portrait, bench, path, photo, meter)
        for driver, seen in seen_drivers.items():
            name = f"{path.stem}_x_{driver.stem}"
            results["animations"][name] = _tried(
                measure_animation, bench, path, photo, driver, seen, meter, identity_every
            )
    if with_self:
        for driver in drivers:
            results["self"][driver.stem] = _tried(measure_self, bench, driver)
        results["still_driver"] = _tried(measure_still, bench, portraits[0], drivers[0])
    return results


def own_distances(seen: SeenClip) -> dict[str, float]:
    """How far a driver is from his own first frame: what moving alone costs in identity distance."""
    known = seen.identity[np.isfinite(seen.identity).all(1)]
    distances = np.linalg.norm(known - known[0], axis=1)[1:]
    return {"identity_mean": float(distances.mean()), "identity_most": float(distances.max())}


def measure_portrait(bench: Bench, path: Path, photo: Photo, meter: IdentityMeter) -> dict[str, Any]:
    """Cost of the inversion, and identity over the orbit."""
    avatar, orbit = _avatar(bench, path), bench.work / f"{path.stem}_orbit.mp4"
    invert = bench.run(avatar, "invert", path, "-o", avatar)
    cost = bench.run(orbit, "orbit", avatar, "-o", orbit, "--yaw-deg", f"{ORBIT_YAW_DEG:g}")
    seen = see_clip(orbit, meter=meter)
    yaw_deg = orbit_yaws_deg(len(seen.found))
    pairs = identity_by_yaw(seen, see_photo(photo, meter), yaw_deg)
    frames = frames_at(orbit, spread_indices(len(seen.found) // 2 + 1, SHEET_FRAMES))
    _write_sheet(bench.pictures / f"orbit_{path.stem}.jpg", [[photo.rgb, *frames]])
    return {
        "invert": invert,
        "orbit": cost | {"frames": len(seen.found), "found_share": seen.found_share},
        "identity_at_yaw_deg": {str(yaw): _near(pairs, yaw) for yaw in (-45, -30, -15, 0, 15, 30, 45)},
        "identity_worst": max((d for _, d in pairs if d is not None), default=None),
    }


def measure_animation(
    bench: Bench,
    path: Path,
    photo: Photo,
    driver: Path,
    seen_driver: SeenClip,
    meter: IdentityMeter,
    every: int,
) -> dict[str, Any]:
    """All measures of one portrait played by one driver."""
    output = bench.work / f"{path.stem}_x_{driver.stem}.mp4"
    cost = bench.run(output, "animate", _avatar(bench, path), "--drive", driver, "-o", output)
    seen = see_clip(output, meter=meter, identity_every=every)
    seen_photo = see_photo(photo, meter)
    score = score_animation(seen, seen_driver, seen_photo)
    sharpness = sharpness_near(output, seen, photo, seen_photo, every=every)
    name = f"{path.stem}_x_{driver.stem}"
    indices = spread_indices(len(seen.found), SHEET_FRAMES)
    rows: list[list[Any]] = [[None, *frames_at(driver, indices)]]
    rows.append([photo.rgb, *frames_at(output, indices)])
    _write_sheet(bench.pictures / f"animate_{name}.jpg", rows)
    plot_curves(bench.pictures / f"curves_{name}.png", seen, seen_driver)
    return (
        asdict(score)
        | {"same_timing": score.same_timing, "size_px": list(seen.size_px)}
        | {"face_sharpness": float(np.median(sharpness)) if sharpness else None}
        | cost
        | {"frames_per_s": score.frames / cost["seconds"]}
    )


def measure_self(bench: Bench, driver: Path) -> dict[str, Any]:
    """The driver's first frame played by the driver itself, against the driver and the copied photo."""
    photo = bench.work / f"{driver.stem}_first.png"
    first = frames_at(driver, [0])[0]
    write_image(photo, first)
    avatar, output = _avatar(bench, photo), bench.work / f"{driver.stem}_self.mp4"
    bench.run(avatar, "invert", photo, "-o", avatar)
    cost = bench.run(output, "animate", avatar, "--drive", driver, "-o", output)
    score = score_reenactment(output, driver, first)
    indices = spread_indices(len(see_clip(output).found), SHEET_FRAMES)
    rows = [frames_at(driver, indices), frames_at(output, indices)]
    _write_sheet(bench.pictures / f"self_{driver.stem}.jpg", rows)
    return asdict(score) | cost


def measure_still(bench: Bench, portrait: Path, driver: Path) -> dict[str, Any]:
    """One repeated frame as the driver: how far decoded frames leave the first, in grey levels."""
    still, output = bench.work / "still.mp4", bench.work / f"{portrait.stem}_x_still.mp4"
    rgb = frames_at(driver, [0])[0]
    rgb = np.ascontiguousarray(rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2])
    with VideoWriter(still, Fraction(25), rgb.shape[1], rgb.shape[0]) as writer:
        for _ in range(STILL_FRAMES):
            writer.write(rgb)
    bench.run(output, "animate", _avatar(bench, portrait), "--drive", still, "-o", output)
    return {"largest_change_levels": clip_change(output), "largest_change_of_the_driver": clip_change(still)}


def orbit_yaws_deg(count: int, yaw_deg: float = ORBIT_YAW_DEG) -> np.ndarray:
    """Yaw of each frame of an orbit that sweeps evenly from -yaw to yaw and back."""
    phase = np.linspace(0.0, 2.0, count)
    return yaw_deg * (1.0 - 2.0 * np.abs(1.0 - phase))


def plot_curves(path: Path, output: SeenClip, driver: SeenClip) -> None:
    """Curves over time of driver and output: the expression groups, and the turn since the first frame."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(EXPRESSION_GROUPS) + 1, 1, figsize=(9, 7), sharex=True)
    for clip, label, color in ((driver, "driver", "0.6"), (output, "output", "tab:red")):
        time_s = np.arange(len(clip.found)) / float(clip.fps)
        R_first = clip.R_camera_head[int(np.argmax(clip.found))].astype(np.float64)
        turn = np.where(clip.found, rotation_angles_deg(clip.R_camera_head @ R_first.T), np.nan)
        curves = [group_signal(clip.coefficients, group) for group in EXPRESSION_GROUPS]
        for axis, curve in zip(axes, [*curves, turn], strict=True):
            axis.plot(time_s, curve, label=label, color=color, linewidth=1)
    for axis, title in zip(axes, [*EXPRESSION_GROUPS, "turn of the head (deg)"], strict=True):
        axis.set_ylabel(title)
    axes[0].legend(loc="upper right")
    axes[-1].set_xlabel("time (s)")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=70)
    plt.close(figure)


def print_table(results: dict[str, Any]) -> None:
    """The figures, one animation a line."""
    print(
        "portrait x driver | found | same person | distance | pose deg | AED ratio | "
        "jaw blink smile gaze left, up | sharpness | jitter / driver's | frames/s | GiB"
    )
    for name, row in results["animations"].items():
        if "failed" in row:
            print(f"{name} | failed: {row['failed']}")
            continue
        moves = " ".join(
            "-" if row["correlations"][g] is None else f"{row['correlations'][g]:.2f}"
            for g in EXPRESSION_GROUPS
        )
        print(
            f"{name} | {100 * row['found_share']:.1f} % | {100 * row['same_person_share']:.1f} % | "
            f"{row['identity_mean']:.3f} | {row['pose_error_deg']:.2f} | {row['aed_ratio']:.2f} | {moves} | "
            f"{_text(row['face_sharpness'])} | "
            f"{_text(row['jitter'], 4)} / {_text(row['jitter_driver'], 4)} | "
            f"{row['frames_per_s']:.1f} | {row['peak_gib']:.2f}"
        )
    for part in ("portraits", "self", "still_driver"):
        print(part, json.dumps(_rounded(results.get(part)), indent=1))
    print(f"(the same person: a distance below {SAME_PERSON})")


def _text(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _avatar(bench: Bench, portrait: Path) -> Path:
    return bench.work / f"{portrait.stem}.mien"


def _there(folder: Path, names: Sequence[str]) -> list[Path]:
    return [folder / name for name in names if (folder / name).is_file()]


def _tried(measure: Any, *arguments: Any) -> dict[str, Any]:
    try:
        return dict(measure(*arguments))
    except MienError as error:
        print(f"  failed: {error}", file=sys.stderr)
        return {"failed": str(error)}


def _cost(cost: RunCost) -> dict[str, float]:
    return {"seconds": cost.seconds, "cpu_seconds": cost.cpu_seconds, "peak_gib": cost.peak_gib}


def _near(pairs: list[tuple[float, float | None]], yaw_deg: float) -> float | None:
    """Mean identity distance of the orbit's frames nearest to a yaw, on the way there and back."""
    nearest = min((abs(yaw - yaw_deg) for yaw, _ in pairs), default=0.0)
    found = [d for yaw, d in pairs if d is not None and abs(yaw - yaw_deg) <= nearest + 0.5]
    return float(np.mean(found)) if found else None


def _write_sheet(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, contact_sheet(rows))


def _rounded(value: Any) -> Any:
    """The value with floats of five digits, and without numbers that JSON lacks."""
    if isinstance(value, dict):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value


if __name__ == "__main__":
    main()
