"""An avatar on a full-size EG3D generator from photo to mesh: seconds, memory and closeness of every command.

    python benchmarks/eg3d_avatar.py PHOTO [--effort normal] [--threads 2]

No published checkpoint can be had here, so the generator is that of eg3d_head.py: of full size, with planes
fitted to one head, to which the backbone adds 2 %. So W can change little, and the residual of the planes has
to do nearly all. Every command runs in a process of its own. Writes results/eg3d_avatar.json; pictures,
mesh and clips go to runs/eg3d_avatar.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import torch

from eg3d_head import head_generator, hold_head, swaying
from mien.core.atomic import atomic_path

ROOT: Final = Path(__file__).resolve().parent.parent
CACHE: Final = ROOT / "runs" / "eg3d_speed" / "head.safetensors"
OUT: Final = ROOT / "runs" / "eg3d_avatar"
MODEL: Final = OUT / "full.safetensors"
AVATAR: Final = OUT / "face.mien"
MOVES: Final = {
    "fps": 10,
    "keyframes": [{"time_s": 0}, {"time_s": 2, "yaw_deg": 20, "pitch_deg": 5, "jawOpen": 0.6}],
}


def main() -> None:
    """Run all commands and write the figures."""
    if len(sys.argv) > 2 and sys.argv[1] == "--command":
        sys.exit(command(sys.argv[2:]))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="invert, mesh, orbit, animate")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    if not MODEL.is_file():
        from mien.generator.eg3d.checkpoint import save_eg3d

        save_eg3d(MODEL, head_generator(CACHE)[0])
    moves = OUT / "moves.json"
    moves.write_text(json.dumps(MOVES), encoding="utf-8")
    model = ["--model", str(MODEL)]
    commands = {
        "invert": [str(options.photo), "-o", str(AVATAR), "--effort", options.effort,
                   "--picture", str(OUT / "sheet.png")],
        "mesh": [str(AVATAR), "-o", str(OUT / "face.glb"), "--resolution", "512",
                 "--picture", str(OUT / "mesh.png")],
        "orbit": [str(AVATAR), "-o", str(OUT / "orbit.mp4"), "--seconds", "2"],
        "animate": [str(AVATAR), "--drive", str(moves), "-o", str(OUT / "moves.mp4")],
    }  # fmt: skip
    file = ROOT / "benchmarks" / "results" / "eg3d_avatar.json"
    results = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    for name in options.only or commands:
        entry = measured([name, *commands[name], *model], options.threads)
        if name == "invert":
            entry |= {"effort": options.effort, "photo": options.photo.name, **closeness()}
        if name == "mesh":
            entry["file_mib"] = (OUT / "face.glb").stat().st_size / 2**20
        results[name] = entry
        print(name, json.dumps(entry), flush=True)
        with atomic_path(file) as path:
            path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def measured(arguments: list[str], threads: int) -> dict[str, Any]:
    """Wall and processor seconds and peak memory of one command of `mien`."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    start = time.perf_counter()
    run = subprocess.run(
        [sys.executable, __file__, "--command", *arguments], env=environment, check=True,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    wall = time.perf_counter() - start
    processor, peak = run.stdout.splitlines()[-1].split()
    return {
        "threads": threads, "wall_s": wall, "processor_s": float(processor), "peak_mib": float(peak),
    }  # fmt: skip


def command(arguments: list[str]) -> int:
    """One command of `mien`, with the head put into the generator when it is loaded."""
    from mien.apps.cli import run

    hold_head(CACHE)
    code = run(arguments)
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    print(f"\n{time.process_time():.2f} {peak:.0f}")
    return code


def closeness() -> dict[str, float]:
    """PSNR of the avatar's picture to the photo's crop where the person is."""
    from safetensors.torch import load_file

    from mien.animation.eg3d.actor import make_actor
    from mien.generator.eg3d.checkpoint import load_eg3d
    from mien.generator.eg3d.generator import unit_image
    from mien.inversion.eg3d.avatar import load_eg3d_avatar

    avatar = load_eg3d_avatar(AVATAR)
    generator = swaying(load_eg3d(MODEL), load_file(CACHE)["planes"])
    actor = make_actor(avatar, generator)
    with torch.no_grad():
        raw = generator.render_raw(actor.planes, avatar.placement.camera)
        image = unit_image(generator.enhance(raw.features, avatar.inversion.w)[0])
    crop = torch.from_numpy(avatar.placement.crop.sample(avatar.photo.numpy(), 512).copy()).float()
    matte = torch.from_numpy(avatar.placement.crop.sample((avatar.alpha.float() / 255).numpy(), 512).copy())
    error = ((image - crop.permute(2, 0, 1) / 255).square() * matte).sum() / (3 * matte.sum())
    mean = crop.permute(2, 0, 1)[:, matte > 0.5].mean(1)[:, None, None] / 255
    flat = ((mean - crop.permute(2, 0, 1) / 255).square() * matte).sum() / (3 * matte.sum())
    return {
        "psnr_db": -10 * math.log10(float(error)),
        "psnr_of_the_mean_colour_db": -10 * math.log10(float(flat)),
    }


if __name__ == "__main__":
    main()
