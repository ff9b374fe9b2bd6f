"""Compiled loops that grow and style strands; run-time shape checks stay out of them."""

# mypy: disable-error-code="no-untyped-def"
from typing import Final, no_type_check

import numpy as np
from numba import njit

SETTLE: Final = np.float32(0.03)
"""Length over which hair rises from the skin to its layer, EG3D units."""
STEP: Final = np.float32(0.012)
"""Longest step of growth, EG3D units; stiffness is what a strand keeps of its direction over one."""
EMERGE: Final = np.float32(0.06)
"""Length over which hair that grows under an ear's mound comes out of it, EG3D units."""
LOOSE: Final = np.float32(0.025)
"""Distance from the head over which hair stops to follow its surface."""


@njit(inline="always", fastmath=True)
@no_type_check
def _field(values, low, inverse, x, y, z, out):
    """Distance into out[0] and its gradient into out[1:4]; far outside of the grid a large distance."""
    gx, gy, gz = (x - low[0]) * inverse, (y - low[1]) * inverse, (z - low[2]) * inverse
    i, j, k = int(gx), int(gy), int(gz)
    nx, ny, nz = values.shape
    if gx < 0 or gy < 0 or gz < 0 or i >= nx - 1 or j >= ny - 1 or k >= nz - 1:
        out[0], out[1], out[2], out[3] = np.float32(1), np.float32(0), np.float32(1), np.float32(0)
        return
    a, b, c = gx - i, gy - j, gz - k
    one = np.float32(1)
    v000, v001 = values[i, j, k], values[i, j, k + 1]
    v010, v011 = values[i, j + 1, k], values[i, j + 1, k + 1]
    v100, v101 = values[i + 1, j, k], values[i + 1, j, k + 1]
    v110, v111 = values[i + 1, j + 1, k], values[i + 1, j + 1, k + 1]
    v00, v01 = v000 * (one - c) + v001 * c, v010 * (one - c) + v011 * c
    v10, v11 = v100 * (one - c) + v101 * c, v110 * (one - c) + v111 * c
    v0, v1 = v00 * (one - b) + v01 * b, v10 * (one - b) + v11 * b
    out[0] = v0 * (one - a) + v1 * a
    x = v1 - v0
    y = (v01 - v00) * (one - a) + (v11 - v10) * a
    z0 = (v001 - v000) * (one - b) + (v011 - v010) * b
    z1 = (v101 - v100) * (one - b) + (v111 - v110) * b
    z = z0 * (one - a) + z1 * a
    scale = one / (np.sqrt(x * x + y * y + z * z) + np.float32(1e-9))
    out[1], out[2], out[3] = x * scale, y * scale, z * scale


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def grow(
    root, normal, comb, reach, lift, gravity, stiff, layer, length, tie, pull, open_x, cling_to, values, low,
    inverse, out,
):  # fmt: skip
    """Grow strands out [S, P, 3] step by step from roots [S, 3] along normals [S, 3].

    Per strand: comb [S, 3] a direction that fades over the length `reach`; lift: how much it starts along
    the normal; gravity, stiff: 0..1; layer: distance it keeps from the skin; length; tie [S, 3] and pull: a
    point that draws it along the skin; open_x: half width of the face that stays free (0: none);
    cling_to: how strongly hair that stands off falls back to the head.
    """
    g = np.empty(4, np.float32)
    one, zero = np.float32(1), np.float32(0)
    count = out.shape[1]
    for s in range(root.shape[0]):
        x, y, z = root[s, 0], root[s, 1], root[s, 2]
        out[s, 0, 0], out[s, 0, 1], out[s, 0, 2] = x, y, z
        step = length[s] / np.float32(count - 1)
        parts = max(int(np.ceil(step / STEP)), 1)
        small = step / np.float32(parts)
        keep = stiff[s] ** (small / STEP)
        dx = normal[s, 0] * lift[s] + comb[s, 0]
        dy = normal[s, 1] * lift[s] + comb[s, 1]
        dz = normal[s, 2] * lift[s] + comb[s, 2]
        scale = one / (np.sqrt(dx * dx + dy * dy + dz * dz) + np.float32(1e-9))
        dx, dy, dz = dx * scale, dy * scale, dz * scale
        _field(values, low, inverse, x, y, z, g)
        sunk = min(g[0], zero)
        for k in range(1, (count - 1) * parts + 1):
            at = small * np.float32(k)
            hold = np.exp(-at / reach[s])
            wx, wy, wz = comb[s, 0] * hold, comb[s, 1] * hold, comb[s, 2] * hold
            if pull[s] > zero:
                tx, ty, tz = tie[s, 0] - x, tie[s, 1] - y, tie[s, 2] - z
                scale = pull[s] / (np.sqrt(tx * tx + ty * ty + tz * tz) + np.float32(1e-6))
                wx, wy, wz = wx + tx * scale, wy + ty * scale, wz + tz * scale
            wy -= gravity[s] * (one - np.float32(0.6) * hold)
            over = max(g[0] - layer[s], zero)
            near = np.exp(-over / LOOSE)
            into = (wx * g[1] + wy * g[2] + wz * g[3]) * near
            if into > zero:
                into *= min(np.float32(0.2) + np.float32(3) * cling_to[s], one)
            cling = into + cling_to[s] * min(over / LOOSE, one)
            wx, wy, wz = wx - cling * g[1], wy - cling * g[2], wz - cling * g[3]
            blend = one - keep
            dx, dy, dz = dx * keep + wx * blend, dy * keep + wy * blend, dz * keep + wz * blend
            scale = one / (np.sqrt(dx * dx + dy * dy + dz * dz) + np.float32(1e-9))
            dx, dy, dz = dx * scale, dy * scale, dz * scale
            px, py, pz = x, y, z
            x, y, z = x + dx * small, y + dy * small, z + dz * small
            least = layer[s] * (one - np.exp(-at / SETTLE)) + sunk * np.exp(-at / EMERGE)
            if open_x[s] > zero and z > np.float32(-0.02) and y < np.float32(0.12):
                free = open_x[s] * min(one, (np.float32(0.125) - y) * np.float32(14))
                free *= min(one, (z + np.float32(0.02)) * np.float32(12))
                if abs(x) < free:
                    x = free if x > zero else -free
            _field(values, low, inverse, x, y, z, g)
            if g[0] < least:
                rise = least - g[0]
                x, y, z = x + rise * g[1], y + rise * g[2], z + rise * g[3]
                g[0] = least
            vx, vy, vz = x - px, y - py, z - pz
            size = np.sqrt(vx * vx + vy * vy + vz * vz) + np.float32(1e-9)
            dx, dy, dz = vx / size, vy / size, vz / size
            size = min(size, np.float32(1.25) * small)
            x, y, z = px + dx * size, py + dy * size, pz + dz * size
            if k % parts == 0:
                q = k // parts
                out[s, q, 0], out[s, q, 1], out[s, q, 2] = x, y, z


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def clump(points, leader, amount, power, out):
    """Pull strands towards their leader's curve: by `amount` [S] at the tip, less below (t^power)."""
    count = points.shape[1]
    for s in range(points.shape[0]):
        m = leader[s]
        ox, oy, oz = (
            points[s, 0, 0] - points[m, 0, 0],
            points[s, 0, 1] - points[m, 0, 1],
            points[s, 0, 2] - points[m, 0, 2],
        )
        away = ox * ox + oy * oy + oz * oz
        w = amount[s] * np.exp(-away / np.float32(0.0012))
        for k in range(count):
            t = np.float32(k) / np.float32(count - 1)
            share = w * t**power
            for c in range(3):
                out[s, k, c] = points[s, k, c] + share * (points[m, k, c] - points[s, k, c])


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def wave(points, amplitude, turns, phase, flatness, ramp, out):
    """Helices around strands: radius amplitude [S], turns [S] over the length, flattened across the head."""
    count = points.shape[1]
    two_pi = np.float32(6.2831853)
    for s in range(points.shape[0]):
        for k in range(count):
            t = np.float32(k) / np.float32(count - 1)
            a, b = max(k - 1, 0), min(k + 1, count - 1)
            tx, ty, tz = (
                points[s, b, 0] - points[s, a, 0],
                points[s, b, 1] - points[s, a, 1],
                points[s, b, 2] - points[s, a, 2],
            )
            ux, uz = points[s, k, 0], points[s, k, 2] + np.float32(0.07)
            uy = max(points[s, k, 1] - np.float32(0.05), np.float32(0))
            dot = (tx * tx + ty * ty + tz * tz) + np.float32(1e-12)
            along = (ux * tx + uy * ty + uz * tz) / dot
            ux, uy, uz = ux - along * tx, uy - along * ty, uz - along * tz
            scale = np.float32(1) / (np.sqrt(ux * ux + uy * uy + uz * uz) + np.float32(1e-6))
            ux, uy, uz = ux * scale, uy * scale, uz * scale
            scale = np.float32(1) / np.sqrt(dot)
            vx, vy, vz = (ty * uz - tz * uy) * scale, (tz * ux - tx * uz) * scale, (tx * uy - ty * ux) * scale
            angle = two_pi * turns[s] * t + phase[s]
            size = amplitude[s] * min(t / ramp, np.float32(1))
            p, q = size * np.cos(angle) * flatness, size * np.sin(angle)
            out[s, k, 0] = points[s, k, 0] + p * ux + q * vx
            out[s, k, 1] = points[s, k, 1] + p * uy + q * vy
            out[s, k, 2] = points[s, k, 2] + p * uz + q * vz


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def cut(points, low_y, out):
    """End each strand where it first falls below low_y [S], its points spread evenly over what is left."""
    count = points.shape[1]
    for s in range(points.shape[0]):
        end = np.float32(count - 1)
        for k in range(1, count):
            if points[s, k, 1] < low_y[s] and points[s, k, 1] < points[s, k - 1, 1]:
                drop = points[s, k - 1, 1] - points[s, k, 1]
                end = np.float32(k - 1) + min(
                    max((points[s, k - 1, 1] - low_y[s]) / drop, np.float32(0)), np.float32(1)
                )
                break
        end = max(end, np.float32(0.08))
        for k in range(count):
            at = end * np.float32(k) / np.float32(count - 1)
            i = min(int(at), count - 2)
            f = at - np.float32(i)
            for c in range(3):
                out[s, k, c] = points[s, i, c] * (1 - f) + points[s, i + 1, c] * f


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def keep_out(points, margin, values, low, inverse):
    """Push points [S, P, 3] (not the roots) out of the head, in place, to at least `margin`."""
    g = np.empty(4, np.float32)
    zero = np.float32(0)
    for s in range(points.shape[0]):
        _field(values, low, inverse, points[s, 0, 0], points[s, 0, 1], points[s, 0, 2], g)
        sunk, at = min(g[0], zero), zero
        for k in range(1, points.shape[1]):
            length = zero
            for c in range(3):
                length += (points[s, k, c] - points[s, k - 1, c]) ** 2
            at += np.sqrt(length)
            least = margin + sunk * np.exp(-at / EMERGE)
            _field(values, low, inverse, points[s, k, 0], points[s, k, 1], points[s, k, 2], g)
            if g[0] < least:
                for c in range(3):
                    points[s, k, c] += (least - g[0]) * g[c + 1]
