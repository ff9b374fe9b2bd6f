"""The compiled shading of surfaces: soft diffuse light that bleeds red, and two lobes of reflection.

Diffuse light wraps around the terminator more in red than in blue, and red sees a smoother relief (Penner
2011, Pre-integrated skin shading; Ma et al. 2007, Rapid acquisition of specular and diffuse normal maps).
Reflection is two GGX lobes (Walter et al. 2007) with Schlick's Fresnel term, as d'Eon and Luebke 2007 use for
skin; the surroundings' share takes Karis' 2013 fit of the split sum and the harmonics towards the mirror
direction. Inter-reflection in hollows follows Jimenez et al. 2016 (Practical real-time strategies for
accurate indirect occlusion): bright skin fills its own shadows.
"""

# mypy: disable-error-code="no-untyped-def"
from typing import Final, no_type_check

import numpy as np
from numba import njit

ALBEDO: Final = 0  # and the two after it
ROUGH: Final = 3
SPECULAR: Final = 4
SCATTER: Final = 5
CAVITY: Final = 6
CHANNELS: Final = 7
"""Channels of the painted maps: linear albedo, roughness, reflectance (1: skin's 0.028), how far light
spreads below the surface (1: skin, 0: cloth), and share of light that reaches the bottom of fine relief."""
SKIN_F0: Final = np.float32(0.028)
ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
PI = np.float32(np.pi)


@njit(inline="always", fastmath=True)
@no_type_check
def _harmonics(sh, c, x, y, z):
    value = (
        sh[0, c] * np.float32(0.28209479)
        + np.float32(0.48860251) * (sh[1, c] * y + sh[2, c] * z + sh[3, c] * x)
        + np.float32(1.09254843) * (sh[4, c] * x * y + sh[5, c] * y * z + sh[7, c] * x * z)
        + sh[6, c] * np.float32(0.31539157) * (np.float32(3) * z * z - ONE)
        + sh[8, c] * np.float32(0.54627422) * (x * x - y * y)
    )
    return max(value, ZERO)


@njit(inline="always", fastmath=True)
@no_type_check
def _lobe(rough, nl, nv, nh):
    """GGX distribution times Smith's shadowing over 4 nl nv."""
    a = rough * rough
    a2 = a * a
    d = nh * nh * (a2 - ONE) + ONE
    k = a * HALF
    visible = (nl * (ONE - k) + k) * (nv * (ONE - k) + k)
    return a2 / (PI * d * d * np.float32(4) * visible)


