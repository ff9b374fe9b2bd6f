"""Contact sheets of procedural heads, to look at."""

from collections.abc import Sequence

import numpy as np

from mien.core.camera import Camera
from mien.morphable.model import MorphableModel
from mien.training.procedural.draws import draw_camera, draw_expression
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.scene import make_sitter, pose
from mien.training.procedural.render.view import ProceduralView, render_view
from mien.training.procedural.response import draw_response


def over_backdrop(view: ProceduralView, rng: np.random.Generator) -> np.ndarray:
    """The picture float32 [S, S, 3] before a plain wall of a random colour with a soft fall-off."""
    size = view.alpha.shape[0]
    y, x = np.mgrid[:size, :size] / size - 0.5
    fall = 1 - rng.uniform(0.1, 0.5) * np.hypot(x - rng.uniform(-0.3, 0.3), y - rng.uniform(-0.3, 0.3))
    colour = np.clip(rng.uniform(0.12, 0.75) * (1 + rng.normal(0, 0.08, 3)), 0, 1)
    return np.asarray(np.clip(view.rgb + (1 - view.alpha[..., None]) * colour * fall[..., None], 0, 1))


def tiled(pictures: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Pictures [H, W, 3] side by side in rows, uint8."""
    rows = [np.concatenate(pictures[i : i + columns], 1) for i in range(0, len(pictures), columns)]
    return (np.concatenate(rows, 0) * 255 + 0.5).astype(np.uint8)


def contact_sheet(
    model: MorphableModel, *, rows: int, columns: int, size_px: int, seed: int, frontal: bool = False
) -> np.ndarray:
    """rows x columns different people, uint8 [rows * size, columns * size, 3]; each with an own random
    expression, camera (unless frontal), light and camera response."""
    pictures = []
    for k in range(rows * columns):
        rng = np.random.default_rng([seed, k])
        person = draw_person(model, rng)
        scene = pose(make_sitter(model, person), draw_expression(rng))
        camera = Camera.orbit(0.0, 0.0) if frontal else draw_camera(rng)
        response = draw_response(rng, skin_luminance=person.skin_luminance)
        view = render_view(scene, camera, size_px, response=response, rng=rng)
        pictures.append(over_backdrop(view, rng))
    return tiled(pictures, columns)
