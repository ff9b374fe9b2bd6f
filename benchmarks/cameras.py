"""How well `mien align` finds EG3D's camera and crop, on heads whose cameras are known.

    python benchmarks/cameras.py [--heads N]

Procedural heads of random shape, look, hair and expression are drawn over pictures that come with
scikit-image: yaw -60 to 60, pitch -20 to 20, roll -30 to 30 degrees, from 0.5 to 2.6 m away, filling much or
little of the photo (faces of 46 to 192 of 384 pixels), anywhere in it. The truth is the head's rotation
against the line of sight to the face, as the crop's camera has it. Beside the whole way, its parts: the
tracker's own pose, and the fit without close-up. Writes results/cameras.json and docs/media/cameras.png.
"""

import argparse
import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import skimage.data
import torch

from mien.core.atomic import atomic_path
from mien.core.camera import Camera
from mien.core.errors import NoFaceError
from mien.core.progress import progress
from mien.core.viewpoint import ViewAngles
from mien.morphable.eg3d.crop import eg3d_region, five_points, standard_head
from mien.morphable.eg3d.estimate import OPENCV, align_face
from mien.morphable.fit import fit_face
from mien.morphable.model import MorphableModel, load_head_model
from mien.tracking.faces import FaceTracker, choose_face
from mien.training.procedural.draws import draw_expression
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.scene import make_sitter, pose
from mien.training.procedural.render.view import render_view

ROOT: Final = Path(__file__).resolve().parent.parent
SIZE_PX: Final = 384
SEED: Final = 7103
YAW_DEG, PITCH_DEG, ROLL_DEG = 60.0, 20.0, 30.0
DISTANCE: Final = (1.0, 5.0)
"""Of the camera from the face, head units."""
FACE_HEIGHT: Final = 0.30
"""Head units; what of the picture's side it takes:"""
SMALL, LARGE, SMALL_ODDS = (0.12, 0.25), (0.25, 0.5), 0.3
BACKGROUNDS: Final = ("coffee", "rocket", "chelsea")
WRONG_DEG: Final = 15.0
BINS_DEG: Final = np.arange(-60, 61, 20)
ANGLES: Final = ("yaw", "pitch", "roll")


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and its truth."""

    rgb: np.ndarray
    angles_deg: np.ndarray
    five_px: np.ndarray
    is_small: bool


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", type=int, default=200)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "cameras.json")
    parser.add_argument("--plot", type=Path, default=ROOT / "docs" / "media" / "cameras.png")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load_head_model()
    rows = []
    with FaceTracker() as tracker:
        for k in progress(range(options.heads), desc="heads"):
            scene = draw_scene(model, np.random.default_rng((SEED, k)), BACKGROUNDS[k % len(BACKGROUNDS)])
            rows.append(measure(scene, tracker, model))
    result = summary(rows)
    with atomic_path(options.results) as path:
        path.write_text(json.dumps(result, indent=1) + "\n")
    draw_plot([row for row in rows if row["error"] is not None], options.plot)
    print(json.dumps(result, indent=1))


def draw_scene(model: MorphableModel, rng: np.random.Generator, background: str) -> Scene:
    """A random head from a random camera."""
    limits = np.radians([YAW_DEG, PITCH_DEG, ROLL_DEG])
    angles = rng.uniform(-limits, limits)
    is_small = bool(rng.uniform() < SMALL_ODDS)
    share = rng.uniform(*(SMALL if is_small else LARGE))
    centre = rng.uniform(-1, 1, 2) * max(0.0, 0.5 - 0.75 * share)
    camera = scene_camera(model, angles, rng.uniform(*DISTANCE), share, centre)
    person, expression = draw_person(model, rng), draw_expression(rng)
    seen = render_view(pose(make_sitter(model, person), expression), camera, SIZE_PX)
    picture = getattr(skimage.data, background)()
    side = min(picture.shape[:2])
    behind = cv2.resize(picture[:side, :side], (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    behind = cv2.GaussianBlur(behind, (0, 0), 4)
    rgb = (seen.rgb * 255 + behind * (1 - seen.alpha[..., None]) + 0.5).clip(0, 255).astype(np.uint8)
    identity = torch.from_numpy(person.shape.identity).float()
    vertices = model.vertices(identity, torch.from_numpy(expression))
    points = camera.project(model.landmarks(vertices)).uv.double().numpy() * SIZE_PX
    return Scene(rgb, np.degrees(angles), five_points(points), is_small)


def scene_camera(
    model: MorphableModel, angles: np.ndarray, distance: float, share: float, centre: np.ndarray
) -> Camera:
    """The photo's camera: looks past the face, which appears off its middle by `centre` (picture sides)."""
    focal = share / FACE_HEIGHT * distance
    R_line_of_sight = ViewAngles(*(float(a) for a in angles)).rotation().numpy()
    sight = np.array([*(centre / focal), 1.0])
    R = R_line_of_sight @ rotation_to(sight / np.linalg.norm(sight)).T
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, standard_head(model).origin - distance * R_line_of_sight[:, 2]
    K = np.array([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]])
    return Camera(torch.from_numpy(T).float(), torch.from_numpy(K).float())


