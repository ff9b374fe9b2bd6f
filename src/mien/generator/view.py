"""What a camera sees of a person, whichever generator the person comes from: picture, depth, normals."""

from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from mien.core.camera import Camera
from mien.io.mesh import Mesh

SOLID: Final = 0.5
"""Alpha from which on a pixel has a depth."""


@dataclass(frozen=True, eq=False)
class View:
    """A picture and, at their own size, its maps."""

    rgb: UInt8[np.ndarray, "height width 3"]
    depth: Float[Tensor, "height2 width2"]
    """Distance along the camera's z axis in EG3D units; 0 where nothing is seen."""
    normals: Float[Tensor, "height2 width2 3"]
    """Unit normals in axes x right, y up, z to the viewer; 0 where nothing is seen or at a depth's edge."""
    camera: Camera


@dataclass(frozen=True)
class MeshConfig:
    """How a person becomes a mesh."""

    resolution: int = 256
    """Samples along each side of EG3D's box; mien-base: texels of the hair along each side of the chart."""
    level: float = 10.0
    """EG3D: raw density on the surface, where light fades by softplus(level - 1) per EG3D unit."""
    largest_only: bool = True
    """EG3D: leave out everything but the connected part with most triangles in the middle of the box."""
    neutral: bool = False
    """Avatars: the face at rest instead of the photo's expression."""


@runtime_checkable
class Sitter(Protocol):
    """A person that a camera can go around."""

    def look(self, yaw_rad: float) -> View:
        """The person with the head at this yaw as it is seen: 0 is the front, positive looks to the right."""
        ...

    def mesh(self, config: MeshConfig | None = None) -> Mesh:
        """The person's surface, in the head's frame."""
        ...


def view_of(
    rgb: UInt8[np.ndarray, "height width 3"],
    distance: Float[Tensor, "height2 width2"],
    alpha: Float[Tensor, "height2 width2"],
    camera: Camera,
) -> View:
    """A view from the distances along a camera's rays."""
    seen = distance * (alpha > SOLID)
    return View(rgb, z_depth(seen, camera), viewer_normals(surface_normals(seen, camera), camera), camera)


def z_depth(distance: Float[Tensor, "height width"], camera: Camera) -> Float[Tensor, "height width"]:
    """Distances along the rays to distances along the camera's z axis."""
    return distance * (camera.rays(*distance.shape).directions @ camera.R_world_camera[:, 2])


def surface_normals(
    distance: Float[Tensor, "height width"], camera: Camera
) -> Float[Tensor, "height width 3"]:
    """Unit normals (world) of a map of distances along the rays; zero at edges and where nothing is seen."""
    rays = camera.rays(*distance.shape)
    points = rays.origins + rays.directions * distance[..., None]
    dx = points[1:-1, 2:] - points[1:-1, :-2]
    dy = points[:-2, 1:-1] - points[2:, 1:-1]
    normal = F.normalize(torch.linalg.cross(dx, dy), dim=-1)
    seen = distance > 0
    whole = seen[1:-1, 2:] & seen[1:-1, :-2] & seen[:-2, 1:-1] & seen[2:, 1:-1]
    out = torch.zeros(*distance.shape, 3)
    out[1:-1, 1:-1] = normal * whole[..., None]
    return out


def viewer_normals(
    normals: Float[Tensor, "height width 3"], camera: Camera
) -> Float[Tensor, "height width 3"]:
    """World axes to axes x right, y up, z to the viewer."""
    return normals @ (camera.R_world_camera * normals.new_tensor([1.0, -1.0, -1.0]))


def normal_colours(normals: Float[Tensor, "height width 3"]) -> Float[Tensor, "height width 3"]:
    """Normals as colours in [0, 1]: red right, green up, blue to the viewer; black where there is none."""
    return (normals + 1) / 2 * (normals.abs().sum(-1, keepdim=True) > 0)


def depth_grey(distance: Float[Tensor, "*batch"], seen: Bool[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Distances in [0, 1]: of what is seen the nearest is 1, the farthest 0.2; 0 where nothing is."""
    low, high = (float(distance[seen].quantile(q)) for q in (0.01, 0.99)) if seen.any() else (0.0, 1.0)
    return (1 - 0.8 * (distance - low) / max(high - low, 1e-6)).clamp(0, 1) * seen
