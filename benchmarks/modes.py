"""Expression modes against each other: all that every given model offers, on the same photos and clips.

    python benchmarks/modes.py [--models mien-base head FILE] [--frames 24] [--media FOLDER]

A model is `mien-base` (native, paper), the file of an EG3D generator (deformed, paper), or `head`: the
full-size EG3D generator of eg3d_head.py, which is fitted to one procedural head and tells seconds and passes,
but nothing about likeness on a published checkpoint. The head crops of portraits, 256 px wide, are driven by
frames spread over the clips, in every mode of a model by the same motion. MediaPipe and dlib look at each
frame alone. Passes are evaluations or renders of the generator. Seconds are the processor's, of all threads
together. Writes results/modes.json, in which models that are not run again stay, and a contact sheet for
each model. Needs `mien[eval]`.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from eg3d_head import head_generator, hold_head
from mien.animation.drivers import read_driver
from mien.animation.eg3d.stage import Eg3dStage
from mien.animation.kinds import AnyAvatar, kind_for, kind_of, read_avatar
from mien.animation.kinds.base import BaseStage
from mien.animation.kinds.interface import Stage, Tools
from mien.animation.kinds.photo import AvatarOptions
from mien.animation.modes import MODES, staged
from mien.animation.paper.base import clip_error
from mien.animation.paper.clip_stage import ClipStage
from mien.animation.paper.config import PRESETS, paper_schedule
from mien.animation.paper.eg3d_stage import PaperEg3dStage
from mien.animation.paper.layers import layers_of
from mien.animation.paper.source import source_of
from mien.animation.paper.stage import PaperBaseStage
from mien.animation.retarget import DrivenMotion, Retargeting
from mien.animation.smoothing import smooth_motion
from mien.core.atomic import atomic_path
from mien.evaluation.identity import IdentityMeter
from mien.evaluation.sheets import contact_sheet, frames_at, spread_indices
from mien.generator.eg3d.checkpoint import save_eg3d
from mien.inversion.eg3d.invert import EFFORTS
from mien.io.images import Photo, read_photo, write_image
from modes_seen import Looker, see

ROOT: Final = Path(__file__).resolve().parent.parent
PORTRAITS: Final = ("astronaut.png", "woman_waterfall.jpg")
DRIVERS: Final = ("driver_man_18.mp4", "driver_woman_10.mp4")
SIZE_PX: Final = 256
SHEET_FRAMES: Final = 8
BASE: Final = "mien-base"
HEAD: Final = "head"
HEAD_CACHE: Final = ROOT / "runs" / "eg3d_speed" / "head.safetensors"


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="*", default=(BASE,))
    parser.add_argument("--media", type=Path, default=ROOT.parent / "shared" / "media")
    parser.add_argument("--portraits", nargs="*", default=PORTRAITS)
    parser.add_argument("--drivers", nargs="*", default=DRIVERS)
    parser.add_argument("--presets", nargs="*", default=tuple(PRESETS), help="of paper mode")
    parser.add_argument("--effort", default="normal", choices=tuple(EFFORTS), help="of EG3D inversions")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "benchmarks" / "modes")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "modes.json")
    parser.add_argument("--sheets", type=Path, default=ROOT / "docs" / "media", help="their folder")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    meter = IdentityMeter()
    for name in options.models:
        model = model_file(name, options.work)
        entries: dict[str, Any] = {}
        rows: list[list[np.ndarray]] = []
        for portrait in options.portraits:
            photo = read_photo(options.media / portrait)
            avatar, made_s = avatar_of(photo, name, model, options.work, options.effort)
            looker = Looker(photo, meter, SIZE_PX)
            for driver in options.drivers:
                clip = options.media / driver
                entry, pictures = measure(avatar, model, clip, looker, options.frames, options.presets)
                entries[f"{Path(portrait).stem}_x_{Path(driver).stem}"] = entry
                rows += pictures
                print(json.dumps(entry, indent=1), flush=True)
                facts = {"frames": options.frames, "threads": options.threads, "avatar_cpu_s": made_s}
                facts |= {} if name == BASE else {"effort": options.effort}
                write_results(options.results, name, {**facts, "clips": entries}, options.frames)
                sheet = options.sheets / ("modes.jpg" if name == BASE else f"modes_{Path(name).stem}.jpg")
                write_image(sheet, contact_sheet(rows))


def write_results(path: Path, name: str, entry: dict[str, Any], frames: int) -> None:
    """Put a model's figures into the file, beside those of other models."""
    old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    results = {
        "size_px": SIZE_PX,
        "paper_schedule_passes": {str(n): paper_schedule(n) for n in (frames, 100)},
        "models": {**old.get("models", {}), Path(name).stem: entry},
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def model_file(name: str, work: Path) -> Path | None:
    """The generator's file; None is the bundled mien-base."""
    if name == BASE:
        return None
    if name != HEAD:
        return Path(name)
    path = work / "head.safetensors"
    if not path.is_file() or not HEAD_CACHE.is_file():
        HEAD_CACHE.parent.mkdir(parents=True, exist_ok=True)
        save_eg3d(path, head_generator(HEAD_CACHE)[0])
    hold_head(HEAD_CACHE)
    return path


def avatar_of(
    photo: Photo, name: str, model: Path | None, work: Path, effort: str
) -> tuple[AnyAvatar, float | None]:
    """The photo's avatar, made once, and the seconds that it took if it was made now."""
    kind = kind_for(model)
    path = work / f"{Path(photo.name).stem}_{Path(name).stem}{'' if model is None else f'_{effort}'}.mien"
    seconds: float | None = None
    if not path.is_file():
        start = time.process_time()
        options = AvatarOptions(model=model, eg3d=EFFORTS[effort])
        kind.save(path, kind.create(photo, options, lambda stage, share: None))
        seconds = time.process_time() - start
    return read_avatar(path), seconds


def measure(
    avatar: AnyAvatar, model: Path | None, driver: Path, looker: Looker, count: int, presets: Sequence[str]
) -> tuple[dict[str, Any], list[list[np.ndarray]]]:
    """All modes on one clip, and their frames for the sheet."""
    stage = kind_of(avatar).stage(avatar, Tools(model, "cpu"), SIZE_PX)
    motion = smooth_motion(read_driver(driver, show_progress=False))
    driven = stage.drive(motion, Retargeting(), calibrated=True)
    index = spread_indices(len(driven), count)
    driven = picked(driven, index)
    pictures = frames_at(driver, index)
    seen_driver = see(pictures, None)
    shown = spread_indices(count, SHEET_FRAMES)
    entry: dict[str, Any] = {}
    sheet = [[pictures[k] for k in shown]]
    next(iter(stage.frames(driven, [0])))  # kernels are compiled
    for name, mode in modes(stage, avatar, presets).items():
        more = prepared(mode, driven)
        start = time.process_time()
        frames = list(mode.frames(driven))
        drawn_s = time.process_time() - start
        entry[name] = {**looker.scores(frames, seen_driver), "cpu_s_per_frame": drawn_s / count, **more}
        entry[name] |= all_passes(mode, driven)
        sheet.append([frames[k] for k in shown])
    return entry, sheet


def modes(stage: Stage, avatar: AnyAvatar, presets: Sequence[str]) -> dict[str, Stage]:
    """All modes of the avatar's kind; paper mode with the presets."""
    out: dict[str, Stage] = {}
    for mode in MODES[type(avatar)]:
        if mode != "paper":
            out[mode] = stage
    assert isinstance(stage, BaseStage | Eg3dStage)
    model = stage.puppet.model if isinstance(stage, BaseStage) else stage.actor.model
    layers = layers_of(source_of(avatar, model))
    for name, config in PRESETS.items():
        if name in presets:
            made = staged(stage, "paper", config)
            assert isinstance(made, PaperBaseStage | PaperEg3dStage)
            made.photo_layers = layers
            out[f"paper_{name}"] = made
    return out


def prepared(mode: Stage, driven: DrivenMotion) -> dict[str, Any]:
    """Latents and tuning of a clip: seconds, key frames, and in mien-base the error."""
    if not isinstance(mode, ClipStage):
        return {}
    start = time.process_time()
    sequence = mode.sequence(driven)
    steps = sequence.latents.diff(dim=0).norm(dim=1)
    found = {
        "inversion_cpu_s": time.process_time() - start,
        "key_frames": len(sequence.keys), "latent_step": float(steps.mean()),
    }  # fmt: skip
    if isinstance(mode, PaperBaseStage):
        error = clip_error(sequence, mode.photo_layers, driven.expression, PRESETS["fast"])
        found["masked_error"] = error
    return found


def all_passes(mode: Stage, driven: DrivenMotion) -> dict[str, int]:
    """Evaluations of the generator: `passes` before the frames, as the paper counts, and the frames' own."""
    if not isinstance(mode, ClipStage):
        return {"passes": 0, "passes_frames": len(driven)}
    passes = mode.passes(driven)
    return {
        "passes": passes.inversion, "passes_latent": passes.latent, "passes_tuning": passes.tuning,
        "passes_mouth": passes.mouth, "passes_frames": passes.frames,
    }  # fmt: skip


def picked(driven: DrivenMotion, index: Sequence[int]) -> DrivenMotion:
    """Some frames of a motion."""
    chosen = np.array(index)
    names = ("time_s", "expression", "R_camera_head", "translation_offset")
    return replace(driven, **{name: getattr(driven, name)[chosen] for name in names})


if __name__ == "__main__":
    main()
