"""Strips around the eyes of procedural heads with and without glasses, and what each pixel shows.

A file for each head that depends on the settings and its number only, written whole or not at all; an
interrupted build goes on where it was.
"""

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch

from mien.core.camera import Camera
from mien.morphable.eyecrop import cut_strip, eye_crop, seen_points
from mien.morphable.glasses import PARTS, glasses_geometry
from mien.morphable.landmarks import landmark_model
from mien.morphable.model import load_head_model
from mien.training.glasses.looks import draw_worn
from mien.training.perhead import build_per_head, read_per_head
from mien.training.procedural.draws import draw_expression
from mien.training.procedural.glasses import painted
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.scene import Scene, make_sitter, pose
from mien.training.procedural.render.spectacles import draw_glasses_part
from mien.training.procedural.render.view import ProceduralView, render_view
from mien.training.procedural.response import Response, draw_response
from mien.training.procedural.shards import as_bytes

BEYOND_PX: Final = 20
"""Pixels around the strip that are kept, so that a strip may be cut a little beside."""
FINER: Final = 2
"""Samples of the masks along each side of a pixel."""
RIM, ARM, LENS = 0, 1, 2
"""Channels of the masks."""


@dataclass(frozen=True)
class CropConfig:
    """What is rendered."""

    heads: int = 160
    expressions: int = 1
    views: int = 2
    """Of each expression."""
    worn: int = 2
    """Glasses tried on in each view, beside none."""
    size_px: int = 320
    """Side of the whole view."""
    seed: int = 0


Strips = dict[str, np.ndarray]
"""rgb uint8 [N, H, W, 3] (premultiplied), alpha uint8 [N, H, W], masks uint8 [N, H, W, 3] (`RIM`, `ARM`,
`LENS`), dark and worn uint8 [N]."""


def build_crops(folder: Path, config: CropConfig, *, workers: int = 1) -> None:
    """Render the set into a folder. Raises InputError if it holds a set with other settings."""
    build_per_head(
        folder, asdict(config), partial(draw_strips, config), workers=workers, desc="heads with glasses"
    )


def read_crops(folder: Path, heads: int) -> list[Strips]:
    """The first heads of a set. Raises InputError if there are none."""
    return read_per_head(folder, heads, what="strips of heads with glasses")


def draw_strips(config: CropConfig, index: int) -> Strips:
    """A head's strips: the same for the same settings and number."""
    model, rng = load_head_model(), np.random.default_rng([config.seed, index])
    person = replace(draw_person(model, rng), glasses=None)
    sitter, response = make_sitter(model, person), draw_response(rng, skin_luminance=person.skin_luminance)
    rows: list[dict[str, np.ndarray]] = []
    for _ in range(config.expressions):
        scene = pose(sitter, draw_expression(rng))
        bare = scene.shadows(person.light)
        for _ in range(config.views):
            yaw, pitch = np.clip(rng.normal(0, 0.4), -1.1, 1.1), np.clip(rng.normal(0, 0.15), -0.4, 0.4)
            camera = Camera.orbit(float(yaw), float(pitch))
            view = render_view(scene, camera, config.size_px, shadows=bare, response=response, rng=rng)
            nothing = np.zeros((config.size_px, config.size_px, 3), np.uint8)
            rows.append(_strip(scene, view, nothing) | {"dark": _flag(False), "worn": _flag(False)})
            rows += [_with_glasses(scene, view, rng, response, config.size_px) for _ in range(config.worn)]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _with_glasses(
    scene: Scene, bare: ProceduralView, rng: np.random.Generator, response: Response, size_px: int
) -> dict[str, np.ndarray]:
    sitter = scene.sitter
    marks = sitter.model.landmarks(torch.from_numpy(sitter.neutral)).numpy()
    worn = draw_worn(rng, marks)
    geometry = glasses_geometry(sitter.model, sitter.neutral, marks, worn.frame)
    mesh = painted(geometry, worn.look)
    dressed = replace(scene, sitter=replace(sitter, glasses=mesh))
    shadows = dressed.shadows(sitter.person.light)
    view = render_view(dressed, bare.camera, size_px, shadows=shadows, response=response, rng=rng)
    side = size_px * FINER
    before = np.where(bare.depth > 0, bare.depth, np.inf).repeat(FINER, 0).repeat(FINER, 1).ravel()
    masks = np.zeros((side * side, 3), np.uint8)
    for lenses in (True, False):
        at = draw_glasses_part(mesh, bare.camera, side, lenses=lenses).before(before)
        arm = geometry.part[at.face] == PARTS.index("arm")
        masks[at.sample] = 0
        masks[at.sample, np.where(arm, ARM, LENS if lenses else RIM)] = 255
    small = masks.reshape(size_px, FINER, size_px, FINER, 3).mean((1, 3)).round().astype(np.uint8)
    return _strip(scene, view, small) | {"dark": _flag(worn.dark), "worn": _flag(True)}


def _strip(scene: Scene, view: ProceduralView, masks: np.ndarray) -> dict[str, np.ndarray]:
    model, size = scene.sitter.model, len(view.alpha)
    points = model.landmarks(torch.from_numpy(np.asarray(scene.body.vertices, np.float32)))
    crop = eye_crop(seen_points(view.camera, points, (size, size)), landmark_model(model))
    alpha = np.repeat(as_bytes(view.alpha)[..., None], 3, 2)
    cut = [cut_strip(image, crop, beyond_px=BEYOND_PX) for image in (as_bytes(view.rgb), alpha, masks)]
    rgb, cover, parts = (np.rint(t.permute(1, 2, 0).numpy() * 255).astype(np.uint8) for t in cut)
    return {"rgb": rgb, "alpha": cover[..., 0], "masks": parts}


def _flag(value: bool) -> np.ndarray:
    return np.array(value, np.uint8)
