"""MediaPipe's 478 face points by name, and the head model restricted to them, for fast fits."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mien.core.geometry import axis_angle_to_matrix
from mien.morphable.model import PARTS, MorphableModel

# fmt: off
LIPS_OUTER: Final = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185,
)
LIPS_INNER: Final = (
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191,
)
EYELIDS_RIGHT: Final = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
EYELIDS_LEFT: Final = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
BROW_RIGHT: Final = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
BROW_LEFT: Final = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
FACE_OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
"""Closed outline of the face: from the top of the forehead over the left cheek to the chin and back."""
IRISES: Final = tuple(range(468, 478))
OPENINGS: Final = (
    (13, 14), (82, 87), (81, 178), (80, 88), (191, 95), (312, 317), (311, 402), (310, 318), (415, 324),
    (159, 145), (158, 153), (160, 144), (157, 154), (161, 163), (173, 155), (246, 7),
    (386, 374), (385, 380), (387, 373), (384, 381), (388, 390), (398, 382), (466, 249),
)
"""Pairs of points across the gap between the lips and between the lids: (upper, lower)."""
# fmt: on


@dataclass(frozen=True, eq=False)
class LandmarkModel:
    """MediaPipe's points as linear functions of the coefficients; those on the eyeballs turn besides."""

    mean: Float[Tensor, "478 3"]
    identity: Float[Tensor, "component 478 3"]
    expression: Float[Tensor, "52 478 3"]
    normal: Float[Tensor, "478 3"]
    """Unit normal on the mean head."""
    spread: Float[Tensor, "478"]
    """Uncertainty of the correspondence, EG3D units."""
    iris: Int[Tensor, "2 iris"]
    """Points on the left and the right eyeball."""
    eye_mean: Float[Tensor, "2 3"]
    eye_identity: Float[Tensor, "component 2 3"]
    eye_rotation: Float[Tensor, "2 52 3"]

    def points(
        self, identity: Float[Tensor, "*batch component"], expression: Float[Tensor, "*batch 52"]
    ) -> Float[Tensor, "*batch 478 3"]:
        """The points in the head frame: `MorphableModel.landmarks` of its vertices."""
        xyz = self.mean + torch.tensordot(identity, self.identity, 1)
        centre = (self.eye_mean + torch.tensordot(identity, self.eye_identity, 1))[..., None, :]
        R = axis_angle_to_matrix(torch.tensordot(expression, self.eye_rotation.movedim(1, 0), 1))
        turned = (xyz[..., self.iris, :] - centre) @ R.transpose(-1, -2) + centre
        xyz = xyz + torch.tensordot(expression, self.expression, 1)
        return xyz.index_copy(-2, self.iris.flatten(), turned.flatten(-3, -2))


@lru_cache(maxsize=2)
def landmark_model(model: MorphableModel) -> LandmarkModel:
    """The restriction of `model` to the landmarks, in double precision; computed once per model."""
    corners = model.faces[model.landmark_faces]
    weights = model.landmark_barycentric.double()[..., None]

    def at(values: Float[Tensor, "*batch vertex 3"]) -> Float[Tensor, "*batch 478 3"]:
        return (values[..., corners, :].double() * weights).sum(-2)

    sides = (PARTS.index("eye_left"), PARTS.index("eye_right"))
    part = model.part_of_face[model.landmark_faces]
    extremes = torch.stack([_extreme_vertices(model.mean, index) for index in model.eyeball_vertices])
    return LandmarkModel(
        mean=at(model.mean),
        identity=at(model.identity),
        expression=at(model.expression),
        normal=torch.nn.functional.normalize(at(_normals(model.mean, model.faces)), dim=-1),
        spread=model.landmark_residual.double(),
        iris=torch.stack([torch.nonzero(part == side)[:, 0] for side in sides]),
        eye_mean=_box_centres(model.mean, extremes),
        eye_identity=_box_centres(model.identity, extremes),
        eye_rotation=model.eye_rotation.double(),
    )


def _normals(vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"]) -> Float[Tensor, "vertex 3"]:
    a, b, c = vertices[faces].unbind(1)
    flat = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices).index_add(0, faces.flatten(), flat.repeat_interleave(3, 0))
    return torch.nn.functional.normalize(total, dim=-1)


def _extreme_vertices(vertices: Float[Tensor, "vertex 3"], index: Int[Tensor, " n"]) -> Int[Tensor, "2 3"]:
    """Vertices of a part that reach its bounding box: their coordinates' mean is the part's centre."""
    part = vertices[index]
    return index[torch.stack([part.argmin(0), part.argmax(0)])]


def _box_centres(
    values: Float[Tensor, "*batch vertex 3"], extremes: Int[Tensor, "2 2 3"]
) -> Float[Tensor, "*batch 2 3"]:
    """Middle of each eyeball's bounding box, from the vertices (eye, low or high, axis) that touch it."""
    return values[..., extremes, :].diagonal(dim1=-2, dim2=-1).mean(-2).double()
