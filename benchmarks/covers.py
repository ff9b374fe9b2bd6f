"""Procedural people with a hand before the face, animated: does the hand stay, and what is behind it?

    python benchmarks/covers.py [--heads 8] [--pictures docs/media]

The truth is known: the same person with another expression, the hand where it was. Each photo becomes an
avatar twice, with the search for hands and without, as before there was one, and both open their mouths and
smile at the photo's pose. PSNR against the truth is of the pixels of the hand and of the rest of the face.
Hands of which the network is not sure stay paint on the face; how many it finds is counted. None of these
heads was in training. Writes results/covers.json and a contact sheet.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import cv2
import numpy as np
import torch
from PIL import Image

from mien.animation.drive import head_motion, make_puppet, photo_canvas, render_moving
from mien.animation.kinds import base
from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera
from mien.core.errors import NoFaceError
from mien.core.geometry import axis_angle_to_matrix
from mien.core.progress import progress
from mien.generator.model import load_generator
from mien.inversion.avatar import Avatar
from mien.io.images import read_photo
from mien.morphable.model import load_head_model
from mien.pipeline import create_avatar
from mien.training.covers.things import draw_hand, with_things
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.scene import Sitter, make_sitter, pose
from mien.training.procedural.render.spectacles import draw_glasses_part
from mien.training.procedural.render.view import render_view

HERE: Final = Path(__file__).parent
SIZE: Final = 448
SEED: Final = 4100
LEAST_HIDDEN: Final = 0.03
"""Share of the picture's head that the hand hides at least."""
SPEAKING: Final = {"jawOpen": 0.45, "mouthSmileLeft": 0.5, "mouthSmileRight": 0.5}
TURN_RAD: Final = 0.3
WALL: Final = np.array([0.55, 0.58, 0.6])


def main() -> None:
    """Render, invert, animate, compare, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--work", type=Path, default=HERE.parent / "build" / "benchmarks" / "covers")
    parser.add_argument("--pictures", type=Path, default=HERE.parent / "docs" / "media")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    rows, sheet = [], []
    for index in progress(range(options.heads), desc="people"):
        try:
            row, pictures = one_person(index, options.work)
        except NoFaceError:
            rows.append({"person": index, "found": False, "no_face": True})
            continue
        rows.append(row)
        sheet.append(np.concatenate(pictures, 1))
    found = [r for r in rows if r["found"]]
    names = ("hand_db", "face_db", "hand_db_before", "face_db_before", "slid_levels", "slid_levels_before")
    means = {n: round(float(np.mean([r[n] for r in found])), 2) for n in names} if found else {}
    result = {"heads": len(rows), "found": len(found), "means_of_those_found": means, "rows": rows}
    (HERE / "results" / "covers.json").write_text(json.dumps(result, indent=1) + "\n")
    width = 1500
    whole = np.concatenate(sheet[:4], 0)
    height = round(whole.shape[0] * width / whole.shape[1])
    small = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    Image.fromarray(small).save(options.pictures / "covers.jpg", quality=88)
    print(json.dumps({k: v for k, v in result.items() if k != "rows"}, indent=1))


def one_person(index: int, work: Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Figures, and: photo, what was found, speaking before and now, the truth, turned."""
    sitter, camera = held_sitter(index)
    photo, hand = picture(sitter, camera, {})
    truth, _ = picture(sitter, camera, SPEAKING)
    bare, _ = picture(replace(sitter, glasses=None), camera, SPEAKING)
    path = work / f"{index}.png"
    Image.fromarray(photo).save(path)
    avatar = create_avatar(read_photo(path))
    with patch.object(base, "cover_mask", lambda *_: None):
        plain = create_avatar(read_photo(path))
    rest, spoken, turned = shown(avatar)
    rest_before, spoken_before, _ = shown(plain)
    inner = cv2.erode(hand.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    face = (
        np.abs(bare.astype(int) - picture(replace(sitter, glasses=None), camera, {})[0]).max(2) > 6
    ) & ~hand
    mask = np.zeros(hand.shape) if avatar.cover is None else avatar.cover.mask.numpy() / 255
    row = {
        "person": index, "found": avatar.cover is not None,
        "overlap": round(float((hand & (mask > 0.5)).sum() / max((hand | (mask > 0.5)).sum(), 1)), 3),
        "hand_db": psnr(spoken, truth, inner), "hand_db_before": psnr(spoken_before, truth, inner),
        "face_db": psnr(spoken, truth, face), "face_db_before": psnr(spoken_before, truth, face),
        "slid_levels": moved(spoken, rest, inner),
        "slid_levels_before": moved(spoken_before, rest_before, inner),
    }  # fmt: skip
    tint = (1 - 0.6 * mask[..., None]) * photo + 0.6 * mask[..., None] * np.array([255, 0, 255])
    return row, [photo, tint.astype(np.uint8), spoken_before, spoken, truth, turned]


def held_sitter(index: int) -> tuple[Sitter, Camera]:
    """A person with a hand before the face, as a mesh that casts its shadow; and the photo's camera."""
    model, rng = load_head_model(), np.random.default_rng([SEED, index])
    sitter = make_sitter(model, replace(draw_person(model, rng), glasses=None))
    camera = Camera.orbit(float(rng.normal(0, 0.15)), float(rng.normal(0, 0.06)), radius=3.4)
    scene = pose(sitter, np.zeros(52, np.float32))
    marks = model.landmarks(torch.from_numpy(np.asarray(scene.body.vertices, np.float32))).numpy()
    uv = camera.project(torch.from_numpy(marks)).uv.numpy()
    hull = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull((uv * SIZE).astype(np.int32)), 1)
    while True:
        mesh = with_things(None, [draw_hand(rng, sitter.person, marks)])
        if (hull * seen_part(mesh, camera)).sum() > LEAST_HIDDEN * hull.sum():
            return replace(sitter, glasses=mesh), camera


