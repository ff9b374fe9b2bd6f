"""Carrying points between the template head and a person's head, and along the neck.

Off the surface (hair, clothes) the identity's displacement is a smooth map over the chart: each texel
takes the mean displacement of the body vertices near its surface point, so it is linear in the identity.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from jaxtyping import Float
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional as F

from mien.core.geometry import matrix_to_axis_angle
from mien.morphable import chart
from mien.morphable.model import MorphableModel, neck_weight

MAP_SIZE = 64
NEIGHBOURS = 12
FIXED_POINT_STEPS = 2


def sample_chart(
    image: Float[Tensor, "channel height width"], uv: Float[Tensor, "*batch 2"]
) -> Float[Tensor, "*batch channel"]:
    """Bilinear lookup on a chart image; u wraps around, v is clamped. Texel centres at (i + 0.5) / size."""
    width = image.shape[-1]
    padded = torch.cat([image[..., -1:], image, image[..., :1]], -1)
    u = (torch.remainder(uv[..., 0] + 1, 2.0) - 1) * width / (width + 2)
    grid = torch.stack([u, uv[..., 1]], -1).reshape(1, 1, -1, 2)
    out = F.grid_sample(padded[None], grid, mode="bilinear", padding_mode="border", align_corners=False)
    return out[0, :, 0].T.reshape(*uv.shape[:-1], image.shape[0])


def chart_grid(size: int) -> Float[Tensor, "size size 2"]:
    """(u, v) of the texel centres; row 0 is v = -1."""
    g = (torch.arange(size) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(g, g, indexing="ij")
    return torch.stack([u, v], -1)


def surface_points(
    model: MorphableModel, uv: Float[Tensor, "*batch 2"], height: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch 3"]:
    """Canonical points at chart coordinates and height above the smooth body radius."""
    radius = sample_chart(model.body_radius[None], uv)[..., 0] + height
    angles = chart.unchart_uv(uv)
    return chart.uncapsule(torch.cat([angles, radius[..., None]], -1))


@lru_cache(maxsize=2)
def _neighbours(model: MorphableModel) -> tuple[Tensor, Tensor, Tensor]:
    body = model.part_vertices("body")
    body = body[model.exposure[body] > 0.1]
    uv = chart_grid(MAP_SIZE)
    uv[..., 1] = uv[..., 1].clamp(min=chart.V_BODY[0])
    points = surface_points(model, uv, torch.zeros(MAP_SIZE, MAP_SIZE)).reshape(-1, 3)
    distance, index = cKDTree(model.mean[body].numpy()).query(points.numpy(), k=NEIGHBOURS)
    weight = 1 / (torch.from_numpy(distance).float() + 0.01)
    return body, torch.from_numpy(index), weight / weight.sum(1, keepdim=True)


@dataclass(frozen=True, eq=False)
class Carrier:
    """Carries off-surface points of one person (identity only) to the template head and back."""

    model: MorphableModel
    displacement: Float[Tensor, "3 height width"]
    """Person minus template on the chart, EG3D units."""

    def to_canonical(self, xyz_head: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Head frame to template head (fixed point of x - D(c))."""
        canonical = xyz_head
        for _ in range(FIXED_POINT_STEPS):
            canonical = xyz_head - self._displace(canonical)
        return canonical

    def to_head(self, xyz_canonical: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Template head to head frame."""
        return xyz_canonical + self._displace(xyz_canonical)

    def to_planes(self, xyz_head: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Head frame to plane coordinates (u, v, height), each in [-1, 1] inside the planes."""
        return plane_coordinates(self.model, self.to_canonical(xyz_head))

    def _displace(self, canonical: Tensor) -> Tensor:
        return sample_chart(self.displacement, chart.chart_uv(chart.capsule(canonical)))


def plane_coordinates(
    model: MorphableModel, xyz_canonical: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3"]:
    """Template-head points to plane coordinates (u, v, height coordinate)."""
    cap = chart.capsule(xyz_canonical)
    uv = chart.chart_uv(cap)
    height = cap[..., 2] - sample_chart(model.body_radius[None], uv)[..., 0]
    return torch.cat([uv, chart.height_coordinate(height)[..., None]], -1)


def make_carrier(model: MorphableModel, identity_vertices: Float[Tensor, "vertex 3"]) -> Carrier:
    """Carrier of a person from the vertices of the neutral head."""
    body, index, weight = _neighbours(model)
    delta = (identity_vertices - model.mean)[body]
    image = (weight[..., None] * delta[index]).sum(1).reshape(MAP_SIZE, MAP_SIZE, 3).permute(2, 0, 1)
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0])
    kernel = (kernel[:, None] * kernel / 256).expand(3, 1, 5, 5)
    padded = F.pad(F.pad(image[None], (2, 2, 0, 0), mode="circular"), (0, 0, 2, 2), mode="replicate")
    return Carrier(model, F.conv2d(padded, kernel, groups=3)[0])


