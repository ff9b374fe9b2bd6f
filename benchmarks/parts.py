"""Parts of the way against heads whose truth is known: matting and fit.

    python benchmarks/parts.py [--heads N]

Procedural heads are drawn over the pictures that come with scikit-image. The alpha found is compared with the
true one, once as the network gives it and once after the matting; the fitted pose with the true camera's.
Heads on which no face is found are counted and left out. Writes results/parts.json.
"""

import argparse
import json
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
from mien.training.procedural.draws import draw_expression
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.scene import make_sitter, pose
from mien.training.procedural.render.view import render_view

ROOT: Final = Path(__file__).resolve().parent.parent
SIZE_PX: Final = 384
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
    torch.set_num_threads(1)
    model = load_head_model()
    result = measure_heads(model, options.heads)
    with atomic_path(options.results) as path:
        path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


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
    sitter = make_sitter(model, draw_person(model, rng))
    camera = Camera.orbit(float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.2, 0.2)))
    seen = render_view(pose(sitter, 0.5 * draw_expression(rng)), camera, SIZE_PX)
    truth = seen.alpha
    behind = background(BACKGROUNDS[index % len(BACKGROUNDS)])
    rgb = (np.clip(seen.rgb + (1 - truth[..., None]) * behind, 0, 1) * 255 + 0.5).astype(np.uint8)
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
