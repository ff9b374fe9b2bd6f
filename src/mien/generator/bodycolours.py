"""A table of one head's body colours over the chart, so that rendering need not run the decoder's network.

The body's skin is the outermost thing at most places of the chart, at one height. What is not (the inside
of the mouth, backs of ears) is not in the table and goes through the planes and the decoder as always.
"""

from functools import lru_cache
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32

from mien.core.nearest import flat_nearest
from mien.generator.decoder import BODY_RGB
from mien.generator.model import Generator
from mien.generator.planes import Planes, channels_last, sample_planes, sample_residual, wrap
from mien.morphable.carry import chart_grid
from mien.morphable.model import MorphableModel
from mien.morphable.raster import RayScene, interpolate_corners

SIZE: Final = 512
"""Texels of the table on each side."""
SAME: Final = 0.01
"""How far a point's height coordinate may be from the table's: less than a millimetre."""
OUTSIDE: Final = 2.0
"""A height coordinate from which all of the body is further in."""
CHUNK: Final = 32768


def tabulate_body(
    generator: Generator, planes: Planes, model: MorphableModel
) -> Float32[np.ndarray, "v u 4"]:
    """Logits of the body's colours and the height coordinate at which they hold, of the first head; with a
    column of the other end on each side."""
    height = _outermost(model)
    points = torch.cat([chart_grid(SIZE).reshape(-1, 2), height.reshape(-1, 1)], 1)
    with torch.no_grad():
        logits = torch.cat([_logits(generator, planes, part) for part in points.split(CHUNK)])
    image = torch.cat([logits, height.reshape(-1, 1)], 1).T.reshape(1, 4, SIZE, SIZE)
    return channels_last(wrap(image))


def _logits(
    generator: Generator, planes: Planes, points: Float[torch.Tensor, "point 3"]
) -> Float[torch.Tensor, "point 3"]:
    residual = None if planes.residual is None else sample_residual(planes, points[None])
    return generator.decoder.outputs(sample_planes(planes, points[None]), residual)[0, :, BODY_RGB]


@lru_cache(maxsize=2)
def _outermost(model: MorphableModel) -> Float[torch.Tensor, "v u"]:
    """Largest height coordinate of the body at the middles of texels; where there is none, of the nearest."""
    corners = model.canonical_corners
    beyond = corners[corners[..., 0].amax(1) > 1] - torch.tensor([2.0, 0.0, 0.0])
    places = torch.cat([corners, beyond]).numpy()
    scene = RayScene(places.reshape(-1, 3), np.arange(3 * len(places)).reshape(-1, 3).astype(np.int32))
    uv = chart_grid(SIZE).reshape(-1, 2).numpy()
    origins = np.column_stack([uv, np.full(len(uv), OUTSIDE)]).astype(np.float32)
    hits = scene.cast(origins, np.broadcast_to(np.array([0, 0, -1], np.float32), origins.shape))
    found = interpolate_corners(places, hits)[:, 2]
    return torch.from_numpy(found[flat_nearest(hits.hit.reshape(SIZE, SIZE))].astype(np.float32))
