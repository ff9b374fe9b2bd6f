"""Compiled loops of the renderer; run-time shape checks, which numba cannot compile, stay out of them."""

# mypy: disable-error-code="no-untyped-def"
from typing import Final, no_type_check

import numpy as np
from numba import njit

FAR: Final = np.float32(1e9)
NEAREST: Final = 0.05


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def rasterise(px, z, faces, first_index, push, mask, mask_uv, face_out, bary_out, z_out):
    """Nearest triangles of the pixels of a picture, by inverse depth interpolated over the screen.

    px [V, 2] pixel coordinates and z [V] depth of the vertices; faces [F, 3] get indices from `first_index`;
    push [F] is added to their depth when surfaces compete. Where mask has texels, a triangle is only there
    where the mask at its mask_uv [F, 3, 2] (texels) is above a half. Buffers: face [H, W] int32, bary
    [H, W, 2] float32 (second and third corner), z [H, W] float32 (pushed depth along the camera's axis).
    """
    height, width = face_out.shape
    masked = mask.shape[0] > 1
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        if z[i] < NEAREST or z[j] < NEAREST or z[k] < NEAREST:
            continue
        ax, ay, bx, by, cx, cy = px[i, 0], px[i, 1], px[j, 0], px[j, 1], px[k, 0], px[k, 1]
        det = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(det) < 1e-12:
            continue
        y0 = max(int(np.ceil(min(ay, by, cy))), 0)
        y1 = min(int(np.floor(max(ay, by, cy))), height - 1)
        x0 = max(int(np.ceil(min(ax, bx, cx))), 0)
        x1 = min(int(np.floor(max(ax, bx, cx))), width - 1)
        ia, ib, ic = 1 / z[i], 1 / z[j], 1 / z[k]
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                s = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / det
                t = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / det
                r = 1 - s - t
                if s < -1e-7 or t < -1e-7 or r < -1e-7:
                    continue
                inverse = r * ia + s * ib + t * ic
                depth = 1 / inverse + push[f]
                if depth >= z_out[y, x]:
                    continue
                s, t = s * ib / inverse, t * ic / inverse
                if masked:
                    r = 1 - s - t
                    u = r * mask_uv[f, 0, 0] + s * mask_uv[f, 1, 0] + t * mask_uv[f, 2, 0]
                    v = r * mask_uv[f, 0, 1] + s * mask_uv[f, 1, 1] + t * mask_uv[f, 2, 1]
                    if _bilinear(mask, u, v) < 0.5:
                        continue
                z_out[y, x] = depth
                face_out[y, x] = f + first_index
                bary_out[y, x, 0] = s
                bary_out[y, x, 1] = t


