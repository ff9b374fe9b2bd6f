"""The canonical chart: where a point of the template head is looked up in the planes.

A head is nearly a capsule: a vertical axis through the skull's middle, rounded at the crown. The chart
unrolls it. `u` is the azimuth around the axis (0 = nose, wraps at the back), `v` the arc length from
the chest up to the crown, and the third coordinate the height above a smooth body radius. Front and
back never share a texel, which is what spoils x-y planes of a head (SphereHead, Li et al. 2024).
Both axes are stretched so that the face gets more texels than the back and the chest.
"""

import math
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

AXIS_Z: Final = -0.07  # the capsule's axis, head frame, EG3D units
CENTRE_Y: Final = 0.05  # below: cylinder; above: sphere
ARC_RADIUS: Final = 0.2  # radius that turns elevation into arc length
S_MIN: Final = -0.63  # lowest arc length covered (0.58 below the eyes)
S_MAX: Final = ARC_RADIUS * math.pi / 2
V_BODY: Final = (-0.76, 1.0)  # rows of the body; below lie the islands (eyes, teeth, tongue, mouth)
AZIMUTH_STRETCH: Final = 0.5
FACE_S, FACE_WIDTH, FACE_GAIN = -0.07, 0.13, 1.6
HEIGHT_RANGE: Final = (-0.12, 0.28)  # height above the smooth body radius that the planes cover


def _primitive(s: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Integral of the texel density 1 + gain * exp(-(s - s0)^2 / 2 width^2)."""
    scale = FACE_GAIN * FACE_WIDTH * math.sqrt(math.pi / 2)
    return s + scale * torch.erf((s - FACE_S) / (FACE_WIDTH * math.sqrt(2)))


_LOW, _HIGH = (float(_primitive(torch.tensor(x, dtype=torch.float64))) for x in (S_MIN, S_MAX))


def capsule(xyz_canonical: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Canonical points to (azimuth rad, arc length, radius), the last two in EG3D units."""
    x, y, z = xyz_canonical.unbind(-1)
    dz, dy = z - AXIS_Z, y - CENTRE_Y
    rho = torch.sqrt(x * x + dz * dz + 1e-12)
    up = dy.clamp(min=0.0)
    arc = dy.clamp(max=0.0) + ARC_RADIUS * torch.atan2(up, rho)
    return torch.stack([torch.atan2(x, dz), arc, torch.sqrt(rho * rho + up * up)], -1)


def uncapsule(capsule_point: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Inverse of `capsule`."""
    theta, arc, radius = capsule_point.unbind(-1)
    elevation = (arc.clamp(min=0.0) / ARC_RADIUS).clamp(max=math.pi / 2)
    rho = radius * torch.cos(elevation)
    y = CENTRE_Y + torch.where(arc > 0, radius * torch.sin(elevation), arc)
    return torch.stack([rho * torch.sin(theta), y, AXIS_Z + rho * torch.cos(theta)], -1)


def chart_uv(capsule_point: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 2"]:
    """(azimuth, arc length) to plane coordinates (u, v) in [-1, 1]; u wraps, v=1 is the crown."""
    theta, arc = capsule_point[..., 0], capsule_point[..., 1]
    u = (theta + AZIMUTH_STRETCH * torch.sin(theta)) / math.pi
    unit = (_primitive(arc) - _LOW) / (_HIGH - _LOW)
    return torch.stack([u, V_BODY[0] + (V_BODY[1] - V_BODY[0]) * unit], -1)


def unchart_uv(uv: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 2"]:
    """Inverse of `chart_uv` by Newton steps and bisection: (u, v) to (azimuth, arc length)."""
    theta = uv[..., 0] * math.pi
    for _ in range(12):
        residual = theta + AZIMUTH_STRETCH * torch.sin(theta) - uv[..., 0] * math.pi
        theta = theta - residual / (1 + AZIMUTH_STRETCH * torch.cos(theta))
    target = _LOW + (uv[..., 1] - V_BODY[0]) / (V_BODY[1] - V_BODY[0]) * (_HIGH - _LOW)
    low, high = torch.full_like(target, S_MIN - 1), torch.full_like(target, S_MAX + 1)
    for _ in range(40):
        middle = (low + high) / 2
        below = _primitive(middle) < target
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return torch.stack([theta, (low + high) / 2], -1)


def height_coordinate(height: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Height above the smooth body radius (EG3D units) to the planes' third coordinate in [-1, 1]."""
    low, high = HEIGHT_RANGE
    return 2 * (height - low) / (high - low) - 1


def height_of(coordinate: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Inverse of `height_coordinate`."""
    low, high = HEIGHT_RANGE
    return low + (coordinate + 1) / 2 * (high - low)


def short_way(step: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """The step between two plane coordinates with u the short way around the head."""
    return torch.cat([torch.remainder(step[..., :1] + 1, 2) - 1, step[..., 1:]], -1)
