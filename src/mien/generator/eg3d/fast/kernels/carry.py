"""`HeadWarp` for one point at a time: back along the neck, then through the grids of a bend."""

# mypy: disable-error-code="no-untyped-def"
from math import factorial
from typing import Any, Final, no_type_check

import numpy as np
from numba import njit

from mien.morphable.bend import EDGE, Patch
from mien.morphable.carry import HeadMotion
from mien.morphable.model import NECK_LENGTH
from mien.morphable.warp import NECK_STEPS, HeadWarp

ZERO, ONE, HALF = np.float32(0), np.float32(1), np.float32(0.5)
NECK, RIM = np.float32(NECK_LENGTH), np.float32(EDGE)
SIX, TEN, FIFTEEN = np.float32(6), np.float32(10), np.float32(15)
QUARTER = np.float32(0.25)
C2, C4, C6, C8 = (np.float32(1 / factorial(n)) for n in (2, 4, 6, 8))
S3, S5, S7, S9 = (np.float32(1 / factorial(n)) for n in (3, 5, 7, 9))
MOTION: Final = 21
"""Numbers of a motion: R (9), joint, translation, axis (3 each), angle, chin's height, 0."""


def described(warp: HeadWarp | None) -> tuple[Any, ...]:
    """Arrays for `carry`: flags, place, motion, boxes, sizes, displacements."""
    place, motion = np.array([1, 0, 0, 0], np.float32), np.zeros(MOTION, np.float32)
    patches: tuple[Patch, ...] = ()
    flags = np.zeros(2, np.int64)  # is anything carried, does the neck move
    if warp is not None and not warp.still:
        flags[:] = 1, warp.motion is not None
        place[:] = [warp.world_scale, *warp.world_shift.tolist()]
        if warp.motion is not None:
            motion[:] = _numbers(warp.motion)
        if warp.bend is not None:
            patches = (warp.bend.coarse, *warp.bend.fine)
    boxes = np.zeros((len(patches), 6), np.float32)
    sizes = np.zeros((len(patches), 4), np.int64)
    parts, first = [np.zeros((0, 3), np.float32)], 0
    for k, patch in enumerate(patches):
        boxes[k] = [*patch.low.tolist(), *(1 / patch.span).tolist()]
        sizes[k] = [*reversed(patch.displacement.shape[1:]), first]
        parts.append(patch.displacement.permute(1, 2, 3, 0).reshape(-1, 3).numpy())
        first += len(parts[-1])
    return flags, place, motion, boxes, sizes, np.concatenate(parts)


def _numbers(motion: HeadMotion) -> list[float]:
    axis, angle = motion.turn
    vectors = (motion.R_chest_head.reshape(-1), motion.joint, motion.translation, axis)
    return [*(x for v in vectors for x in v.tolist()), float(angle), motion.chin_y, 0.0]


@njit(inline="always", fastmath=True)
@no_type_check
def _neck_weight(y, chin_y):
    t = min(max((y - (chin_y - NECK)) / NECK, ZERO), ONE)
    return t * t * t * (t * (SIX * t - FIFTEEN) + TEN)


@njit(inline="always", fastmath=True)
@no_type_check
def _cos_sin(angle):
    """By series at a quarter of the angle, doubled twice: below 1e-6 up to a whole turn."""
    a = angle * QUARTER
    s = a * a
    cos = ONE - s * (C2 - s * (C4 - s * (C6 - s * C8)))
    sin = a * (ONE - s * (S3 - s * (S5 - s * (S7 - s * S9))))
    for _ in range(2):
        sin, cos = (sin + sin) * cos, ONE - (sin + sin) * sin
    return cos, sin


