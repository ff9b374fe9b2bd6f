"""What mien-base knows about heads it never saw.

    python benchmarks/prior.py [--model FILE] [--heads N] [--against FILE]
    python benchmarks/prior.py --samples

Realistic procedural heads are drawn with a seed that no training uses. One frontal picture of each is given,
with its true mesh and camera; hair and clothes are to be found. Inversion fits the latent W to it, and of its
answer W alone is used: no residual planes, no own height of the hair. Then that view and views turned by 15,
30 and 45 degrees are compared with the true ones at 256 px. Writes results/prior.json, contact sheets into
docs/media, and the figures of docs/model_card.md; with `--model` it only prints. `--against` scores another
generator on the same heads. `--samples` only draws the sheet of random people anew.
"""

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from torch import Tensor

from mien.core.assets import asset_path
from mien.core.atomic import atomic_path
from mien.core.camera import Camera
from mien.core.checkpoint import read_header
from mien.core.progress import progress
from mien.evaluation.bench.heads import ProceduralBenchHead, TrueView
from mien.evaluation.bench.plan import side_of
from mien.generator.model import MIEN_BASE, Generator, load_generator
from mien.generator.people import sample_sheet
from mien.generator.samples import (
    StillHead,
    depth_picture,
    join_pictures,
    normal_picture,
    over_paper,
    rest_expression,
    still_head,
    to_uint8,
)
from mien.inversion.evidence import gather_evidence
from mien.inversion.invert import invert
from mien.io.images import write_image
from mien.morphable.crop import CropRegion
from mien.morphable.fit import FaceFit
from mien.morphable.model import MorphableModel, load_head_model
from mien.training.procedural.person import draw_person
from mien.training.procedural.response import draw_response

ROOT: Final = Path(__file__).resolve().parent.parent
SEED: Final = 4_807_526_976
"""Of the persons; training and mien-bench use smaller ones."""
SIZE_PX: Final = 256
YAWS_DEG: Final = (0, 15, 30, 45)
GREY: Final = 0.5
MM_PER_UNIT: Final = 1000 / 1.9
SHEET_HEADS: Final = 5
CELL_PX: Final = 96
SAMPLE_PX: Final = 176
SAMPLES_SEED: Final = 5
MARK_BEGIN, MARK_END = "<!-- figures -->", "<!-- end of figures -->"


@dataclass(frozen=True, eq=False)
class HeldOut:
    """A person the generator never saw: mesh, cameras, true views; the first view is given."""

    identity: Tensor
    cameras: list[Camera]
    truth: list[TrueView]


@dataclass(frozen=True)
class ViewScore:
    """One view of one head."""

    psnr_image_db: float
    psnr_head_db: float
    alpha_iou: float
    depth_error_mm: float


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="generator file; without it the bundled mien-base")
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--against", type=Path, help="another generator, on the same heads")
    parser.add_argument("--sheet", type=Path, help="contact sheet to write besides")
    parser.add_argument("--samples", action="store_true", help="only draw random people anew")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator, model = load_generator(arguments.model), load_head_model()
    if arguments.samples:
        _draw_samples(generator)
        return
    other = load_generator(arguments.against) if arguments.against else None
    found: dict[str, list[list[ViewScore]]] = {"views": [], "average_head": [], "against": []}
    rows = []
    for index in progress(range(arguments.heads), desc="held-out heads"):
        head = held_out(model, index)
        fitted = still_head(generator, model, head.identity, fit_w(generator, model, head))
        average = still_head(generator, model, head.identity, generator.mapping.w_avg)
        found["views"].append(_scores(fitted, head))
        found["average_head"].append(_scores(average, head))
        if other is not None:
            w = fit_w(other, model, head)
            found["against"].append(_scores(still_head(other, model, head.identity, w), head))
        rows += [_row(fitted, head)] if index < SHEET_HEADS else []
        shown = [round(s.psnr_head_db, 2) for s in found["views"][-1]]
        print(index, shown, file=sys.stderr, flush=True)
    result = _result(found, read_header(arguments.model or asset_path(MIEN_BASE))["training"])
    print(json.dumps(result, indent=1))
    sheet = _smaller(join_pictures(rows))
    if arguments.sheet:
        write_image(arguments.sheet, sheet)
    if arguments.model is None:
        _record(result, sheet, generator)


def held_out(model: MorphableModel, index: int) -> HeldOut:
    """The person of a number at rest, turned to one side or the other."""
    seed = (SEED, index)
    person = draw_person(model, np.random.default_rng(seed))
    response = draw_response(np.random.default_rng((*seed, 1)), skin_luminance=person.skin_luminance)
    subject = ProceduralBenchHead(model, person, response, seed)
    cameras = [Camera.orbit(math.radians(side_of(index) * yaw), 0.0) for yaw in YAWS_DEG]
    truth = [subject.view(rest_expression(), camera, SIZE_PX) for camera in cameras]
    return HeldOut(torch.from_numpy(person.shape.identity), cameras, truth)


