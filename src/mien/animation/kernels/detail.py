"""Places in the photo and the photo's detail of single pixels: `detail.places_of` and `detail.add_detail`."""

# mypy: disable-error-code="no-untyped-def"
import math
from typing import Final, no_type_check

import numpy as np
from numba import njit

from mien.animation.detail import (
    BEHIND,
    CHEST,
    COVER,
    DISTANCE,
    FACING,
    HAIR_RIM,
    HIDDEN,
    INSIDE,
    LOW,
    MIN_ALPHA,
    OVERSHOOT,
    RIM,
    SHIFTED,
    SHOULDERS,
    TRUST,
)  # fmt: skip
from mien.animation.plate import COVERED, UNKNOWN, WIDE
from mien.generator.kernels.carry import at_rest, neck_weight, rigid_part
from mien.generator.kernels.lookup import ONE
from mien.morphable.chart import AXIS_Z, V_BODY

ISLANDS: Final = V_BODY[0]
STEEPNESS: Final = np.float32(-0.75)
"""Of torch's bicubic interpolation."""


@njit(inline="always", fastmath=True)
@no_type_check
def smooth(x, limits):
    """`core.curves.smoothstep`."""
    t = min(max((x - limits[0]) / (limits[1] - limits[0]), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@njit(inline="always", fastmath=True, error_model="numpy")
@no_type_check
def _seen_by(R, position, K, x, y, z, out):
    """Write u, v and distance of a point as a camera sees it."""
    x, y, z = x - position[0], y - position[1], z - position[2]
    cx = R[0, 0] * x + R[0, 1] * y + R[0, 2] * z
    cy = R[1, 0] * x + R[1, 1] * y + R[1, 2] * z
    cz = R[2, 0] * x + R[2, 1] * y + R[2, 2] * z
    out[0] = K[0, 0] * cx / cz + K[0, 1] * cy / cz + K[0, 2]
    out[1] = K[1, 1] * cy / cz + K[1, 2]
    out[2] = math.sqrt(x * x + y * y + z * z)


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
@no_type_check
def find_places(
    alpha, depth, hair_alpha, carried, nearest, ray, origin, motion, neck_steps, R_photo, photo, K_photo,
    weights, neck, uv_rest, step, distance, shift, now,
):  # fmt: skip
    """Write of every pixel how far the neck moves it [h, w] and how far it is not of the shoulders, where the
    photo has its point at rest [h, w, 2], the step from there to where the photo has what it shows, its
    distance, how the expression moves it, and where that camera would see it as moved (u, v, distance)
    [h, w, 3].

    nearest: flat [h, w]; ray: takes (column, row, 1) to the world; R_photo, photo, K_photo: world to camera
    axes, position and intrinsics of the photo's camera.
    """
    height, width = alpha.shape
    chin = motion[10]
    place = np.empty(3)
    for row in range(height):
        for column in range(width):
            x = ray[0, 0] * column + ray[0, 1] * row + ray[0, 2]
            y = ray[1, 0] * column + ray[1, 1] * row + ray[1, 2]
            z = ray[2, 0] * column + ray[2, 1] * row + ray[2, 2]
            own = nearest[row, column]
            far = depth[own // width, own % width] / math.sqrt(x * x + y * y + z * z)
            _seen_by(
                R_photo, photo, K_photo, origin[0] + far * x, origin[1] + far * y, origin[2] + far * z,
                now[row, column],
            )  # fmt: skip
            x, y, z = at_rest(origin, x, y, z, far, rigid_part(origin, x, y, z, motion), motion, neck_steps)
            weight = neck_weight(y, chin)
            beside = z - AXIS_Z
            away = math.sqrt(x * x + beside * beside)
            neck[row, column] = 1 - smooth(away, SHOULDERS) * (1 - smooth(y - chin, LOW))
            wide = smooth(away, WIDE)
            weight *= 1 - wide * (1 - smooth(weight, (0.5, 0.9)))
            a = alpha[row, column]
            covered = smooth(a, COVERED)
            unknown = smooth(weight, UNKNOWN)
            weights[row, column] = unknown + covered * (weight - unknown)
            _seen_by(R_photo, photo, K_photo, x, y, z, place)
            u, v, d = place[0], place[1], place[2]
            body = 0.0
            if carried[row, column, 2] > 0:
                body = 1 - hair_alpha[row, column] / max(a, MIN_ALPHA)
            du, dv, dd = (
                carried[row, column, 0] - u, carried[row, column, 1] - v, carried[row, column, 2] - d,
            )  # fmt: skip
            across_x, across_y, along = du / K_photo[0, 0], dv / K_photo[1, 1], dd / max(d, 1.0)
            shift[row, column] = body * math.sqrt(across_x * across_x + across_y * across_y + along * along)
            uv_rest[row, column, 0], uv_rest[row, column, 1] = u, v
            step[row, column, 0], step[row, column, 1] = body * du, body * dv
            distance[row, column] = d + body * dd


@njit(nogil=True, cache=True)
@no_type_check
def gather(values, nearest, out):
    """values [h, w, c] at flat places [h, w]."""
    width = values.shape[1]
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            own = nearest[row, column]
            for k in range(out.shape[2]):
                out[row, column, k] = values[own // width, own % width, k]


@njit(inline="always", fastmath=True)
@no_type_check
def _cubic(t, out):
    """Shares of four neighbours at a share t between the two in the middle."""
    a = STEEPNESS
    x = t + ONE
    out[0] = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    out[1] = ((a + 2) * t - (a + 3)) * t * t + ONE
    x = ONE - t
    out[2] = ((a + 2) * x - (a + 3)) * x * x + ONE
    x = np.float32(2) - t
    out[3] = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a


@njit(forceinline=True, fastmath=True)
@no_type_check
def _bilinear(image, x, y, out):
    """16 channels of an image at texel coordinates, nothing beyond its sides."""
    i, j = math.floor(x), math.floor(y)
    s, t = np.float32(x - i), np.float32(y - j)
    a, b, c, d = (ONE - t) * (ONE - s), (ONE - t) * s, t * (ONE - s), t * s
    if 0 <= i < image.shape[1] - 1 and 0 <= j < image.shape[0] - 1:
        for k in range(16):
            out[k] = (
                a * image[j, i, k]
                + b * image[j, i + 1, k]
                + c * image[j + 1, i, k]
                + d * image[j + 1, i + 1, k]
            )
        return
    for k in range(16):
        out[k] = 0
    for n, part in enumerate((a, b, c, d)):
        row, column = j + n // 2, i + n % 2
        if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
            for k in range(16):
                out[k] += part * image[row, column, k]


@njit(forceinline=True, fastmath=True)
@no_type_check
def _clamped(image, x, y, channel):
    """A channel of an image at texel coordinates; beyond its sides as on them."""
    x = min(max(x, np.float32(0)), np.float32(image.shape[1] - 1))
    y = min(max(y, np.float32(0)), np.float32(image.shape[0] - 1))
    i, j = int(x), int(y)
    i2, j2 = min(i + 1, image.shape[1] - 1), min(j + 1, image.shape[0] - 1)
    s, t = x - i, y - j
    above = (1 - s) * image[j, i, channel] + s * image[j, i2, channel]
    return (1 - t) * above + t * ((1 - s) * image[j2, i, channel] + s * image[j2, i2, channel])


@njit(forceinline=True, fastmath=True)
@no_type_check
def _sharp(image, x, y, looked, across, down, out):
    """The first four channels by a bicubic lookup, near the bilinear ones."""
    i, j = math.floor(x), math.floor(y)
    _cubic(np.float32(x - i), across)
    _cubic(np.float32(y - j), down)
    red = green = blue = alpha = np.float32(0)
    for row in range(max(j - 1, 0), min(j + 3, image.shape[0])):
        for column in range(max(i - 1, 0), min(i + 3, image.shape[1])):
            part = down[row - j + 1] * across[column - i + 1]
            red += part * image[row, column, 0]
            green += part * image[row, column, 1]
            blue += part * image[row, column, 2]
            alpha += part * image[row, column, 3]
    out[0], out[1], out[2], out[3] = red, green, blue, alpha
    for k in range(4):
        least, most = looked[k] - np.float32(OVERSHOOT), looked[k] + np.float32(OVERSHOOT)
        out[k] = min(max(out[k], least), most)


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
@no_type_check
def look_up(
    image, alpha, hair_alpha, plane_v, neck, uv_rest, step, spread, distance, shift, now, shown, per_shift,
    turned, still, share, weight, fine, person, rim, beside,
):  # fmt: skip
    """Write of every pixel that is shown how far its detail counts [h, w], the detail [h, w, 4], the person
    beside the render [h, w, 4] and how far what lies beside it may be shown; of all, nearness to the outline.

    image: [y, x, 16], channels of `detail.levels` and two more; neck: see `find_places`; per_shift: pixels of
    the photo per `shift`; turned: how far the view has turned, in [0, 1]; still: neck weights between which
    pixels are shown; share: how far the neck moves them, which becomes how far they are shown [h, w].
    """
    looked, across, down = np.empty(16, np.float32), np.empty(4, np.float32), np.empty(4, np.float32)
    for row in range(alpha.shape[0]):
        for column in range(alpha.shape[1]):
            moved = share[row, column]
            share[row, column] = weight[row, column] = beside[row, column] = 0
            for k in range(4):
                fine[row, column, k] = person[row, column, k] = 0
            a = alpha[row, column]
            dx, dy = spread[row, column, 0], spread[row, column, 1]
            if a > COVERED[0]:
                dx, dy = step[row, column, 0], step[row, column, 1]
            x = min(max(uv_rest[row, column, 0] + dx, -1.0), 2.0) * image.shape[1] - 0.5
            y = min(max(uv_rest[row, column, 1] + dy, -1.0), 2.0) * image.shape[0] - 0.5
            _bilinear(image, x, y, looked)
            rim[row, column] = looked[RIM]
            if not shown[row, column]:
                continue
            for k in range(4):
                person[row, column, k] = looked[4 + k]
            if a > COVERED[0]:  # elsewhere nothing of it is laid over
                _sharp(image, x, y, looked, across, down, fine[row, column])
            inside = 0.0
            if plane_v[row, column] < ISLANDS:
                inside = 1 - hair_alpha[row, column] / max(a, MIN_ALPHA)
            seen = 1 - smooth(distance[row, column] - looked[DISTANCE], HIDDEN)
            same = 1 - abs(inside - looked[INSIDE])
            body = 1 - hair_alpha[row, column] / max(a, MIN_ALPHA)
            inside_photo = -0.5 < x < image.shape[1] - 0.5 and -0.5 < y < image.shape[0] - 0.5
            hidden = body * (1 - (seen if inside_photo else 0.0)) * neck[row, column]
            moved *= 1 - _clamped(image, x, y, CHEST) * (1 - hidden)
            x = min(max(now[row, column, 0], -1.0), 2.0) * image.shape[1] - 0.5
            y = min(max(now[row, column, 1], -1.0), 2.0) * image.shape[0] - 0.5
            chest = _clamped(image, x, y, CHEST)
            if chest > 0:
                moved *= 1 - chest * smooth(now[row, column, 2] - _clamped(image, x, y, DISTANCE), BEHIND)
            share[row, column] = smooth(moved, still)
            elsewhere = max(turned, smooth(shift[row, column] * per_shift, SHIFTED))
            weight[row, column] = seen * same * (1 - elsewhere * (1 - smooth(looked[TRUST], FACING)))
            beside[row, column] = max(ONE - looked[COVER], looked[HAIR_RIM])


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
@no_type_check
def lay_over(rgb, alpha, share, weight, fine, person, beside, outline, card, out_rgb, out_cover):
    """Write the pictures [h, w, 3] and covers [h, w] of a layer; card: share of what lies beside the head."""
    for row in range(alpha.shape[0]):
        for column in range(alpha.shape[1]):
            shown = share[row, column]
            out_rgb[row, column, 0] = out_rgb[row, column, 1] = out_rgb[row, column, 2] = 0
            out_cover[row, column] = 0
            if shown == 0:
                continue
            own = smooth(alpha[row, column], COVERED)
            aside = card * beside[row, column] * outline[row, column]
            plain = alpha[row, column]
            cover = plain + weight[row, column] * fine[row, column, 3]
            other = max(aside * person[row, column, 3], plain)
            cover = min(max(other + own * (cover - other), 0.0), 1.0)
            out_cover[row, column] = cover * shown
            for k in range(3):
                plain = rgb[row, column, k]
                value = plain + weight[row, column] * fine[row, column, k]
                other = max(aside * person[row, column, k], plain)
                out_rgb[row, column, k] = min(max(other + own * (value - other), 0.0), cover) * shown
