"""What adversarial training reached on rendered heads at toy size: picture and figures.

    python scripts/make_toy_heads.py HEADS
    mien train gan HEADS/train -o RUN --preset toy --held-out HEADS/held_out --metric-every 250 \\
        --sheet-every 250 --kimg 16 --log-every 25
    python benchmarks/gan_toy.py HEADS RUN

writes docs/media/gan_toy.png and benchmarks/results/gan_toy.json. It also measures, on the same heads, how
far four steps in one go, interrupted, and in two processes lie apart.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from mien.core.atomic import atomic_path
from mien.io.images import write_image
from mien.training.gan.config import TOY, with_batch
from mien.training.gan.dataset import GanDataset
from mien.training.gan.metrics import SlicedWasserstein
from mien.training.gan.run import GanPlan, distance_to, read_log, train_gan
from mien.training.gan.samples import to_8_bit

ROOT = Path(__file__).resolve().parents[1]
SHEETS = 5
"""Of how many moments the picture shows samples."""
LABEL_WIDTH = 84
STEPS = 4


def main() -> None:
    """Write picture and figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("heads", type=Path)
    parser.add_argument("run", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    write_image(ROOT / "docs" / "media" / "gan_toy.png", picture(given.heads, given.run))
    rows = read_log(given.run / "log.jsonl")
    found = {
        "what": "mien train gan, preset toy: 64 px, planes 3 x 16 x 32 x 32, batch 8, one CPU thread",
        "heads": {"train": len(GanDataset(given.heads / "train")), "mirrored": True},
        "steps": rows[-1]["step"],
        "kimg": rows[-1]["kimg"],
        "minutes": rows[-1]["minutes"],
        "minutes_are": "wall clock of one process on a shared machine, pauses of the machine included",
        "swd_of_training_heads": floor(given.heads),
        "equality": equality(given.heads),
        "log": [rounded(row) for row in rows if "swd" in row],
    }
    with atomic_path(ROOT / "benchmarks" / "results" / "gan_toy.json") as path:
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({**found, "log": "..."}, indent=1))


def rounded(row: dict[str, float]) -> dict[str, float]:
    """A log row with four digits behind the point."""
    return {name: round(value, 4) for name, value in row.items()}


def picture(heads: Path, run: Path) -> np.ndarray:
    """Held-out heads, then the same latents at several times; at the last also from the sides."""
    sheets = {int(p.stem.split("_")[1]): np.asarray(Image.open(p)) for p in run.glob("samples_*.png")}
    steps = sorted(sheets)
    # Early ones differ most: moments in a geometric row.
    wanted = [0, *(steps[-1] * 2.0 ** -np.arange(SHEETS - 2, -1, -1)).tolist()]
    shown = sorted({min(steps, key=lambda s, w=w: abs(s - w)) for w in wanted})
    side = sheets[steps[0]].shape[0] // 3
    count = sheets[steps[0]].shape[1] // side
    reals = to_8_bit(GanDataset(heads / "held_out").read(list(range(count))).images)
    rows = [labelled("real", np.concatenate(list(reals.permute(0, 2, 3, 1).numpy()), 1))]
    rows += [labelled(f"step {step}", sheets[step][side : 2 * side]) for step in shown]
    last = sheets[shown[-1]]
    rows += [labelled("  left", last[:side]), labelled("  right", last[2 * side :])]
    return np.concatenate(rows)


def labelled(text: str, row: np.ndarray) -> np.ndarray:
    """A row of pictures with a word on its left."""
    margin = np.full((row.shape[0], LABEL_WIDTH, 3), 255, np.uint8)
    place = (4, row.shape[0] // 2 + 4)
    cv2.putText(margin, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([margin, row], 1)


def floor(heads: Path) -> float:
    """The distance of as many training heads to the held-out ones: what a perfect generator would have."""
    metric, count = distance_to(heads / "held_out", TOY.generator.image_px)
    assert isinstance(metric, SlicedWasserstein)
    data = GanDataset(heads / "train")
    return round(metric([to_8_bit(data.read(list(range(count))).images)])["swd"], 2)


def equality(heads: Path) -> dict[str, float]:
    """Largest differences of any tensor of the state after four steps, from those of one go."""
    config = with_batch(TOY, TOY.batch, 4)
    plan = GanPlan(kimg=STEPS * config.batch / 1000, log_every=1, checkpoint_every=2, threads=1, device="cpu")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train_gan(heads / "train", folder / "whole", config, plan)
        half = GanPlan(kimg=plan.kimg / 2, log_every=1, checkpoint_every=2, threads=1, device="cpu")
        for part in (half, plan):
            train_gan(heads / "train", folder / "parts", config, part)
        command = [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "mien",
            "train", "gan", str(heads / "train"), "-o", str(folder / "two"), "--preset", "toy",
            "--chunk", "4", "--kimg", str(plan.kimg), "--threads", "1", "--device", "cpu",
        ]  # fmt: skip
        subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True)
        states = {n: load_file(folder / n / "state.safetensors") for n in ("whole", "parts", "two")}
    return {
        "interrupted": difference(states["whole"], states["parts"]),
        "two_processes": difference(states["whole"], states["two"]),
    }


def difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """Largest absolute difference of any number."""
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


if __name__ == "__main__":
    main()
