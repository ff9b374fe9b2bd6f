"""Parts of the way against heads whose truth is known: matting, fit, and the speed of the head renderer.

    python benchmarks/parts.py [--heads N]

Procedural heads are drawn over the pictures that come with scikit-image. The alpha found is compared with the
true one, once as the network gives it and once after the matting; the fitted pose with the true camera's.
Heads on which no face is found are counted and left out. Writes results/parts.json.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import skimage.data
import torch
from PIL import Image

from mien.core.atomic import atomic_path
from mien.core.camera import Camera
from mien.core.errors import NoFaceError
from mien.core.geometry import geodesic_angle
from mien.core.progress import progress
from mien.morphable.fit import fit_face
from mien.morphable.model import MorphableModel, load_head_model
from mien.tracking._person import person_probability
from mien.tracking.faces import choose_face, find_faces
from mien.tracking.matting import foreground_alpha
from mien.training.heads import random_expression, random_head, render_head, render_rgba

ROOT: Final = Path(__file__).resolve().parent.parent
SIZE_PX: Final = 384
SPEED_PX: Final = 128
SPEED_HEADS, SPEED_VIEWS = 4, 10
BACKGROUNDS: Final = ("coffee", "rocket", "chelsea", "brick", "grass")
SEED: Final = 7001
EDGE_PX: Final = 12
"""Pixels nearer than this to the true outline are the band in which matting has something to do."""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", type=int, default=30)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "parts.json")
    options = parser.parse_args()
    model = load_head_model()
    result = {"renderer": renderer_speed(model), **measure_heads(model, options.heads)}
    with atomic_path(options.results) as path:
        path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def renderer_speed(model: MorphableModel) -> dict[str, float]:
    """Images per second of processor time on one core; drawing a person is spread over her views."""
    torch.set_num_threads(1)
    warm = random_head(model, np.random.default_rng(SEED))
    render_head(model, warm, np.zeros(52, np.float32), Camera.orbit(0.0, 0.0), SPEED_PX)
    draw_s = view_s = 0.0
    for k in range(SPEED_HEADS):
        rng = np.random.default_rng([SEED, k])
        start = time.process_time()
        head = random_head(model, rng)
        draw_s += time.process_time() - start
        start = time.process_time()
        for _ in range(SPEED_VIEWS):
            camera = Camera.orbit(float(rng.normal(0, 0.5)), 0.0)
            render_head(model, head, random_expression(rng), camera, SPEED_PX)
        view_s += time.process_time() - start
    views = SPEED_HEADS * SPEED_VIEWS
    return {
        "size_px": SPEED_PX,
        "views_per_s_and_core": round(views / view_s, 2),
        "seconds_to_draw_a_person": round(draw_s / SPEED_HEADS, 3),
        "images_per_s_and_core_with_10_views_each": round(views / (view_s + draw_s), 2),
    }


def measure_heads(model: MorphableModel, count: int) -> dict[str, Any]:
    """Matting and fit on random heads over pictures."""
    scores: list[dict[str, float]] = []
    not_found = 0
    for k in progress(range(count), desc="heads", total=count):
        try:
            scores.append(measure_head(model, k))
        except NoFaceError:
            not_found += 1
    names = scores[0].keys() if scores else ()
    means = {name: round(float(np.mean([s[name] for s in scores])), 4) for name in names}
    return {"heads": count, "no_face_found": not_found, "size_px": SIZE_PX, "means": means}


def measure_head(model: MorphableModel, index: int) -> dict[str, float]:
    """One head: errors of the network's alpha, of the matting's, and of the fitted rotation."""
    rng = np.random.default_rng([SEED, 100 + index])
    head, camera = (
        random_head(model, rng),
        Camera.orbit(float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.2, 0.2))),
    )
    rgba = render_rgba(model, head, 0.5 * random_expression(rng), camera, SIZE_PX)
    truth = rgba[..., 3]
    behind = background(BACKGROUNDS[index % len(BACKGROUNDS)])
    rgb = (np.clip(rgba[..., :3] + (1 - truth[..., None]) * behind, 0, 1) * 255 + 0.5).astype(np.uint8)
    face = choose_face(find_faces(rgb), "largest")
    low, high = face.landmarks_px.min(0), face.landmarks_px.max(0)
    centre = (float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2)
    network = person_probability(rgb, center_px=centre, face_px=float((high - low).max()))
    alpha = foreground_alpha(rgb, face)
    fit = fit_face(face, (SIZE_PX, SIZE_PX), model=model, rgb=rgb)
    R_true = torch.from_numpy(np.diag([1.0, -1.0, -1.0]).astype(np.float32)) @ camera.T_world_camera[:3, :3].T
    angle = geodesic_angle(fit.R_camera_head, R_true)
    return {
        **{f"network_{n}": v for n, v in alpha_errors(network, truth).items()},
        **{f"matting_{n}": v for n, v in alpha_errors(alpha, truth).items()},
        "fit_rotation_error_deg": float(torch.rad2deg(angle)),
    }


def alpha_errors(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Mean absolute error everywhere and near the true outline, and IoU at one half."""
    inside = truth > 0.5
    edge = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5) < EDGE_PX
    edge &= cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5) < EDGE_PX
    error = np.abs(found - truth)
    overlap = ((found > 0.5) & inside).sum() / max(((found > 0.5) | inside).sum(), 1)
    return {"error": float(error.mean()), "error_at_edge": float(error[edge].mean()), "iou": float(overlap)}


def background(name: str) -> np.ndarray:
    """One of scikit-image's pictures, cropped square, float32 [SIZE_PX, SIZE_PX, 3]."""
    picture = np.asarray(getattr(skimage.data, name)())
    picture = np.repeat(picture[..., None], 3, -1) if picture.ndim == 2 else picture[..., :3]
    side = min(picture.shape[:2])
    square = Image.fromarray(np.ascontiguousarray(picture[:side, :side])).resize((SIZE_PX, SIZE_PX))
    return np.asarray(square, np.float32) / 255


if __name__ == "__main__":
    main()