def rotation_to(direction: np.ndarray) -> np.ndarray:
    """The smallest rotation that takes the z axis to a unit vector."""
    x, y, z = direction
    K = np.array([[0, 0, x], [0, 0, y], [-x, -y, 0]])
    return np.eye(3) + K + K @ K / (1 + z)


def measure(scene: Scene, tracker: FaceTracker, model: MorphableModel) -> dict[str, Any]:
    """Errors of the whole way and of its parts (degrees), and of the crop; `error` is None without a face."""
    row: dict[str, Any] = {"truth": scene.angles_deg, "is_small": scene.is_small, "error": None}
    try:
        face = choose_face(tracker.detect(scene.rgb))
        alignment = align_face(scene.rgb, face, tracker, model=model)
    except NoFaceError:
        return row
    plain = fit_face(face, (SIZE_PX, SIZE_PX), model=model, rgb=scene.rgb).R_camera_head.double()
    found = {
        "error": alignment.angles,
        "tracker": ViewAngles.of(torch.from_numpy(face.R_camera_head).double().T @ OPENCV),
        "fit": ViewAngles.of(plain.T @ OPENCV),
    }
    for name, angles in found.items():
        degrees = np.degrees([angles.yaw_rad, angles.pitch_rad, angles.roll_rad])
        row[name] = (degrees - scene.angles_deg + 180) % 360 - 180
    true, crop = eg3d_region(scene.five_px, model), alignment.crop
    shift = math.hypot(crop.centre_x_px - true.centre_x_px, crop.centre_y_px - true.centre_y_px)
    return row | {"shift": shift / true.side_px, "scale": crop.side_px / true.side_px - 1}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All figures."""
    found = [row for row in rows if row["error"] is not None]
    error = np.array([row["error"] for row in found])
    yaw = np.array([row["truth"][0] for row in found])
    is_small = np.array([row["is_small"] for row in found])
    is_wrong = np.abs(error).max(1) > WRONG_DEG
    by_yaw = {
        f"{low} to {low + 20}": _by_angle(np.abs(error[(yaw >= low) & (yaw < low + 20)]).mean(0))
        for low in BINS_DEG[:-1]
    }
    pitch = np.array([row["truth"][1] for row in found])
    return {
        "heads": len(rows),
        "no_face": len(rows) - len(found),
        f"off_by_more_than_{WRONG_DEG:g}_deg": int(is_wrong.sum()),
        "mean_absolute_error_deg": _by_angle(np.abs(error).mean(0)),
        "median_absolute_error_deg": _by_angle(np.median(np.abs(error), axis=0)),
        "90th_percentile_deg": _by_angle(np.percentile(np.abs(error), 90, axis=0)),
        "mean_error_deg": _by_angle(error.mean(0)),
        "pitch_found_per_pitch": round(1 + float(np.polyfit(pitch[~is_wrong], error[~is_wrong, 1], 1)[0]), 3),
        "mean_absolute_error_deg_by_yaw": by_yaw,
        "mean_absolute_error_deg_small_faces": _by_angle(np.abs(error[is_small]).mean(0)),
        "mean_absolute_error_deg_of_parts": {
            name: _by_angle(np.abs(np.array([row[name] for row in found])).mean(0))
            for name in ("tracker", "fit")
        },
        "crop_centre_off_share_of_side": round(float(np.mean([row["shift"] for row in found])), 4),
        "crop_side_off_share": round(float(np.mean(np.abs([row["scale"] for row in found]))), 4),
    }


def _by_angle(values: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 2) for name, value in zip(ANGLES, values, strict=True)}


def draw_plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Errors against yaw: every head a dot, the mean absolute error of each 20 degrees a line."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    yaw, error = np.array([row["truth"][0] for row in rows]), np.array([row["error"] for row in rows])
    figure, panels = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True, layout="constrained")
    for k, (panel, name) in enumerate(zip(panels, ANGLES, strict=True)):
        panel.axhspan(-3, 3, color="0.92")
        panel.plot(yaw, error[:, k].clip(-15, 15), ".", color="tab:blue", markersize=3)
        means = [np.abs(error[(yaw >= low) & (yaw < high), k]).mean() for low, high in pairwise(BINS_DEG)]
        panel.stairs(means, BINS_DEG, color="tab:red", baseline=None, linewidth=1.5)
        panel.set(title=f"{name}: mean {np.abs(error[:, k]).mean():.1f}°", xlabel="true yaw (degrees)")
        panel.set(xlim=(-62, 62), ylim=(-15.5, 15.5), xticks=BINS_DEG)
    panels[0].set_ylabel("error (degrees)")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=90)
    plt.close(figure)


if __name__ == "__main__":
    main()
