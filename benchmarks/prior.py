"""What mien-base knows about heads it never saw.

    python benchmarks/prior.py [--model FILE] [--heads N] [--against FILE]

Held-out procedural heads are drawn again from their seed. One frontal picture of each is given; only the
latent w is fitted to it (mesh and camera known, no tuning). Then that view and views turned by 15, 30 and 45
degrees are compared with the true ones at 256 px. Writes results/prior.json, contact sheets into docs/media,
and the figures of docs/model_card.md. `--against` scores another generator on the same heads.
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
from torch.nn import functional as F

from mien.core.assets import asset_path
from mien.core.atomic import atomic_path
from mien.core.camera import Camera
from mien.core.checkpoint import read_header
from mien.core.progress import progress
from mien.generator.model import MIEN_BASE, Generator, load_generator
from mien.generator.people import sample_sheet
from mien.generator.render import hair_field
from mien.generator.samples import (
    StillHead,
    depth_picture,
    join_pictures,
    normal_picture,
    over_paper,
    still_head,
    to_uint8,
)
from mien.generator.volume import MarchConfig, march, over_body
from mien.io.images import write_image
from mien.morphable.model import MorphableModel, load_head_model
from mien.morphable.raster import cast_rays, interpolate_corners
from mien.training.heads import Head, random_expression, random_head, render_head, render_rgba

ROOT: Final = Path(__file__).resolve().parent.parent
SIZE_PX: Final = 256
YAWS_DEG: Final = (0, 15, 30, 45)
GREY: Final = 0.5
MM_PER_UNIT: Final = 1000 / 1.9
SHEET_HEADS: Final = 5
CELL_PX: Final = 96
MARK_BEGIN, MARK_END = "<!-- figures -->", "<!-- end of figures -->"


@dataclass(frozen=True)
class FitConfig:
    """Adam on w."""

    steps: int = 150
    rays: int = 700
    lr: float = 0.08
    prior: float = 2e-3
    """Weight of the mean square of w, in standard deviations from w_avg."""


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
    parser.add_argument("--heads", type=int, default=20)
    parser.add_argument("--against", type=Path, help="another generator, on the same heads")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator, model = load_generator(arguments.model), load_head_model()
    training = read_header(arguments.model or asset_path(MIEN_BASE))["training"]
    seed, first = training["data"]["seed"], training["data"]["heads"] - training["distil"]["held_out"]
    scores, baseline, rows, against = [], [], [], []
    other = load_generator(arguments.against) if arguments.against else None
    for index in progress(range(first, first + arguments.heads), desc="held-out heads"):
        result = _score_head(generator, model, seed, index, with_row=len(rows) < SHEET_HEADS)
        scores.append(result[0])
        baseline.append(result[1])
        rows += [result[2]] if result[2] else []
        if other is not None:
            against.append(_score_head(other, model, seed, index, with_row=False)[0])
        print(index, [round(s.psnr_head_db, 2) for s in result[0]], file=sys.stderr, flush=True)
    _write_json(scores, baseline, against, training)
    media = ROOT / "docs" / "media"
    write_image(media / "prior_heldout.jpg", _smaller(join_pictures(rows)))
    write_image(
        media / "prior_samples.jpg", _smaller(sample_sheet(generator, count=7, truncation=0.7, seed=1))
    )


def _score_head(
    generator: Generator, model: MorphableModel, seed: int, index: int, *, with_row: bool
) -> tuple[list[ViewScore], list[ViewScore], list[np.ndarray]]:
    head = random_head(model, np.random.default_rng([seed, index]))
    expression = random_expression(np.random.default_rng([seed, index, 1]))
    sign = 1 if index % 2 else -1
    cameras = [Camera.orbit(math.radians(sign * yaw), 0.0) for yaw in YAWS_DEG]
    truth = [torch.from_numpy(render_rgba(model, head, expression, c, SIZE_PX)) for c in cameras]
    w = fit_w(generator, model, head, torch.from_numpy(expression), cameras[0], truth[0])
    identity = torch.from_numpy(head.identity)
    fitted, average = (
        still_head(generator, model, identity, latent, torch.from_numpy(expression))
        for latent in (w, generator.mapping.w_avg)
    )
    views = list(zip(cameras, truth, strict=True))
    scores = [_score(fitted, model, head, expression, c, t) for c, t in views]
    baseline = [_score(average, model, head, expression, c, t) for c, t in views]
    return scores, baseline, _row(fitted, cameras, truth) if with_row else []


def fit_w(
    generator: Generator,
    model: MorphableModel,
    head: Head,
    expression: Tensor,
    camera: Camera,
    rgba: Tensor,
    config: FitConfig = FitConfig(),
) -> Tensor:
    """The latent whose render is nearest to one picture [256, 256, 4]; mesh and camera are known."""
    random = torch.Generator().manual_seed(0)
    size = SIZE_PX // 2
    small = F.avg_pool2d(rgba.permute(2, 0, 1)[None], 2)[0].permute(1, 2, 0).reshape(-1, 4)
    rays = camera.rays(size, size)
    origins, directions = rays.origins.reshape(-1, 3), rays.directions.reshape(-1, 3)
    still = still_head(generator, model, torch.from_numpy(head.identity), generator.mapping.w_avg, expression)
    hits = cast_rays(still.posed.vertices, model.faces_np, origins.numpy(), directions.numpy())
    body = torch.from_numpy(interpolate_corners(model.canonical_corners.numpy(), hits)).float()
    depth, hit = torch.from_numpy(hits.depth), torch.from_numpy(hits.hit)
    near_head = F.max_pool2d((small[:, 3] + hit).view(1, size, size), 17, 1, 8).flatten() > 0
    candidates = torch.nonzero(near_head)[:, 0]
    x = torch.zeros_like(generator.w_std, requires_grad=True)
    optimiser = torch.optim.Adam([x], lr=config.lr, betas=(0.9, 0.95))
    for step in range(config.steps):
        optimiser.param_groups[0]["lr"] = config.lr * (1 - 0.9 * step / config.steps)
        pick = candidates[torch.randint(0, len(candidates), (config.rays,), generator=random)]
        planes = generator.planes((generator.mapping.w_avg + generator.w_std * x)[None], expression[None])
        far = torch.where(hit, depth, torch.full_like(depth, 3.2))[None, pick]
        jitter = torch.rand(1, config.rays, 16, generator=random)
        hair = march(
            hair_field(generator, planes, still.posed), origins[None, pick], directions[None, pick],
            torch.full_like(far, 2.15), far, MarchConfig(16, 12), jitter,
        )  # fmt: skip
        skin = generator.decode(planes, body[None, pick]).body_rgb
        rgb, alpha = over_body(hair, skin, hit[None, pick])
        loss = (rgb[0] - small[pick, :3]).abs().mean() + 0.5 * (alpha[0] - small[pick, 3]).abs().mean()
        optimiser.zero_grad()
        (loss + config.prior * x.square().mean()).backward()
        optimiser.step()
    return (generator.mapping.w_avg + generator.w_std * x).detach()


def _score(
    still: StillHead, model: MorphableModel, head: Head, expression: np.ndarray, camera: Camera, truth: Tensor
) -> ViewScore:
    found = still.picture(camera, SIZE_PX // 2).permute(1, 2, 0)
    difference = (found[..., :3] - truth[..., :3]) + GREY * (truth[..., 3:] - found[..., 3:])
    mask, seen = truth[..., 3] > 0.5, found[..., 3] > 0.5
    depth = still.view(camera, SIZE_PX).depth
    true_depth = torch.from_numpy(render_head(model, head, expression, camera, SIZE_PX).depth).view_as(depth)
    both = (depth > 0) & (true_depth > 0) & mask & seen
    return ViewScore(
        psnr_image_db=_psnr(difference),
        psnr_head_db=_psnr(difference[mask]),
        alpha_iou=float((mask & seen).sum() / (mask | seen).sum()),
        depth_error_mm=float((depth - true_depth)[both].abs().mean() * MM_PER_UNIT),
    )


def _psnr(difference: Tensor) -> float:
    return float(-10 * torch.log10(difference.square().mean() + 1e-12))


def _row(still: StillHead, cameras: list[Camera], truth: list[Tensor]) -> list[np.ndarray]:
    """True view and fitted view by turns, then depth and normals of the last view."""
    pictures = []
    for camera, rgba in zip(cameras, truth, strict=True):
        pictures += [over_paper(rgba.permute(2, 0, 1)), over_paper(still.picture(camera, SIZE_PX // 2))]
    out = still.view(cameras[-1], SIZE_PX)
    pictures += [depth_picture(out), normal_picture(out, cameras[-1])]
    return [to_uint8(p) for p in pictures]


def _smaller(sheet: np.ndarray) -> np.ndarray:
    """A sheet with cells of `CELL_PX`, small enough to commit."""
    scale = CELL_PX / SIZE_PX
    return np.asarray(cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _write_json(
    scores: list[list[ViewScore]],
    baseline: list[list[ViewScore]],
    against: list[list[ViewScore]],
    training: dict[str, Any],
) -> None:
    result = {
        "size_px": SIZE_PX,
        "heads": len(scores),
        "fit": "w only, 150 steps of Adam on one frontal view at 128 px; mesh and camera known",
        "training": {k: training[k] for k in ("hours", "step", "seed", "data")}
        | {"hours_before": training["distil"].get("start_hours", 0.0)},
        "views": {str(yaw): _means([s[k] for s in scores]) for k, yaw in enumerate(YAWS_DEG)},
        "average_head": {str(yaw): _means([s[k] for s in baseline]) for k, yaw in enumerate(YAWS_DEG)},
    }
    if against:
        result["against"] = {str(yaw): _means([s[k] for s in against]) for k, yaw in enumerate(YAWS_DEG)}
    with atomic_path(ROOT / "benchmarks" / "results" / "prior.json") as path:
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result["views"], indent=1))
    _fill_card(result)


def _fill_card(result: dict[str, Any]) -> None:
    """Put the figures between the card's marks."""
    card = ROOT / "docs" / "model_card.md"
    head, rest = card.read_text(encoding="utf-8").split(MARK_BEGIN)
    after = rest.split(MARK_END)[1]
    training = result["training"]
    before = training["hours_before"]
    more = f", after {before:.2f} hours of the version before" if before else ""
    lines = [
        f"Trained for {training['hours']:.2f} hours ({training['step']} steps) on two CPU cores, seed "
        f"{training['seed']}{more}. Means over "
        f"{result['heads']} held-out heads:",
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