@njit(inline="always", fastmath=True)
@no_type_check
def _unturn(point, motion):
    """Back along the neck, in place: `HeadMotion.invert_rigid_first`."""
    joint, shift, axis = motion[9:12], motion[12:15], motion[15:18]
    angle, chin_y = motion[18], motion[19]
    x, y, z = (point[0] - (joint[0] + shift[0]), point[1] - (joint[1] + shift[1]),
               point[2] - (joint[2] + shift[2]))  # fmt: skip
    rest_y = x * motion[1] + y * motion[4] + z * motion[7] + joint[1]
    if rest_y >= chin_y:
        point[0] = x * motion[0] + y * motion[3] + z * motion[6] + joint[0]
        point[1] = rest_y
        point[2] = x * motion[2] + y * motion[5] + z * motion[8] + joint[2]
        return
    ax, ay, az = axis[0], axis[1], axis[2]
    height = point[1]
    x = y = z = last = -ONE
    for _ in range(NECK_STEPS + 1):
        weight = _neck_weight(height, chin_y)
        if weight == last:  # what follows would be the same again
            break
        last = weight
        lx = point[0] - joint[0] - weight * shift[0]
        ly = point[1] - joint[1] - weight * shift[1]
        lz = point[2] - joint[2] - weight * shift[2]
        cos, sin = _cos_sin(-weight * angle)
        along = (lx * ax + ly * ay + lz * az) * (ONE - cos)
        x = lx * cos + (ay * lz - az * ly) * sin + ax * along + joint[0]
        y = ly * cos + (az * lx - ax * lz) * sin + ay * along + joint[1]
        z = lz * cos + (ax * ly - ay * lx) * sin + az * along + joint[2]
        height = y
    point[0], point[1], point[2] = x, y, z


@njit(inline="always", fastmath=True)
@no_type_check
def _displacement(place_x, place_y, place_z, size, grid, found):
    """Trilinear, at a place in [0, 1]^3 of a box."""
    nx, ny, nz, first = size[0], size[1], size[2], size[3]
    fx, fy, fz = place_x * np.float32(nx - 1), place_y * np.float32(ny - 1), place_z * np.float32(nz - 1)
    ix, iy, iz = min(int(fx), nx - 2), min(int(fy), ny - 2), min(int(fz), nz - 2)
    fx, fy, fz = fx - np.float32(ix), fy - np.float32(iy), fz - np.float32(iz)
    at = first + (iz * ny + iy) * nx + ix
    for k in range(3):
        below = (grid[at, k] * (ONE - fx) + grid[at + 1, k] * fx) * (ONE - fy) + (
            grid[at + nx, k] * (ONE - fx) + grid[at + nx + 1, k] * fx
        ) * fy
        up = at + nx * ny
        above = (grid[up, k] * (ONE - fx) + grid[up + 1, k] * fx) * (ONE - fy) + (
            grid[up + nx, k] * (ONE - fx) + grid[up + nx + 1, k] * fx
        ) * fy
        found[k] = below + (above - below) * fz


@njit(inline="always", fastmath=True)
@no_type_check
def carry(point, warp, moved, finer):
    """A world point to the photo's world, in place; see `described`. moved, finer: [3], scratch."""
    flags, place, motion, boxes, sizes, grid = warp
    scale = place[0]
    for k in range(3):
        point[k] = (point[k] - place[1 + k]) / scale
    if flags[1]:
        _unturn(point, motion)
    for patch in range(len(boxes)):
        x = (point[0] - boxes[patch, 0]) * boxes[patch, 3]
        y = (point[1] - boxes[patch, 1]) * boxes[patch, 4]
        z = (point[2] - boxes[patch, 2]) * boxes[patch, 5]
        if not (ZERO <= x <= ONE and ZERO <= y <= ONE and ZERO <= z <= ONE):
            if patch == 0:
                break
            continue
        if patch == 0:
            _displacement(x, y, z, sizes[0], grid, moved)
            continue
        _displacement(x, y, z, sizes[patch], grid, finer)
        rim = min(min(min(x, ONE - x), min(y, ONE - y)), min(z, ONE - z))
        share = min((rim + rim) / RIM, ONE)
        for k in range(3):
            moved[k] += share * (finer[k] - moved[k])
    else:
        if len(boxes) > 0:
            for k in range(3):
                point[k] += moved[k]
    for k in range(3):
        point[k] = point[k] * scale + place[1 + k]


@njit(nogil=True, cache=True)
@no_type_check
def carry_all(points, warp):
    """World points [N, 3] to the photo's world, in place."""
    scratch = np.empty((2, 3), np.float32)
    for i in range(len(points)):
        carry(points[i], warp, scratch[0], scratch[1])
