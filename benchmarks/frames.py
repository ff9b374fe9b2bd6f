"""Processor seconds of each stage of a frame of `mien animate` with mien-base, on one thread.

    python benchmarks/frames.py [--source PHOTO_OR_AVATAR] [--driver CLIP] [--size 256] [--count 60]

By default the astronaut that comes with scikit-image moves like the bundled motion; then nothing is tracked.
The parts of drawing are timed in a second run over the same frames, so their own clock does not count in the
first. Writes results/frames.json.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import skimage.data
import torch

from mien.animation.drive import render_moving
from mien.animation.drivers import read_driver
from mien.animation.frames import pose_at
from mien.animation.kinds.base import BaseKind, BaseStage
from mien.animation.kinds.interface import Tools
from mien.animation.retarget import DrivenMotion, Retargeting
from mien.animation.smoothing import Smoothing, smooth_motion
from mien.core.assets import asset_path
from mien.core.atomic import atomic_path
from mien.inversion.avatar import Avatar
from mien.io.images import write_image
from mien.io.video import VideoReader, VideoWriter, is_video
from mien.pipeline import open_avatar

ROOT: Final = Path(__file__).resolve().parent.parent
PARTS: Final = {
    "pose of the mesh": ("mien.animation.drive", "posed"),
    "box of what moves": ("mien.animation.drive", "moving_box"),
    "body: first hits": ("mien.generator.fastrays", "first_hits"),
    "hair: shell": ("mien.generator.fastrays", "CompiledPixelScene"),
    "hair: march": ("mien.generator.fastrays", "march_hair"),
    "body: planes": ("mien.generator.kernels.body", "compose"),
    "edges": ("mien.generator.render", "fast_edges"),
    "detail of the photo": ("mien.animation.drive", "fast_layer"),
    "over the plate": ("mien.animation.drive", "to_uint8"),
}
"""Where the functions that are timed are called from."""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path)
    parser.add_argument("--driver", type=Path, default=asset_path("demo_motion.json"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "frames.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        source = options.source or Path(folder) / "photo.png"
        if options.source is None:
            write_image(source, skimage.data.astronaut())
        avatar = open_avatar(source)
        assert isinstance(avatar, Avatar)
        result = measure(avatar, options.driver, options.size, options.count, Path(folder))
    with atomic_path(options.results) as path:
        path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def measure(avatar: Avatar, driver: Path, size_px: int, count: int, folder: Path) -> dict[str, Any]:
    """Milliseconds of the processor a frame."""
    reading_s = 0.0
    if is_video(driver):
        start = time.process_time()
        with VideoReader(driver) as reader:
            frames = sum(1 for _ in reader.frames())
        reading_s = (time.process_time() - start) / frames
    start = time.process_time()
    motion = read_driver(driver)
    driver_s = (time.process_time() - start) / len(motion)
    stage = BaseKind().stage(avatar, Tools(None, "cpu"), size_px)
    start = time.process_time()
    driven = stage.drive(smooth_motion(motion, Smoothing()), Retargeting(), calibrated=True)
    feedback_s = time.process_time() - start
    draw(stage, driven, 1)  # loads what is compiled
    start = time.process_time()
    pictures = draw(stage, driven, count)
    drawing_s = (time.process_time() - start) / len(pictures)
    start = time.process_time()
    with VideoWriter(folder / "out.mp4", driven.fps, size_px, size_px) as writer:
        for picture in pictures:
            writer.write(picture)
    encoding_s = (time.process_time() - start) / len(pictures)
    ms = {
        "reading the driver": reading_s,
        "tracking the driver": driver_s - reading_s if is_video(driver) else 0.0,
        "drawing": drawing_s,
        "encoding": encoding_s,
    }
    return {
        "frames": len(pictures),
        "size_px": size_px,
        "ms_per_frame": {name: round(1000 * seconds, 2) for name, seconds in ms.items()},
        "ms_per_frame_of_drawing": parts_of_drawing(stage, driven, count),
        "correcting_the_motion_s": round(feedback_s, 2),
    }


def draw(stage: BaseStage, driven: DrivenMotion, count: int) -> list[np.ndarray]:
    """The first frames."""
    with torch.no_grad():
        return [
            render_moving(stage.puppet, stage.canvas, *pose_at(stage.puppet, driven, k))
            for k in range(min(count, len(driven)))
        ]


def parts_of_drawing(stage: BaseStage, driven: DrivenMotion, count: int) -> dict[str, float]:
    """Milliseconds a frame of `PARTS`, and of the rest."""
    spent: dict[str, float] = defaultdict(float)
    with ExitStack() as stack:
        for part, (module, name) in PARTS.items():
            original = getattr(import_module(module), name)
            stack.enter_context(patch(f"{module}.{name}", timed(original, part, spent)))
        start = time.process_time()
        frames = len(draw(stage, driven, count))
        total_s = time.process_time() - start
    spent["decoder's network and the rest"] = total_s - sum(spent.values())
    return {part: round(1000 * seconds / frames, 2) for part, seconds in spent.items()}


def timed(function: Callable[..., Any], part: str, spent: dict[str, float]) -> Callable[..., Any]:
    """A function that adds its processor seconds to `spent`."""

    def call(*arguments: Any, **named: Any) -> Any:
        start = time.process_time()
        try:
            return function(*arguments, **named)
        finally:
            spent[part] += time.process_time() - start

    return call


if __name__ == "__main__":
    main()
