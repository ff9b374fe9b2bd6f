"""The inside of the mouth, which a photo hardly ever shows: tongue and walls, darker the deeper they lie."""

from functools import lru_cache
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.arkit import ARKIT_INDEX
from mien.core.sphere import sphere_directions
from mien.generator.decoder import BODY_RGB
from mien.generator.model import Generator
from mien.generator.planes import Planes
from mien.inversion.hidden import Observations, face_points, logit
from mien.morphable.model import MorphableModel
from mien.morphable.raster import RayScene

OPEN: Final = 0.6
"""Jaw coefficient at which the light in the mouth is looked at."""
DIRECTIONS: Final = 192
LIFT: Final = 0.002
"""How far above a surface its light is gathered, EG3D units."""
DARKEST: Final = {"tongue": 0.25, "mouth": 0.12}
"""Share of its colour that a part keeps where no light comes in."""
BRIGHTEST: Final = 1.0
"""Share that it keeps at its front."""
SCATTER: Final = 0.6
"""Power of the share of the outside that is seen: light goes to and fro in a mouth."""


def mouth_guess(generator: Generator, planes: Planes, model: MorphableModel, weight: float) -> Observations:
    """Points of tongue and walls, each in the mean colour that the generator gives it, times the light that
    comes in through the open lips. Planes of one head."""
    points, targets = [], []
    for part in ("tongue", "mouth"):
        faces = model.part_faces(part)
        here = face_points(faces, model.canonical_corners)
        light = face_points(faces, openness(model)[model.faces][..., None], model.canonical_corners)
        colour = generator.decode(planes, here[None]).body_rgb[0].mean(0)
        points.append(here)
        targets.append(logit(colour * (DARKEST[part] + (BRIGHTEST - DARKEST[part]) * light**SCATTER)))
    all_points = torch.cat(points)
    return Observations(all_points, BODY_RGB, torch.cat(targets), torch.full((len(all_points),), weight))


@lru_cache(maxsize=2)
def openness(model: MorphableModel) -> Float[Tensor, " vertex"]:
    """Share in [0, 1] of the outside that a vertex of the mean head sees with its mouth open, relative to the
    tongue's brightest tenth; 0 for vertices outside of the mouth."""
    expression = torch.zeros(52)
    expression[ARKIT_INDEX["jawOpen"]] = OPEN
    vertices = model.vertices(torch.zeros(len(model.identity)), expression).numpy()
    directions = sphere_directions(DIRECTIONS)
    scene = RayScene(vertices, model.faces_np)
    light = np.zeros(len(vertices), np.float32)
    tongue = model.part_vertices("tongue").numpy()
    for vertex in np.union1d(tongue, model.part_vertices("mouth").numpy()):
        starts = vertices[vertex] + LIFT * directions
        light[vertex] = 1 - scene.cast(starts, directions).hit.mean()
    most = max(float(np.quantile(light[tongue], 0.9)), 1e-6)
    return torch.from_numpy(np.clip(light / most, 0, 1))
