"""Speed of EG3D on a GPU: frames and steps of w by the plain reference and by the fast path, full size.

    python benchmarks/eg3d_gpu.py [--repeats 20]

The generator is that of eg3d_head.py. Both paths are timed in turn in one process, after warming up; the
median of the repeats counts. Writes results/eg3d_gpu.json.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch

from eg3d_head import SWAY, head_generator
from eg3d_speed import CACHE, VIEWS, latent, psnr, view
from mien.core.atomic import atomic_path
from mien.generator.eg3d.fast import CAREFUL, QUICK_STEP, FastRenderer, differentiable_render
from mien.generator.eg3d.generator import Eg3dGenerator

ROOT: Final = Path(__file__).resolve().parent.parent


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    generator, planes = head_generator(CACHE)
    w = latent(generator, 1).cuda()
    generator, planes = generator.cuda(), planes.cuda()
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name(), "torch": torch.__version__,
        "frame": frames(generator, planes, w, options.repeats),
        "step_of_w": steps(generator, planes, w, options.repeats),
        "peak_gpu_mib": round(torch.cuda.max_memory_allocated() / 2**20),
    }  # fmt: skip
    print(json.dumps(result, indent=1))
    with atomic_path(ROOT / "benchmarks" / "results" / "eg3d_gpu.json") as path:
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


@torch.no_grad()
def frames(generator: Eg3dGenerator, planes: torch.Tensor, w: torch.Tensor, repeats: int) -> dict[str, Any]:
    """Milliseconds of a picture of 512 px with planes kept, and closeness to the reference in float32."""
    camera = view(*VIEWS[1])
    exact = [generator.render(planes, w, view(*v)).image for v in VIEWS]
    fast, careful = FastRenderer(generator, planes, w), FastRenderer(generator, planes, w, config=CAREFUL)

    def plain_tf32() -> Any:
        return generator.render(planes, w, camera)

    def plain_half() -> Any:
        with torch.autocast("cuda", torch.float16):
            return generator.render(planes, w, camera)

    found: dict[str, Any] = {"plain_ms": milliseconds(plain_tf32, repeats)}
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    ways: dict[str, Callable[[], Any]] = {
        "plain_tf32": plain_tf32, "plain_float16": plain_half, "careful": lambda: careful.render(camera),
        "fast": lambda: fast.render(camera), "fast_rays": lambda: fast.render_raw(camera),
    }  # fmt: skip
    found |= {f"{name}_ms": milliseconds(way, repeats) for name, way in ways.items()}
    found["fast_db"] = [psnr(fast.render(view(*v)).image, e) for v, e in zip(VIEWS, exact, strict=True)]
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return found


def steps(generator: Eg3dGenerator, planes: torch.Tensor, w: torch.Tensor, repeats: int) -> dict[str, float]:
    """Milliseconds of a gradient to w."""
    camera = view(*VIEWS[1])

    def planes_of(w: torch.Tensor) -> torch.Tensor:
        return planes + SWAY * generator.planes(w)

    def plain() -> None:
        free = w.clone().requires_grad_()
        generator.render(planes_of(free), free, camera).image.square().mean().backward()

    def quick() -> None:
        free = w.clone().requires_grad_()
        out = differentiable_render(generator, free, camera, config=QUICK_STEP, planes_of=planes_of)
        out.image.square().mean().backward()

    return {"plain_ms": milliseconds(plain, repeats), "quick_ms": milliseconds(quick, repeats)}


def milliseconds(way: Callable[[], Any], repeats: int) -> float:
    """Median time of a call, the GPU's work included."""
    times = []
    for _ in range(3 + repeats):
        torch.cuda.synchronize()
        start = time.perf_counter()
        way()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return round(1000 * statistics.median(times[3:]), 2)


if __name__ == "__main__":
    main()
