"""Named regions of the head model: which triangles are lips, eyes, brows, scalp, ears, teeth, mouth."""

import math
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mien.morphable import chart
from mien.morphable.landmarks import (
    BROW_LEFT,
    BROW_RIGHT,
    EYELIDS_LEFT,
    EYELIDS_RIGHT,
    LIPS_INNER,
    LIPS_OUTER,
)
from mien.morphable.model import MorphableModel

Region = Literal["lips", "eyes", "brows", "scalp", "ears", "mouth"]
REGIONS: Final[tuple[Region, ...]] = ("lips", "eyes", "brows", "scalp", "ears", "mouth")

HAIRLINE: Final = (
    (0.0, 0.125), (40.0, 0.115), (60.0, 0.07), (80.0, 0.045), (112.0, 0.03), (130.0, -0.13), (180.0, -0.16),
)  # fmt: skip
"""Average hairline: azimuth (degrees) and lowest height in the template head's frame (EG3D units)."""
EAR_AZIMUTH_DEG: Final = (78.0, 114.0)
EAR_HEIGHT: Final = (-0.14, 0.04)
EAR_BEYOND: Final = 0.008
"""How far an ear stands out from the side of the head, EG3D units."""


EAR_AROUND: Final = 0.02
FACE_AZIMUTH_DEG: Final = 105.0
FACE_HIGHEST: Final = 0.03
JAW_LINE: Final = ((0.0, -0.245), (40.0, -0.235), (70.0, -0.18), (105.0, -0.09))
"""Where a face ends below, with what lies under the jaw: azimuth (degrees) and height as in `HAIRLINE`."""


@lru_cache(maxsize=2)
def region_faces(model: MorphableModel) -> dict[Region, Bool[Tensor, " face"]]:
    """The triangles of every region, on the template head. Regions do not overlap; skin is in none."""
    body = model.part_faces("body")
    uv = model.canonical_corners[..., :2].mean(1)
    eyes = model.part_faces("eye_left", "eye_right")
    for lids in (EYELIDS_LEFT, EYELIDS_RIGHT):
        eyes |= body & inside_polygon(uv, landmark_uv(model, lids))
    mouth = model.part_faces("tongue", "mouth")
    mouth |= body & inside_polygon(uv, landmark_uv(model, LIPS_INNER))
    lips = body & inside_polygon(uv, landmark_uv(model, LIPS_OUTER)) & ~mouth
    brows = torch.zeros_like(body)
    for brow in (BROW_LEFT, BROW_RIGHT):
        brows |= body & inside_polygon(uv, landmark_uv(model, brow))
    ears = body & _ears(model)
    scalp = body & on_scalp(uv) & ~ears
    return {
        "lips": lips, "eyes": eyes, "brows": brows & ~eyes, "scalp": scalp, "ears": ears, "mouth": mouth,
    }  # fmt: skip


def landmark_uv(model: MorphableModel, index: tuple[int, ...]) -> Float[Tensor, "point 2"]:
    """Plane coordinates of MediaPipe points on the template head."""
    points = torch.tensor(index)
    corners = model.canonical_corners[model.landmark_faces[points]][..., :2]
    return (model.landmark_barycentric[points][..., None] * corners).sum(1)


def inside_polygon(
    points: Float[Tensor, "point 2"], polygon: Float[Tensor, "corner 2"]
) -> Bool[Tensor, " point"]:
    """Whether points lie inside a closed polygon: a ray to the right crosses it an odd number of times."""
    start, end = polygon, polygon.roll(-1, 0)
    x, y = points[:, None].unbind(-1)
    spans = (start[:, 1] > y) != (end[:, 1] > y)
    rise = end[:, 1] - start[:, 1]
    rise = torch.where(rise == 0, torch.ones_like(rise), rise)
    crossing = start[:, 0] + (y - start[:, 1]) / rise * (end[:, 0] - start[:, 0])
    return ((spans & (x < crossing)).sum(1) % 2) == 1


def azimuth_and_height(
    uv: Float[Tensor, "*batch 2"],
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Of plane coordinates on the body: degrees from the front, whichever the side, and height in the
    template head's frame, EG3D units, which above the middle of the skull is counted along the arc."""
    body = torch.stack([uv[..., 0], uv[..., 1].clamp(min=chart.V_BODY[0])], -1)
    theta, arc = chart.unchart_uv(body).unbind(-1)
    azimuth = torch.rad2deg(torch.remainder(theta + math.pi, 2 * math.pi) - math.pi).abs()
    return azimuth, arc + chart.CENTRE_Y


def on_scalp(uv: Float[Tensor, "*batch 2"]) -> Bool[Tensor, "*batch"]:
    """Whether plane coordinates of the body lie above an average hairline."""
    azimuth, height = azimuth_and_height(uv)
    return (uv[..., 1] > chart.V_BODY[0]) & (height > _line_at(HAIRLINE, azimuth))


def on_face(uv: Float[Tensor, "*batch 2"]) -> Bool[Tensor, "*batch"]:
    """Whether plane coordinates of the body lie on cheeks, jaw and upper throat, before the ears."""
    azimuth, height = azimuth_and_height(uv)
    before = azimuth < torch.where(height > EAR_HEIGHT[0], EAR_AZIMUTH_DEG[0], FACE_AZIMUTH_DEG)
    below = (height < FACE_HIGHEST) & (uv[..., 1] > chart.V_BODY[0])
    return below & before & (height > _line_at(JAW_LINE, azimuth))


def near_ears(uv: Float[Tensor, "*batch 2"]) -> Bool[Tensor, "*batch"]:
    """Whether plane coordinates lie on an ear, or where one that sticks out further is seen."""
    azimuth, height = azimuth_and_height(uv)
    low, high = EAR_AZIMUTH_DEG
    level = (height > EAR_HEIGHT[0] - EAR_AROUND) & (height < EAR_HEIGHT[1] + EAR_AROUND)
    return level & (azimuth > low - 5) & (azimuth < high + 25) & (uv[..., 1] > chart.V_BODY[0])


def _line_at(
    line: tuple[tuple[float, float], ...], azimuth: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    """Height of a line over the azimuth, straight between its points."""
    out = torch.full_like(azimuth, line[0][1])
    for (low, y_low), (high, y_high) in pairwise(line):
        share = ((azimuth - low) / (high - low)).clamp(0, 1)
        out = torch.where(azimuth >= low, y_low + share * (y_high - y_low), out)
    return out


def _ears(model: MorphableModel) -> Bool[Tensor, " face"]:
    """What stands out from the side of the head at the height of the ears."""
    centre = model.mean[model.faces].mean(1)
    theta, _, radius = chart.capsule(centre).unbind(-1)
    azimuth = torch.rad2deg(theta).abs()
    level = (centre[:, 1] > EAR_HEIGHT[0]) & (centre[:, 1] < EAR_HEIGHT[1])
    low, high = EAR_AZIMUTH_DEG
    before = level & (azimuth > low - 14) & (azimuth < low - 4)
    head = radius[before].median()
    return level & (azimuth > low) & (azimuth < high) & (radius > head + EAR_BEYOND)
