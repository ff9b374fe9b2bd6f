"""Carrying single points back to the planes: `HeadMotion.invert_rigid_first`, `Carrier.to_planes`."""

# mypy: disable-error-code="no-untyped-def"
import math
from typing import no_type_check

from numba import njit

from mien.morphable import chart
from mien.morphable.model import NECK_LENGTH

_SCALE = chart.FACE_GAIN * chart.FACE_WIDTH * math.sqrt(math.pi / 2)
_WIDTH = chart.FACE_WIDTH * math.sqrt(2)
_LOW, _HIGH = chart._LOW, chart._HIGH
V_LOW, V_HIGH = chart.V_BODY
AXIS_Z, CENTRE_Y, ARC_RADIUS = chart.AXIS_Z, chart.CENTRE_Y, chart.ARC_RADIUS
FACE_S, STRETCH = chart.FACE_S, chart.AZIMUTH_STRETCH
LOWEST, HIGHEST = chart.HEIGHT_RANGE


@njit(inline="always", fastmath=True)
@no_type_check
def corners_of(x, size):
    """First texel, second texel and share of the second at x in [-1, 1]; clamped at the ends."""
    place = min(max(((x + 1) * size - 1) / 2, 0.0), size - 1.0)
    first = int(place)
    return first, min(first + 1, size - 1), place - first


@njit(inline="always", fastmath=True)
@no_type_check
def wrapped_u(u, width):
    """u of any turn as the x of a table with a column of the other end on each side."""
    return (u - 2 * math.floor((u + 1) / 2)) * (width - 2) / width


@njit(inline="always", fastmath=True)
@no_type_check
def capsule(x, y, z):
    """`chart.capsule` and `chart.chart_uv`: u, v and radius."""
    dz, dy = z - AXIS_Z, y - CENTRE_Y
    rho = math.sqrt(x * x + dz * dz + 1e-12)
    up = max(dy, 0.0)
    arc = min(dy, 0.0)
    if up > 0:
        arc += ARC_RADIUS * math.atan2(up, rho)
    theta = math.atan2(x, dz)
    u = (theta + STRETCH * math.sin(theta)) / math.pi
    unit = (arc + _SCALE * math.erf((arc - FACE_S) / _WIDTH) - _LOW) / (_HIGH - _LOW)
    return u, V_LOW + (V_HIGH - V_LOW) * unit, math.sqrt(rho * rho + up * up)


@njit(inline="always", fastmath=True)
@no_type_check
def neck_weight(y, chin_y):
    """`model.neck_weight` of one height."""
    t = min(max((y - (chin_y - NECK_LENGTH)) / NECK_LENGTH, 0.0), 1.0)
    return t * t * t * (t * (6 * t - 15) + 10)


@njit(inline="always", fastmath=True)
@no_type_check
def _cos_sin(x):
    """Of an angle up to pi, off by less than 1e-8: doubled twice from a quarter of it."""
    x *= 0.25
    y = x * x
    sin = x * (1 + y * (-1 / 6 + y * (1 / 120 + y * (-1 / 5040 + y * (1 / 362880)))))
    cos = 1 + y * (-1 / 2 + y * (1 / 24 + y * (-1 / 720 + y * (1 / 40320 - y / 3628800))))
    cos, sin = 1 - 2 * sin * sin, 2 * sin * cos
    return 1 - 2 * sin * sin, 2 * sin * cos


@njit(inline="always", fastmath=True)
@no_type_check
def _blended(px, py, pz, y, motion):
    weight = neck_weight(y, motion[10])
    lx = px - motion[0] - weight * motion[3]
    ly = py - motion[1] - weight * motion[4]
    lz = pz - motion[2] - weight * motion[5]
    cos, sin = _cos_sin(-weight * motion[9])
    ax, ay, az = motion[6], motion[7], motion[8]
    along = (lx * ax + ly * ay + lz * az) * (1 - cos)
    return (
        lx * cos + (ay * lz - az * ly) * sin + ax * along + motion[0],
        ly * cos + (az * lx - ax * lz) * sin + ay * along + motion[1],
        lz * cos + (ax * ly - ay * lx) * sin + az * along + motion[2],
    )


@njit(inline="always", fastmath=True)
@no_type_check
def rigid_part(origin, dx, dy, dz, motion):
    """Origin and direction of a ray in the head's frame, as far as the head is rigid.

    motion: joint [0:3], translation [3:6], axis [6:9], angle [9], chin's y [10], R [11:20] row by row.
    """
    x = origin[0] - motion[0] - motion[3]
    y = origin[1] - motion[1] - motion[4]
    z = origin[2] - motion[2] - motion[5]
    return (
        x * motion[11] + y * motion[14] + z * motion[17] + motion[0],
        x * motion[12] + y * motion[15] + z * motion[18] + motion[1],
        x * motion[13] + y * motion[16] + z * motion[19] + motion[2],
        dx * motion[11] + dy * motion[14] + dz * motion[17],
        dx * motion[12] + dy * motion[15] + dz * motion[18],
        dx * motion[13] + dy * motion[16] + dz * motion[19],
    )


@njit(inline="always", fastmath=True)
@no_type_check
def at_rest(origin, dx, dy, dz, distance, ray, motion, steps):
    """`HeadMotion.invert_rigid_first` of the point at a distance on a ray; ray, motion: see `rigid_part`."""
    y = ray[1] + distance * ray[4]
    if y >= motion[10]:
        return ray[0] + distance * ray[3], y, ray[2] + distance * ray[5]
    px, py, pz = origin[0] + distance * dx, origin[1] + distance * dy, origin[2] + distance * dz
    x, y, z = _blended(px, py, pz, py, motion)
    for _ in range(steps):
        x, y, z = _blended(px, py, pz, y, motion)
    return x, y, z


@njit(inline="always", fastmath=True)
@no_type_check
def _mixed(table, j, j2, i, i2, a, b, c, d, k):
    return a * table[j, i, k] + b * table[j, i2, k] + c * table[j2, i, k] + d * table[j2, i2, k]


@njit(inline="always", fastmath=True)
@no_type_check
def chart_coordinates(x, y, z, displacement, steps):
    """u, v and the capsule's radius of one point, see `Carrier.to_planes`.

    displacement: [v, u + 2, 3], with a column of the other end on each side.
    """
    cx, cy, cz = x, y, z
    for _ in range(steps):
        u, v, _ = capsule(cx, cy, cz)
        i, i2, s = corners_of(wrapped_u(u, displacement.shape[1]), displacement.shape[1])
        j, j2, t = corners_of(v, displacement.shape[0])
        a, b, c, d = (1 - t) * (1 - s), (1 - t) * s, t * (1 - s), t * s
        cx = x - _mixed(displacement, j, j2, i, i2, a, b, c, d, 0)
        cy = y - _mixed(displacement, j, j2, i, i2, a, b, c, d, 1)
        cz = z - _mixed(displacement, j, j2, i, i2, a, b, c, d, 2)
    return capsule(cx, cy, cz)
