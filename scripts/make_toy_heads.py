"""A toy data set for `mien train gan`: procedural heads on white, with the label of their exact camera.

    python scripts/make_toy_heads.py OUT --count 400 --held-out 96 --size 64

writes OUT/train and OUT/held_out, each a folder of PNG files with dataset.json and of different people.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from mien.core.camera import Camera
from mien.core.progress import progress
from mien.io.images import write_image
from mien.morphable.model import load_head_model
from mien.training.procedural.draws import draw_expression
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.scene import make_sitter, pose
from mien.training.procedural.render.view import render_view

YAW_STD_RAD, PITCH_STD_RAD = 0.3, 0.12
LIMIT_STDS = 2.0


def main() -> None:
    """Render both folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=400, help="training pictures, one person each")
    parser.add_argument("--held-out", type=int, default=96, help="pictures of other people")
    parser.add_argument("--size", type=int, default=64, help="side in pixels")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    write_set(given.out / "train", range(given.count), given.size, given.seed)
    write_set(
        given.out / "held_out", range(given.count, given.count + given.held_out), given.size, given.seed
    )


def write_set(folder: Path, people: range, size: int, seed: int) -> None:
    """One picture of each person, and dataset.json in EG3D's format."""
    folder.mkdir(parents=True, exist_ok=True)
    model, labels = load_head_model(), []
    for person in progress(people, desc=folder.name):
        rng = np.random.default_rng([seed, person])
        sitter, camera = make_sitter(model, draw_person(model, rng)), random_view(rng)
        seen = render_view(pose(sitter, draw_expression(rng)), camera, size, supersampling=4)
        rgb = seen.rgb + 1 - seen.alpha[..., None]
        name = f"head_{person:05d}.png"
        write_image(folder / name, np.rint(rgb.clip(0, 1) * 255).astype(np.uint8))
        labels.append([name, camera.to_label().tolist()])
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}), encoding="utf-8")


def random_view(rng: np.random.Generator) -> Camera:
    """A camera on EG3D's orbit, mostly frontal."""
    yaw, pitch = np.clip(rng.normal(size=2), -LIMIT_STDS, LIMIT_STDS) * (YAW_STD_RAD, PITCH_STD_RAD)
    return Camera.orbit(float(yaw), float(pitch))


if __name__ == "__main__":
    main()