@njit(inline="always", fastmath=True)
@no_type_check
def _bilinear(image, x, y):
    """Value of image [H, W] between texels; columns wrap, rows are clamped."""
    height, width = image.shape
    x0 = int(np.floor(x))
    y0 = min(max(int(np.floor(y)), 0), height - 2)
    fx, fy = x - x0, min(max(y - y0, 0.0), 1.0)
    x0 = x0 % width
    x1 = (x0 + 1) % width
    top = image[y0, x0] * (1 - fx) + image[y0, x1] * fx
    return top * (1 - fy) + (image[y0 + 1, x0] * (1 - fx) + image[y0 + 1, x1] * fx) * fy


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def attributes(face, bary, faces, positions, normals, sky, uv, xyz_out, normal_out, sky_out, uv_out):
    """What the triangles' corners hold, at N hits: position, unit normal, exposure, plane coordinates."""
    for n in range(face.shape[0]):
        f = face[n]
        s, t = bary[n, 0], bary[n, 1]
        r = np.float32(1) - s - t
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        sky_out[n] = r * sky[i] + s * sky[j] + t * sky[k]
        length = np.float32(0)
        for c in range(3):
            xyz_out[n, c] = r * positions[i, c] + s * positions[j, c] + t * positions[k, c]
            m = r * normals[i, c] + s * normals[j, c] + t * normals[k, c]
            normal_out[n, c] = m
            length += m * m
            uv_out[n, c] = r * uv[f, 0, c] + s * uv[f, 1, c] + t * uv[f, 2, c]
        length = np.sqrt(length) + np.float32(1e-9)
        for c in range(3):
            normal_out[n, c] /= length


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def fetch(maps, u, v, out):
    """Maps [H, W, C] between texels at texel coordinates u, v [N] into out [N, C]; columns wrap."""
    height, width, channels = maps.shape
    for n in range(u.shape[0]):
        fu, fv = np.floor(u[n]), np.floor(v[n])
        y0 = min(max(int(fv), 0), height - 2)
        a, b = u[n] - fu, min(max(v[n] - y0, np.float32(0)), np.float32(1))
        x0 = int(fu) % width
        x1 = (x0 + 1) % width
        w11 = a * b
        w01, w10 = a - w11, b - w11
        w00 = np.float32(1) - a - w10
        for c in range(channels):
            out[n, c] = (
                w00 * maps[y0, x0, c] + w01 * maps[y0, x1, c]
                + w10 * maps[y0 + 1, x0, c] + w11 * maps[y0 + 1, x1, c]
            )  # fmt: skip


@njit(cache=True, fastmath=True, nogil=True)
@no_type_check
def shadows(depth, origin, axes, scale, xyz, normal, sizes, spots, out):
    """Share of a soft key light [N] that reaches points [N, 3] with normals, from an orthographic depth map.

    depth [S, S]: distance from the light's plane of the nearest surface. origin [3] of texel (0, 0), axes
    [3, 3] rows right, down, away; scale: texels per unit. sizes: (tangent of the light's half angle, least
    and largest radius of the blur in units). spots [K, 2]: a disc's sample points.
    """
    side = depth.shape[0]
    count = spots.shape[0]
    for n in range(xyz.shape[0]):
        px = py = away = facing = np.float32(0)
        for c in range(3):
            d = xyz[n, c] + normal[n, c] * np.float32(0.004) - origin[c]
            px += axes[0, c] * d
            py += axes[1, c] * d
            away += axes[2, c] * d
            facing -= axes[2, c] * normal[n, c]
        px, py = px * scale, py * scale
        slope = np.float32(0.003) + np.float32(0.002) * (np.float32(1) - max(facing, np.float32(0)))
        # How far before the point do blockers stand? The blur's radius grows with that distance.
        spin = np.float32((np.floor(px * 7.31) * 0.7548 + np.floor(py * 5.17) * 0.5698) % 1.0 * 6.2832)
        cos, sin = np.cos(spin), np.sin(spin)
        reach = np.float32(min(sizes[0] * 0.10, sizes[2])) * scale
        gap = np.float32(0)
        blockers = 0
        for k in range(0, count, 2):
            x = int(px + reach * (cos * spots[k, 0] - sin * spots[k, 1]) + np.float32(0.5))
            y = int(py + reach * (sin * spots[k, 0] + cos * spots[k, 1]) + np.float32(0.5))
            if x >= 0 and y >= 0 and x < side and y < side:
                behind = away - depth[y, x]
                if behind > slope:
                    gap += behind
                    blockers += 1
        if blockers == 0:
            out[n] = 1
            continue
        gap /= blockers
        radius = min(max(gap * sizes[0], sizes[1]), sizes[2])
        reach = radius * scale
        bias = slope + radius * np.float32(0.4)
        lit = np.float32(0)
        for k in range(count):
            x = int(px + reach * (cos * spots[k, 0] - sin * spots[k, 1]) + np.float32(0.5))
            y = int(py + reach * (sin * spots[k, 0] + cos * spots[k, 1]) + np.float32(0.5))
            if x < 0 or y < 0 or x >= side or y >= side or away - depth[y, x] < bias:
                lit += 1
        out[n] = lit / count
