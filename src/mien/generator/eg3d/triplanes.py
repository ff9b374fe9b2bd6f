"""Looking up EG3D's three planes through the head box.

A point is projected on each plane along an axis; the features of the three are averaged. Published weights
were trained with the planes (x, y), (x, z) and (z, x), so that y and z are never seen together; that is kept
for them and called "official". "corrected" has (x, y), (x, z) and (z, y), for new training.
"""

from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

PlaneAxes = Literal["official", "corrected"]
X, Y, Z = 0, 1, 2
COORDINATES: Final[dict[PlaneAxes, tuple[tuple[int, int], ...]]] = {
    "official": ((X, Y), (X, Z), (Z, X)),
    "corrected": ((X, Y), (X, Z), (Z, Y)),
}
"""Coordinates along the columns and along the rows of each plane."""


def project_points(
    points: Float[Tensor, "batch point 3"], axes: PlaneAxes
) -> Float[Tensor, "3 batch point 2"]:
    """Places (column, row) of points on the three planes, in the points' units."""
    return torch.stack([points[..., list(pair)] for pair in COORDINATES[axes]])


def sample_triplanes(
    planes: Float[Tensor, "batch 3 channel y x"],
    points: Float[Tensor, "batch point 3"],
    *,
    box_side: float,
    axes: PlaneAxes,
) -> Float[Tensor, "batch point channel"]:
    """Mean bilinear features at world points; nothing (0) outside the box of side `box_side`."""
    places = project_points(points * (2 / box_side), axes)
    features = torch.zeros((), dtype=planes.dtype, device=planes.device)
    for plane, place in zip(planes.unbind(1), places, strict=True):
        found = F.grid_sample(
            plane, place[:, None].to(plane.dtype), mode="bilinear", padding_mode="zeros", align_corners=False
        )
        features = features + found[:, :, 0]
    return (features / len(places)).transpose(1, 2)


def axes_of_matrices(matrices: Float[Tensor, "3 3 3"]) -> PlaneAxes | None:
    """The name of plane axes given as three matrices (rows: column axis, row axis, axis projected along).

    Pre-release checkpoints hold them so. None if they are neither of the two that are known.
    """
    for name, pairs in COORDINATES.items():
        expected = torch.eye(3)[torch.tensor(pairs)]
        if torch.equal(matrices[:, :2].float().cpu(), expected):
            return name
    return None