@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
@no_type_check
def shade(xyz, normal, face, grad_u, grad_v, slope, maps, sky, lit, eye, key, key_colour, sh, out, light_out):
    """Radiance [N, 3] of surface points, and the light on them (irradiance / pi) [N, 3].

    xyz, normal [N, 3]; grad_u, grad_v [F, 3] change of the chart's coordinates along the surface; slope
    [N, 2] of the relief; maps [N, CHANNELS]; sky, lit [N] shares of surroundings and key; eye [3] the camera;
    key [3] direction, key_colour [3] and sh [9, 3] as in `Light`.
    """
    n3 = np.empty((4, 3), np.float32)
    for n in range(xyz.shape[0]):
        vx, vy, vz = eye[0] - xyz[n, 0], eye[1] - xyz[n, 1], eye[2] - xyz[n, 2]
        scale = ONE / np.sqrt(vx * vx + vy * vy + vz * vz)
        vx, vy, vz = vx * scale, vy * scale, vz * scale
        x, y, z = normal[n, 0], normal[n, 1], normal[n, 2]
        facing = x * vx + y * vy + z * vz
        if facing < np.float32(0.02):  # a smooth normal may look away at an edge
            push = np.float32(0.02) - facing
            x, y, z = x + push * vx, y + push * vy, z + push * vz
            scale = ONE / np.sqrt(x * x + y * y + z * z)
            x, y, z = x * scale, y * scale, z * scale
        f = face[n]
        su, sv = slope[n, 0], slope[n, 1]
        bx = x - su * grad_u[f, 0] - sv * grad_v[f, 0]
        by = y - su * grad_u[f, 1] - sv * grad_v[f, 1]
        bz = z - su * grad_u[f, 2] - sv * grad_v[f, 2]
        scale = ONE / np.sqrt(bx * bx + by * by + bz * bz)
        bx, by, bz = bx * scale, by * scale, bz * scale
        nv = bx * vx + by * vy + bz * vz
        if nv < np.float32(0.03):
            push = np.float32(0.03) - nv
            bx, by, bz = bx + push * vx, by + push * vy, bz + push * vz
            nv = np.float32(0.03)
        scatter, cavity = maps[n, SCATTER], maps[n, CAVITY]
        for c in range(3):
            k = scatter * (np.float32(0.75) if c == 0 else np.float32(0.4) if c == 1 else np.float32(0.2))
            n3[c, 0], n3[c, 1], n3[c, 2] = bx + k * (x - bx), by + k * (y - by), bz + k * (z - bz)
        nl = bx * key[0] + by * key[1] + bz * key[2]
        rough = maps[n, ROUGH]
        f0 = SKIN_F0 * maps[n, SPECULAR]
        seen = sky[n] * cavity
        # key light, reflected
        gloss = ZERO
        if nl > ZERO:
            hx, hy, hz = vx + key[0], vy + key[1], vz + key[2]
            scale = ONE / np.sqrt(hx * hx + hy * hy + hz * hz)
            nh = (bx * hx + by * hy + bz * hz) * scale
            vh = (vx * hx + vy * hy + vz * hz) * scale
            m = ONE - vh
            fresnel = f0 + (ONE - f0) * m * m * m * m * m
            two = np.float32(0.88) * _lobe(rough, nl, nv, nh)
            two += np.float32(0.12) * _lobe(max(rough * np.float32(0.6), np.float32(0.12)), nl, nv, nh)
            gloss = two * fresnel * nl * PI * lit[n] * cavity
        # surroundings, reflected
        rx = np.float32(2) * nv * bx - vx
        ry = np.float32(2) * nv * by - vy
        rz = np.float32(2) * nv * bz - vz
        r0, r1 = ONE - rough, np.float32(0.0425) - np.float32(0.0275) * rough
        r2, r3 = np.float32(1.04) - np.float32(0.572) * rough, np.float32(0.022) * rough - np.float32(0.04)
        a004 = min(r0 * r0, np.float32(2) ** (np.float32(-9.28) * nv)) * r0 + r1
        mirror = f0 * (np.float32(-1.04) * a004 + r2) + (np.float32(1.04) * a004 + r3) * min(
            ONE, np.float32(12) * f0
        )
        mirror = np.float32(0.8) * max(mirror, ZERO) * seen * seen
        for c in range(3):
            albedo = maps[n, ALBEDO + c]
            k = ONE if c == 0 else np.float32(0.42) if c == 1 else np.float32(0.2)
            wrap = scatter * k * np.float32(0.24)
            dot = n3[c, 0] * key[0] + n3[c, 1] * key[1] + n3[c, 2] * key[2]
            ease = np.float32(2.2) * wrap + np.float32(0.02)  # a smooth foot instead of a kink
            direct = max((dot + wrap) / (ONE + wrap), ZERO)
            direct = direct * direct / (TWO * ease) if direct < ease else direct - ease * HALF
            direct /= ONE - ease * HALF
            # where light only grazes, the map holds the surface's own shadow, which the wrap replaces
            graze = min(max((dot + np.float32(0.15)) / np.float32(0.45), ZERO), ONE)
            shadow = ONE - graze * (ONE - lit[n])
            soft = scatter * k * np.float32(0.35)
            shadow = shadow * (ONE - soft) + soft * np.sqrt(shadow)
            fill = seen / (seen + (ONE - seen) * (ONE - np.float32(0.75) * albedo))
            ambient = _harmonics(sh, c, n3[c, 0], n3[c, 1], n3[c, 2]) * fill
            light = ambient + key_colour[c] * direct * shadow * (HALF + HALF * cavity)
            light_out[n, c] = light
            out[n, c] = albedo * light + gloss * key_colour[c] + mirror * _harmonics(sh, c, rx, ry, rz)
