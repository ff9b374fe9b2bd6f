"""Rows of contact sheets of an EG3D generator, in the form of mien-base's."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.eg3d.person import Eg3dPerson, random_person
from mien.generator.samples import RENDER_PX, SHEET_YAWS_DEG, to_uint8
from mien.generator.view import normal_colours


def eg3d_rows(
    generator: Eg3dGenerator, count: int, *, truncation: float = 0.7, seed: int = 0
) -> Iterator[list[NDArray[np.uint8]]]:
    """A row for each random person; the k-th depends on the seed only, not on `count`."""
    for number in range(count):
        person = random_person(generator, seed, truncation=truncation, number=number, size_px=2 * RENDER_PX)
        yield person_row(person)


def person_row(person: Eg3dPerson, yaws_deg: Sequence[float] = SHEET_YAWS_DEG) -> list[NDArray[np.uint8]]:
    """Views from cameras at these yaws, then depth and normals from the front; of 2 * RENDER_PX a side."""
    views = {yaw: person.look(-math.radians(yaw)) for yaw in {*yaws_deg, 0.0}}
    front = views[0.0]
    maps = (depth_greys(front.depth), normal_colours(front.normals))
    return [views[yaw].rgb for yaw in yaws_deg] + [to_uint8(_enlarged(m)) for m in maps]


def depth_greys(depth: Float[Tensor, "height width"]) -> Float[Tensor, "height width 3"]:
    """Near is white, far is dark, nothing is black; over the range that is there."""
    seen = depth > 0
    if not seen.any():
        return torch.zeros(*depth.shape, 3)
    near, far = depth[seen].min(), depth[seen].max()
    shown = (1 - 0.9 * (depth - near) / (far - near).clamp(min=1e-6)) * seen
    return shown[..., None].expand(-1, -1, 3)


def _enlarged(image: Float[Tensor, "height width 3"]) -> Float[Tensor, "height2 width2 3"]:
    side = 2 * RENDER_PX
    return F.interpolate(image.permute(2, 0, 1)[None], (side, side), mode="nearest")[0].permute(1, 2, 0)
