"""Speed of EG3D's fast path against the plain reference, on a full-size generator that holds a head.

    python benchmarks/eg3d_speed.py [--threads 2] [--repeats 3] [--skip-step]

Both are timed in turn in one process, with planes and styled weights cached for the fast path; the best of
the repeats counts. Processor seconds are given too, as they do not depend on what else the machine does.
Writes results/eg3d_speed.json (an entry per number of threads) and docs/media/eg3d_speed.png. On a busy
machine only one thread gives steady numbers: threads that wait for one another spin.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional as F

from eg3d_head import SWAY, head_generator
from mien.core.atomic import atomic_path
from mien.core.camera import Camera
from mien.generator.eg3d.fast import (
    EXACT_STEP,
    QUICK_STEP,
    FastRenderer,
    FastStepConfig,
    differentiable_render,
)
from mien.generator.eg3d.generator import Eg3dGenerator

ROOT: Final = Path(__file__).resolve().parent.parent
CACHE: Final = ROOT / "runs" / "eg3d_speed" / "head.safetensors"
VIEWS: Final = ((0.0, 0.0), (0.3, 0.1), (-0.4, 0.15))
"""Yaw and pitch in radians."""
STEP_SEEDS: Final = (0, 1)
WINOGRAD_GFLOP: Final = (
    2 * 36 * (1024 * 32 * 1024 + 4096 * 256 * 256 + 4096 * 256 * 512 + 16384 * 128**2) / 1e9
)
DIRECT_GFLOP: Final = (
    2 * 9 * (128**2 * 32 * 256 + 256**2 * 256**2 + 256**2 * 256 * 128 + 512**2 * 128**2) / 1e9
)
DENSITY_FLOP: Final = 2 * 64 * (4 * 2 + 1) + 64 * 34
"""Lookup in two tables, softplus (34 operations each) and density of a sample."""
COLOUR_FLOP: Final = 2 * 64 * 32 + 32 * 24


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--skip-step", action="store_true")
    parser.add_argument("--memory", action="store_true", help="only render and print the memory used")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    generator, planes = head_generator(CACHE)
    w = latent(generator, 1)
    if options.memory:
        fast = FastRenderer(generator, planes, w)
        for _ in range(3):
            fast.render(view(0.3, 0.1))
        status = Path("/proc/self/status").read_text()  # getrusage would count the parent's memory too
        print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
        return
    result: dict[str, Any] = {
        "threads": options.threads,
        "torch": torch.__version__,
        "generator": "full size, 512 px; planes and decoder fitted to a rendered head, the rest random",
        "machine_gflops": machine_speed(),
        "frame": frame_speed(generator, planes, w, options.repeats),
        "memory_mib": memory(options.threads),
    }
    if not options.skip_step:
        result["step"] = step_speed(generator, planes)
    print(json.dumps(result, indent=1))
    file = ROOT / "benchmarks" / "results" / "eg3d_speed.json"
    results = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    with atomic_path(file) as path:
        results[f"threads_{options.threads}"] = result
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    draw(generator, planes, w, result)


def latent(generator: Eg3dGenerator, seed: int) -> Tensor:
    """A latent [1, 512]."""
    z = torch.randn(1, 512, generator=torch.Generator().manual_seed(seed))
    return generator.map_w(z, torch.zeros(1, 25))


def view(yaw_rad: float, pitch_rad: float) -> Camera:
    """A camera around the generator's pivot."""
    return Camera.orbit(yaw_rad, pitch_rad, pivot=(0.0, 0.0, 0.2))


