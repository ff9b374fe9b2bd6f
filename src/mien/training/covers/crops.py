"""Squares around procedural faces with and without things before them, and which pixels show those.

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
from mien.morphable.covercrop import COVER_PX, cover_crop
from mien.morphable.eyecrop import seen_points
from mien.morphable.facecrop import FaceCrop, cut_crop
from mien.morphable.glasses import glasses_geometry
from mien.morphable.landmarks import landmark_model
from mien.morphable.model import load_head_model
from mien.training.covers.things import draw_things, with_things
from mien.training.glasses.looks import draw_worn
from mien.training.perhead import build_per_head, read_per_head
from mien.training.procedural.draws import draw_expression
from mien.training.procedural.glasses import GlassesMesh, painted
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.scene import Scene, Sitter, make_sitter, pose
from mien.training.procedural.render.spectacles import draw_glasses_part
from mien.training.procedural.render.view import ProceduralView, render_view
from mien.training.procedural.response import Response, draw_response
from mien.training.procedural.shards import as_bytes

BEYOND_PX: Final = 20
"""Pixels around the square that are kept, so that it may be cut a little beside."""
FINER: Final = 2
"""Samples of the mask along each side of a pixel."""
AWAY: Final = 3.5
"""The camera's distance, EG3D units: all of the square is in the picture."""


@dataclass(frozen=True)
class CoverCropConfig:
    """What is rendered."""

    heads: int = 160
    views: int = 2
    covered: int = 3
    """Pictures of each view with things before the face, beside one without."""
    glasses: float = 0.35
    """Share of heads that wear glasses, of any kind, half of them dark."""
    size_px: int = 320
    """Side of the whole view."""
    seed: int = 0


Squares = dict[str, np.ndarray]
"""rgb uint8 [N, S, S, 3] (premultiplied), alpha and cover uint8 [N, S, S]."""


def build_squares(folder: Path, config: CoverCropConfig, *, workers: int = 1) -> None:
    """Render the set into a folder. Raises InputError if it holds a set with other settings."""
    build_per_head(
        folder, asdict(config), partial(draw_squares, config), workers=workers, desc="covered heads"
    )


def read_squares(folder: Path, heads: int) -> list[Squares]:
    """The first heads of a set. Raises InputError if there are none."""
    return read_per_head(folder, heads, what="squares of covered heads")


def draw_squares(config: CoverCropConfig, index: int) -> Squares:
    """A head's squares: the same for the same settings and number."""
    model, rng = load_head_model(), np.random.default_rng([config.seed, index, 77])
    person = replace(draw_person(model, rng), glasses=None)
    sitter, response = make_sitter(model, person), draw_response(rng, skin_luminance=person.skin_luminance)
    if rng.uniform() < config.glasses:
        sitter = replace(sitter, glasses=_any_glasses(rng, sitter))
    rows: list[dict[str, np.ndarray]] = []
    for _ in range(config.views):
        scene = pose(sitter, draw_expression(rng))
        yaw, pitch = np.clip(rng.normal(0, 0.35), -0.9, 0.9), np.clip(rng.normal(0, 0.15), -0.4, 0.4)
        camera = Camera.orbit(float(yaw), float(pitch), radius=AWAY)
        shadows = scene.shadows(person.light)
        bare = render_view(scene, camera, config.size_px, shadows=shadows, response=response, rng=rng)
        rows.append(_square(scene, bare, np.zeros((config.size_px, config.size_px), np.uint8)))
        rows += [_covered(scene, bare, rng, response, config.size_px) for _ in range(config.covered)]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _any_glasses(rng: np.random.Generator, sitter: Sitter) -> GlassesMesh:
    """Of any kind; half of them hide the eyes."""
    marks = sitter.model.landmarks(torch.from_numpy(sitter.neutral)).numpy()
    dark = bool(rng.uniform() < 0.5)
    worn = draw_worn(rng, marks)
    while worn.dark != dark:
        worn = draw_worn(rng, marks)
    return painted(glasses_geometry(sitter.model, sitter.neutral, marks, worn.frame), worn.look)


def _covered(
    scene: Scene, bare: ProceduralView, rng: np.random.Generator, response: Response, size_px: int
) -> dict[str, np.ndarray]:
    sitter = scene.sitter
    body = torch.from_numpy(np.asarray(scene.body.vertices, np.float32))
    things = draw_things(rng, sitter.person, sitter.model.landmarks(body).numpy())
    mesh = with_things(sitter.glasses, things)
    dressed = replace(scene, sitter=replace(sitter, glasses=mesh))
    shadows = dressed.shadows(sitter.person.light)
    view = render_view(dressed, bare.camera, size_px, shadows=shadows, response=response, rng=rng)
    side = size_px * FINER
    before = np.where(bare.depth > 0, bare.depth, np.inf).repeat(FINER, 0).repeat(FINER, 1).ravel()
    shown = draw_glasses_part(with_things(None, things), bare.camera, side, lenses=False).before(before)
    cover = np.zeros(side * side, np.uint8)
    cover[shown.sample] = 255
    small = cover.reshape(size_px, FINER, size_px, FINER).mean((1, 3)).round().astype(np.uint8)
    return _square(scene, view, small)


def _square(scene: Scene, view: ProceduralView, cover: np.ndarray) -> dict[str, np.ndarray]:
    model, size = scene.sitter.model, len(view.alpha)
    points = model.landmarks(torch.from_numpy(np.asarray(scene.body.vertices, np.float32)))
    crop = cover_crop(seen_points(view.camera, points, (size, size)), landmark_model(model))
    wide = COVER_PX + 2 * BEYOND_PX
    larger = FaceCrop(crop.centre_px, crop.side_px * (wide / COVER_PX), crop.roll_rad)
    others = np.stack([as_bytes(view.alpha), cover, cover], 2)
    cut = [cut_crop(image, larger, wide)[0] for image in (as_bytes(view.rgb), others)]
    rgb, rest = (np.rint(t.permute(1, 2, 0).numpy() * 255).astype(np.uint8) for t in cut)
    return {"rgb": rgb, "alpha": rest[..., 0], "cover": rest[..., 1]}