def seen_part(mesh: Any, camera: Camera) -> np.ndarray:
    """Bool [SIZE, SIZE]: where a mesh lies in the picture, whatever is before it."""
    seen = np.zeros(SIZE * SIZE, bool)
    seen[draw_glasses_part(mesh, camera, SIZE, lenses=False).sample] = True
    return seen.reshape(SIZE, SIZE)


def picture(sitter: Sitter, camera: Camera, values: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [SIZE, SIZE, 3] before a wall, and bool [SIZE, SIZE]: where the hand is seen."""
    expression = np.zeros(52, np.float32)
    for name, value in values.items():
        expression[ARKIT_INDEX[name]] = value
    scene = pose(sitter, expression)
    view = render_view(scene, camera, SIZE)
    rgb = view.rgb + (1 - view.alpha[..., None]) * WALL
    hand = np.zeros((SIZE, SIZE), bool)
    if sitter.glasses is not None:
        hand = seen_part(sitter.glasses, camera) & view.off_body
    return (rgb.clip(0, 1) * 255 + 0.5).astype(np.uint8), hand


def shown(avatar: Avatar) -> list[np.ndarray]:
    """At rest, speaking, and speaking turned, in the photo's framing at its own size."""
    puppet, fit = make_puppet(avatar, load_generator()), avatar.fit
    canvas, spoken = photo_canvas(avatar), fit.expression.clone()
    for name, value in SPEAKING.items():
        spoken[ARKIT_INDEX[name]] += value
    turn = axis_angle_to_matrix(torch.tensor([0.0, TURN_RAD, 0.0])) @ fit.R_camera_head
    asked = ((fit.expression, fit.R_camera_head), (spoken, fit.R_camera_head), (spoken, turn))
    out = []
    with torch.no_grad():
        for expression, R in asked:
            frame = render_moving(puppet, canvas, expression, head_motion(puppet, R, torch.zeros(3)))
            out.append(cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_AREA))
    return out


def psnr(image: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    """In dB, of some pixels."""
    error = np.square(image.astype(float) - truth)[where].mean() if where.any() else 0.0
    return round(float(10 * np.log10(255**2 / max(error, 1e-3))), 2)


def moved(image: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    """Mean difference of some pixels, of 255 levels."""
    return round(float(np.abs(image.astype(float) - other)[where].mean()), 2) if where.any() else 0.0


if __name__ == "__main__":
    main()