@dataclass(frozen=True, eq=False)
class HeadMotion:
    """Rigid motion of the head relative to the still chest, about the neck joint, blended along the neck."""

    R_chest_head: Float[Tensor, "3 3"]
    translation: Float[Tensor, "3"]
    joint: Float[Tensor, "3"]
    chin_y: float

    def apply(
        self, xyz_rest: Float[Tensor, "*batch 3"], weight: Float[Tensor, "*batch"] | None = None
    ) -> Float[Tensor, "*batch 3"]:
        """Rest pose to moved pose; `weight` is how far each point goes along (None: by its height)."""
        return _blend(xyz_rest, self._weight(xyz_rest) if weight is None else weight, self, inverse=False)

    def _weight(self, xyz_rest: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
        return neck_weight(xyz_rest[..., 1], self.chin_y)

    @cached_property
    def turn(self) -> tuple[Tensor, Tensor]:
        """Unit axis [3] and angle (rad) of the head's rotation."""
        vector = matrix_to_axis_angle(self.R_chest_head)
        angle = vector.norm()
        return vector / angle.clamp(min=1e-9), angle

    def invert(self, xyz_moved: Float[Tensor, "*batch 3"], steps: int = 6) -> Float[Tensor, "*batch 3"]:
        """Moved pose to rest pose, by fixed-point iteration on the blend weight."""
        rest = _blend(xyz_moved, self._weight(xyz_moved), self, inverse=True)
        for _ in range(steps):
            rest = _blend(xyz_moved, self._weight(rest), self, inverse=True)
        return rest

    def invert_rigid_first(
        self, xyz_moved: Float[Tensor, "*batch 3"], steps: int = 6
    ) -> Float[Tensor, "*batch 3"]:
        """`invert`, with the iteration only for what is not above the chin, where the head is rigid."""
        moved = xyz_moved.reshape(-1, 3)
        rest = (moved - (self.joint + self.translation)) @ self.R_chest_head + self.joint
        neck = torch.nonzero(rest[:, 1] < self.chin_y)[:, 0]
        rest[neck] = self.invert(moved[neck], steps)
        return rest.view(xyz_moved.shape)


def _blend(points: Tensor, weight: Tensor, motion: HeadMotion, *, inverse: bool) -> Tensor:
    """Rotate each point by its share of the motion (Rodrigues on vectors, about one axis)."""
    weight = weight[..., None]
    axis, angle = motion.turn
    local = points - motion.joint
    if inverse:
        local = local - weight * motion.translation
    turn = weight * (-angle if inverse else angle)
    cos, sin = torch.cos(turn), torch.sin(turn)
    turned = local * cos + torch.linalg.cross(axis.expand_as(local), local) * sin
    turned = turned + axis * (local @ axis)[..., None] * (1 - cos)
    return turned + motion.joint + (0 if inverse else weight * motion.translation)
