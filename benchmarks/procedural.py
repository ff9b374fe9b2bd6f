"""What drawing procedural heads costs on one core.

    python benchmarks/procedural.py [people] [size_px]

Processor time of this process, so that a busy machine tells the same. The first person compiles the kernels
and is not counted.
"""

import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from mien.morphable.model import load_head_model
from mien.training.procedural.draws import draw_camera, draw_expression
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.scene import make_sitter, pose
from mien.training.procedural.render.view import render_view

VIEWS = 4


def main(people: int, size_px: int) -> None:
    """Print milliseconds of each step, mean and worst."""
    torch.set_num_threads(1)
    model = load_head_model()
    took: dict[str, list[float]] = {"person": [], "expression": [], "shadows": [], "view": []}
    for k in range(people + 1):
        rng = np.random.default_rng([2203, k])
        clock = [time.process_time()]
        sitter = make_sitter(model, draw_person(model, rng))
        clock.append(time.process_time())
        scene = pose(sitter, draw_expression(rng))
        clock.append(time.process_time())
        shadows = scene.shadows(sitter.person.light)
        clock.append(time.process_time())
        for _ in range(VIEWS):
            render_view(scene, draw_camera(rng), size_px, shadows=shadows)
        clock.append(time.process_time())
        if k:
            steps = np.diff(clock) * 1000 / [1, 1, 1, VIEWS]
            for name, ms in zip(took, steps, strict=True):
                took[name].append(float(ms))
    for name, ms in took.items():
        print(f"{name:12s} {np.mean(ms):7.1f} ms, at most {np.max(ms):7.1f} ms")
    each = sum(np.mean(took[n]) for n in ("expression", "shadows")) / VIEWS + np.mean(took["view"])
    print(f"{1000 / each:.1f} views a second, {VIEWS} views of each expression, person not counted")


if __name__ == "__main__":
    arguments = [int(a) for a in sys.argv[1:]]
    main(*(arguments + [8, 256][len(arguments) :]))