def timed(function: Callable[[], Any]) -> tuple[Any, float, float]:
    """Its result, wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def machine_speed() -> dict[str, float]:
    """GFLOP/s of batched matrix products, in wall and in processor time."""
    speeds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(36, 512, 256, dtype=dtype), torch.ones(36, 256, 512, dtype=dtype)
        runs = [timed(lambda a=a, b=b: torch.bmm(a, b))[1:] for _ in range(12)]  # type: ignore[misc]
        gflop, name = 2 * 36 * 512 * 256 * 512 / 1e9, str(dtype).removeprefix("torch.")
        speeds[f"{name}_wall"] = gflop / min(wall for wall, _ in runs)
        speeds[f"{name}_per_core"] = gflop / min(cpu for _, cpu in runs)
    return speeds


def psnr(one: Tensor, other: Tensor) -> float:
    """Of images in [-1, 1]."""
    return -10 * torch.log10((one - other).square().mean() / 4).item()


@torch.no_grad()
def frame_speed(generator: Eg3dGenerator, planes: Tensor, w: Tensor, repeats: int) -> dict[str, Any]:
    """A picture, plain and fast in turn, and its parts."""
    fast = FastRenderer(generator, planes, w)
    _, prepare_wall, prepare_cpu = timed(lambda: fast.render(view(0.0, 0.0)))  # compiles or reads the cache
    fast = FastRenderer(generator, planes, w)
    _, first_wall, first_cpu = timed(lambda: fast.render(view(0.0, 0.0)))
    camera = view(*VIEWS[1])
    stages: dict[str, Callable[[], Any]] = {
        "plain": lambda: generator.render(planes, w, camera),
        "fast": lambda: fast.render(camera),
        "plain_rays": lambda: generator.render_raw(planes, camera),
        "fast_rays": lambda: fast.render_raw(camera),
    }
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in stages}
    for _ in range(repeats):
        for name, stage in stages.items():
            count = 1 if name.startswith("plain") else 3
            runs[name] += [timed(stage)[1:] for _ in range(count)]
    best = {
        name: {"wall_s": min(a for a, _ in times), "processor_s": min(b for _, b in times)}
        for name, times in runs.items()
    }
    assert fast.last_cast is not None
    cast = fast.last_cast
    rays_gflop = (cast.densities * DENSITY_FLOP + cast.colours * COLOUR_FLOP) / 1e9
    superres = {k: best["fast"][k] - best["fast_rays"][k] for k in ("wall_s", "processor_s")}
    pictures = [(generator.render(planes, w, view(*v)), fast.render(view(*v))) for v in VIEWS]
    return {
        **best,
        "ratio_wall": best["plain"]["wall_s"] / best["fast"]["wall_s"],
        "ratio_processor": best["plain"]["processor_s"] / best["fast"]["processor_s"],
        "first_picture_of_a_latent": {"wall_s": first_wall, "processor_s": first_cpu},
        "first_picture_of_a_process": {"wall_s": prepare_wall, "processor_s": prepare_cpu},
        "psnr_image_db": [psnr(b.image, a.image) for a, b in pictures],
        "psnr_image_raw_db": [psnr(b.image_raw, a.image_raw) for a, b in pictures],
        "densities_per_ray": cast.densities / len(cast.alpha),
        "colours_per_ray": cast.colours / len(cast.alpha),
        "where": {
            "rays": {"gflop": rays_gflop, "gflops_per_core": rays_gflop / best["fast_rays"]["processor_s"]},
            "superres": {
                **superres,
                "gflop_direct": DIRECT_GFLOP,
                "gflop_winograd": WINOGRAD_GFLOP,
                "gflops_per_core": WINOGRAD_GFLOP / superres["processor_s"],
            },
        },
    }


def memory(threads: int) -> float:
    """MiB at most resident in a fresh process that loads the generator and renders three pictures."""
    command = [sys.executable, __file__, "--memory", "--threads", str(threads)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def step_speed(generator: Eg3dGenerator, planes: Tensor) -> list[dict[str, Any]]:
    """Steps of w towards pictures of other latents: seconds and the gradient's cosine to the plain one."""

    def planes_of(w: Tensor) -> Tensor:
        return planes + SWAY * generator.planes(w)

    def loss(image: Tensor) -> Tensor:
        return (F.interpolate(image, size=256, mode="area") - target).square().mean()

    def gradient(render: Callable[[Tensor], Tensor]) -> Tensor:
        w = start.clone().requires_grad_()
        loss(render(w)).backward()
        assert w.grad is not None
        return w.grad

    camera, found = view(*VIEWS[1]), []
    fast = {"exact": EXACT_STEP, "quick": QUICK_STEP}
    for seed in STEP_SEEDS:
        start, other = latent(generator, seed), latent(generator, 100 + seed)
        with torch.no_grad():
            picture = generator.render(planes_of(other), other, view(0.1, 0.0))
            target = F.interpolate(picture.image, size=256, mode="area")
        plain, wall, cpu = timed(lambda: gradient(lambda w: generator.render(planes_of(w), w, camera).image))
        entry: dict[str, Any] = {"seed": seed, "plain": {"wall_s": wall, "processor_s": cpu}}
        for name, config in fast.items():

            def step(config: FastStepConfig = config) -> Tensor:
                return gradient(
                    lambda w: (
                        differentiable_render(generator, w, camera, config=config, planes_of=planes_of).image
                    )
                )

            runs = [timed(step) for _ in range(3 if name == "quick" else 1)]
            entry[name] = {
                "wall_s": min(r[1] for r in runs),
                "processor_s": min(r[2] for r in runs),
                "ratio_wall": wall / min(r[1] for r in runs),
                "ratio_processor": cpu / min(r[2] for r in runs),
                "cosine": torch.cosine_similarity(plain, runs[0][0]).item(),
            }
        found.append(entry)
    return found


