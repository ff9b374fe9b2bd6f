"""Expression modes of mien-base against each other: native, and paper mode with both presets.

    python benchmarks/modes.py [--frames 24] [--media FOLDER]

The head crops of portraits, 256 px wide, are driven by frames spread over two clips, in every mode by the
same motion. MediaPipe and dlib look at each frame alone. Error is that of the tuned generator against the
edited renders, inside the face masks, over all frames; passes are evaluations of the generator, without the
final renders. Seconds are the processor's, of all threads together. Writes results/modes.json and a contact
sheet. Needs `mien[eval]`.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch

from mien.animation.drivers import read_driver
from mien.animation.kinds import BASE_KIND
from mien.animation.kinds.base import BaseStage
from mien.animation.kinds.interface import Stage, Tools
from mien.animation.kinds.photo import AvatarOptions
from mien.animation.modes import staged
from mien.animation.paper.base import clip_error
from mien.animation.paper.config import PRESETS, paper_schedule
from mien.animation.paper.layers import layers_of
from mien.animation.paper.source import source_of
from mien.animation.paper.stage import PaperBaseStage
from mien.animation.retarget import DrivenMotion, Retargeting
from mien.animation.smoothing import smooth_motion
from mien.core.atomic import atomic_path
from mien.evaluation.clips import SeenClip, score_animation, see_photo
from mien.evaluation.identity import IdentityMeter
from mien.evaluation.sheets import contact_sheet, frames_at, spread_indices
from mien.inversion.avatar import Avatar, load_avatar, save_avatar
from mien.io.images import read_photo, write_image
from mien.tracking.faces import FaceTracker

ROOT: Final = Path(__file__).resolve().parent.parent
PORTRAITS: Final = ("astronaut.png", "woman_waterfall.jpg")
DRIVERS: Final = ("driver_man_18.mp4", "driver_woman_10.mp4")
SIZE_PX: Final = 256
FPS: Final = Fraction(25)
"""Of frames that are looked at one by one; nothing that is reported depends on it."""
SHEET_FRAMES: Final = 8
SEEN_PX: Final = 512
"""Frames are enlarged to this for tracker and dlib, in every mode alike."""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Path, default=ROOT.parent / "shared" / "media")
    parser.add_argument("--portraits", nargs="*", default=PORTRAITS)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "benchmarks" / "modes")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "modes.json")
    parser.add_argument("--sheet", type=Path, default=ROOT / "docs" / "media" / "modes.jpg")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    meter, rows = IdentityMeter(), []
    results: dict[str, Any] = {
        "frames": options.frames, "size_px": SIZE_PX, "threads": options.threads, "seen_px": SEEN_PX,
        "paper_schedule_passes": {str(n): paper_schedule(n) for n in (options.frames, 100)}, "clips": {},
    }  # fmt: skip
    for portrait in options.portraits:
        avatar = avatar_of(options.media / portrait, options.work)
        for driver in DRIVERS:
            entry, pictures = measure(
                options.media / portrait, avatar, options.media / driver, meter, options.frames
            )
            results["clips"][f"{Path(portrait).stem}_x_{Path(driver).stem}"] = entry
            rows += pictures
            print(json.dumps(entry, indent=1), flush=True)
            with atomic_path(options.results) as path:
                path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            options.sheet.parent.mkdir(parents=True, exist_ok=True)
            write_image(options.sheet, contact_sheet(rows))


def avatar_of(portrait: Path, work: Path) -> Avatar:
    """The portrait's avatar, made once."""
    path = work / f"{portrait.stem}.mien"
    if not path.is_file():
        work.mkdir(parents=True, exist_ok=True)
        made = BASE_KIND.create(read_photo(portrait), AvatarOptions(), lambda stage, share: None)
        save_avatar(path, made)
    return load_avatar(path)