def fit_w(generator: Generator, model: MorphableModel, head: HeldOut) -> Tensor:
    """W of the person by inversion, from the first view with its true mesh and camera."""
    camera, given = head.cameras[0], head.truth[0]
    crop = CropRegion(SIZE_PX / 2, SIZE_PX / 2, SIZE_PX)
    landmarks_px = camera.project(given.landmarks).uv * SIZE_PX
    fit = FaceFit(head.identity, rest_expression(), torch.eye(3), camera, crop, 0.0, landmarks_px)
    rgb = given.rgb + GREY * (1 - given.alpha[..., None])
    evidence = gather_evidence(to_uint8(rgb), given.alpha.numpy(), fit, model)
    return invert(evidence, fit, generator, model).w


def _scores(still: StillHead, head: HeldOut) -> list[ViewScore]:
    return [_score(still, c, t) for c, t in zip(head.cameras, head.truth, strict=True)]


def _score(still: StillHead, camera: Camera, truth: TrueView) -> ViewScore:
    found = still.picture(camera, SIZE_PX // 2).permute(1, 2, 0)
    difference = (found[..., :3] - truth.rgb) + GREY * (truth.alpha[..., None] - found[..., 3:])
    mask, seen = truth.alpha > 0.5, found[..., 3] > 0.5
    depth = still.view(camera, SIZE_PX).depth
    both = (depth > 0) & (truth.depth > 0) & mask & seen
    return ViewScore(
        psnr_image_db=_psnr(difference),
        psnr_head_db=_psnr(difference[mask]),
        alpha_iou=float((mask & seen).sum() / (mask | seen).sum()),
        depth_error_mm=float((depth - truth.depth)[both].abs().mean() * MM_PER_UNIT),
    )


def _psnr(difference: Tensor) -> float:
    return float(-10 * torch.log10(difference.square().mean() + 1e-12))


def _row(still: StillHead, head: HeldOut) -> list[np.ndarray]:
    """True view and fitted view by turns, then depth and normals of the last view."""
    pictures = []
    for camera, truth in zip(head.cameras, head.truth, strict=True):
        rgba = torch.cat([truth.rgb, truth.alpha[..., None]], -1).permute(2, 0, 1)
        pictures += [over_paper(rgba), over_paper(still.picture(camera, SIZE_PX // 2))]
    out = still.view(head.cameras[-1], SIZE_PX)
    pictures += [depth_picture(out), normal_picture(out, head.cameras[-1])]
    return [to_uint8(p) for p in pictures]


def _smaller(sheet: np.ndarray, cell_px: int = CELL_PX) -> np.ndarray:
    """A sheet with small cells, small enough to commit."""
    scale = cell_px / SIZE_PX
    return np.asarray(cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _result(found: dict[str, list[list[ViewScore]]], training: dict[str, Any]) -> dict[str, Any]:
    return {
        "size_px": SIZE_PX,
        "heads": len(found["views"]),
        "seed": SEED,
        "fit": f"W only, by inversion from one frontal view at {SIZE_PX} px; mesh and camera known",
        "training": {k: training[k] for k in ("hours", "step", "seed", "data")},
    } | {
        name: {str(yaw): _means([s[k] for s in scores]) for k, yaw in enumerate(YAWS_DEG)}
        for name, scores in found.items()
        if scores
    }


def _record(result: dict[str, Any], sheet: np.ndarray, generator: Generator) -> None:
    """Keep what the bundled generator reached."""
    with atomic_path(ROOT / "benchmarks" / "results" / "prior.json") as path:
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    media = ROOT / "docs" / "media"
    write_image(media / "prior_heldout.jpg", sheet)
    _draw_samples(generator)
    _fill_card(result)


def _draw_samples(generator: Generator) -> None:
    """Random people for the model card."""
    samples = sample_sheet(generator, count=7, truncation=0.7, seed=SAMPLES_SEED)
    write_image(ROOT / "docs" / "media" / "prior_samples.jpg", _smaller(samples, SAMPLE_PX))


def _fill_card(result: dict[str, Any]) -> None:
    """Put the figures between the card's marks."""
    card = ROOT / "docs" / "model_card.md"
    head, rest = card.read_text(encoding="utf-8").split(MARK_BEGIN)
    after = rest.split(MARK_END)[1]
    lines = [
        f"Means over {result['heads']} held-out heads:",
        "",
        "| view | PSNR, picture on grey | PSNR, head | PSNR, average head | alpha IoU | depth error |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for yaw, view in result["views"].items():
        name = "input view, 0°" if yaw == "0" else f"turned by {yaw}°"
        average = result["average_head"][yaw]["psnr_head_db"]
        lines.append(
            f"| {name} | {view['psnr_image_db']:.1f} dB | {view['psnr_head_db']:.1f} dB | {average:.1f} dB "
            f"| {view['alpha_iou']:.3f} | {view['depth_error_mm']:.1f} mm |"
        )
    text = "\n".join(lines)
    with atomic_path(card) as path:
        path.write_text(f"{head}{MARK_BEGIN}\n{text}\n{MARK_END}{after}", encoding="utf-8")


def _means(scores: list[ViewScore]) -> dict[str, float]:
    names = ("psnr_image_db", "psnr_head_db", "alpha_iou", "depth_error_mm")
    return {n: round(float(np.mean([getattr(s, n) for s in scores])), 3) for n in names}


if __name__ == "__main__":
    main()