@torch.no_grad()
def draw(generator: Eg3dGenerator, planes: Tensor, w: Tensor, result: dict[str, Any]) -> None:
    """The pictures side by side, their difference, and the times."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    fast, frame = FastRenderer(generator, planes, w), result["frame"]
    figure = plt.figure(figsize=(15, 6.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(2, 1))
    axes, charts = left.subplots(2, 3), right.subplots(2, 1)
    for row, (yaw, pitch) in enumerate(VIEWS[:2]):
        plain, quick = (
            generator.render(planes, w, view(yaw, pitch)).image,
            fast.render(view(yaw, pitch)).image,
        )
        difference = (quick - plain).abs() * 8 - 1
        titles = ("reference", f"fast, {psnr(quick, plain):.1f} dB", "difference × 8")
        for axis, image, title in zip(axes[row], (plain, quick, difference), titles, strict=False):
            axis.imshow(((image[0].permute(1, 2, 0) + 1) / 2).clamp(0, 1).numpy())
            axis.set_title(title)
            axis.axis("off")
    unit = "processor_s"
    bars = {
        "reference: rays": frame["plain_rays"][unit],
        "reference: super-resolution": frame["plain"][unit] - frame["plain_rays"][unit],
        "fast: rays": frame["fast_rays"][unit],
        "fast: super-resolution": frame["where"]["superres"][unit],
    }
    title = f"a picture: processor seconds, {frame['ratio_processor']:.1f} times less"
    _bars(charts[0], bars, title)
    if "step" in result:
        step = result["step"][0]
        times = {name: step[name][unit] for name in ("plain", "exact", "quick")}
        title = (
            f"a step of w: {step['quick']['ratio_processor']:.1f} times less, "
            f"cosine {step['quick']['cosine']:.4f}"
        )
        _bars(charts[1], times, title)
    else:
        charts[1].axis("off")
    with atomic_path(ROOT / "docs" / "media" / "eg3d_speed.png") as path:
        figure.savefig(path, dpi=90)


def _bars(axis: Any, values: dict[str, float], title: str) -> None:
    bars = axis.barh(list(values), list(values.values()), color="#4878a8")
    axis.bar_label(bars, fmt="%.2f", padding=3)
    axis.invert_yaxis()
    axis.margins(x=0.2)
    axis.set_title(title, fontsize=10)


if __name__ == "__main__":
    main()