def measure(
    portrait: Path, avatar: Avatar, driver: Path, meter: IdentityMeter, count: int
) -> tuple[dict[str, Any], list[list[np.ndarray]]]:
    """All modes on one clip, and their frames for the sheet."""
    stage = BASE_KIND.stage(avatar, Tools(), SIZE_PX)
    motion = smooth_motion(read_driver(driver, show_progress=False))
    driven = stage.drive(motion, Retargeting(), calibrated=True)
    index = spread_indices(len(driven), count)
    driven = picked(driven, index)
    pictures = frames_at(driver, index)
    seen_driver, photo = see(pictures, None), see_photo(read_photo(portrait), meter)
    shown = spread_indices(count, SHEET_FRAMES)
    entry: dict[str, Any] = {}
    sheet = [[pictures[k] for k in shown]]
    for name, mode in modes(stage).items():
        more = prepared(mode, driven)
        start = time.process_time()
        frames = list(mode.frames(driven))
        end = time.process_time()
        score = score_animation(see(frames, meter), seen_driver, photo)
        entry[name] = {
            "identity_mean": score.identity_mean, "identity_p98": score.identity_p98,
            "pose_error_deg": score.pose_error_deg, "aed": score.aed, "aed_ratio": score.aed_ratio,
            "correlations": score.correlations, "found_share": score.found_share,
            "cpu_s_per_frame": (end - start) / count, **more,
        }  # fmt: skip
        sheet.append([frames[k] for k in shown])
    return entry, sheet


def modes(stage: BaseStage) -> dict[str, Stage]:
    """The stages that are compared."""
    layers = layers_of(source_of(stage.puppet.avatar, stage.puppet.model))
    out: dict[str, Stage] = {"native": stage}
    for name, config in PRESETS.items():
        made = staged(stage, "paper", config)
        assert isinstance(made, PaperBaseStage)
        made.photo_layers = layers
        out[f"paper_{name}"] = made
    return out


def prepared(mode: Stage, driven: DrivenMotion) -> dict[str, Any]:
    """Latents and tuning of a clip: passes, key frames and error."""
    if not isinstance(mode, PaperBaseStage):
        return {}
    start = time.process_time()
    sequence = mode.sequence(driven)
    seconds = time.process_time() - start
    error = clip_error(sequence, mode.photo_layers, driven.expression, PRESETS["fast"])
    steps = sequence.latents.diff(dim=0).norm(dim=1)
    return {
        "inversion_cpu_s": seconds, "passes": sequence.passes.inversion,
        "passes_latent": sequence.passes.latent,
        "passes_tuning": sequence.passes.tuning, "passes_mouth": sequence.passes.mouth,
        "key_frames": len(sequence.keys), "masked_error": error, "latent_step": float(steps.mean()),
    }  # fmt: skip


def picked(driven: DrivenMotion, index: Sequence[int]) -> DrivenMotion:
    """Some frames of a motion."""
    chosen = np.array(index)
    names = ("time_s", "expression", "R_camera_head", "translation_offset")
    return replace(driven, **{name: getattr(driven, name)[chosen] for name in names})


def see(frames: Sequence[np.ndarray], meter: IdentityMeter | None) -> SeenClip:
    """What is seen in pictures, each looked at alone."""
    rows = []
    with FaceTracker() as tracker:
        for frame in frames:
            scale = SEEN_PX / max(frame.shape[:2])
            large = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            faces = tracker.detect(np.ascontiguousarray(large))
            if not faces:
                rows.append(None)
                continue
            identity = np.full(128, np.nan) if meter is None else meter(large, faces[0])
            rows.append((faces[0].coefficients, faces[0].R_camera_head, faces[0].landmarks_px, identity))
    there = next(row for row in rows if row is not None)
    blank = tuple(np.full_like(column, np.nan) for column in there)
    columns = [np.stack(column) for column in zip(*(row or blank for row in rows), strict=True)]
    return SeenClip(
        fps=FPS, size_px=(SEEN_PX, SEEN_PX), found=np.array([row is not None for row in rows]),
        coefficients=columns[0], R_camera_head=columns[1], landmarks_px=columns[2], identity=columns[3],
    )  # fmt: skip


if __name__ == "__main__":
    main()
