"""Light on strands.

Diffuse light and two shifted highlights follow Kajiya and Kay 1989 with the split of Marschner et al. 2003
(Light scattering from human hair fibers) as Scheuermann 2004 uses it: a white one that leans to the root, a
coloured one that leans to the tip; light from behind passes tinted. The surroundings' light comes through
harmonics towards the strand's outer side, and by what the sky's share lets in.
"""

# mypy: disable-error-code="no-untyped-def"
from typing import Final, no_type_check

import numpy as np
from numba import njit

from mien.core.camera import Camera
from mien.training.procedural.light import Light
from mien.training.procedural.strands.base import StrandKind, Strands
from mien.training.procedural.strands.raster import StrandHits

AXIS_Z: Final = -0.07
TOP_Y: Final = 0.05
"""Outer sides point away from a vertical line behind the face that ends inside the skull."""
SHIFT: Final = (-0.09, 0.12)
"""Of the white and the coloured highlight along the strand, rad."""
POWER: Final = (70.0, 22.0)
GLOSS: Final = (0.09, 0.55)
"""Strengths of the two highlights."""


def shade_strands(
    hits: StrandHits,
    strands: Strands,
    light: Light,
    camera: Camera,
    transmittance: np.ndarray,
    sky: np.ndarray | None = None,
) -> np.ndarray:
    """Radiance float32 [H, W, 3] of the strands seen, linear; 0 where there is none.

    transmittance [N]: share of the key light that reaches `hits.xyz(strands)`; sky [N]: share of the
    surroundings (1 unless given).
    """
    rgb = np.zeros((hits.index.size, 3), np.float32)
    sky = np.ones(len(hits.samples), np.float32) if sky is None else sky
    rgb[hits.samples] = shade_samples(hits, hits.xyz(strands), strands, light, camera, transmittance, sky)
    return rgb.reshape(*hits.index.shape, 3)


def shade_samples(
    hits: StrandHits, xyz: np.ndarray, strands: Strands, light: Light, camera: Camera,
    transmittance: np.ndarray, sky: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Radiance float32 [N, 3] of the samples that show strands, at xyz float32 [N, 3], as `shade_strands`."""
    seen = hits.samples
    out = np.empty((len(seen), 3), np.float32)
    if len(seen):
        index, along = hits.index.ravel()[seen], hits.along.ravel()[seen]
        tangent, normal = np.ascontiguousarray(hits.tangent.reshape(-1, 3)[seen]), np.empty_like(out)
        outer_sides(xyz, tangent, normal)
        soft = light.irradiance(normal).astype(np.float32)
        eye = camera.position.numpy().astype(np.float32)
        hair = (strands.kind == StrandKind.HAIR).astype(np.float32)
        key = light.key.direction.astype(np.float32), light.key.colour.astype(np.float32)
        _shade(xyz, tangent, normal, index, along, strands.albedo, hair, soft, *key,
               transmittance.astype(np.float32), sky, eye, out)  # fmt: skip
    return out


@njit(cache=True, nogil=True)
@no_type_check
def outer_sides(xyz, tangent, out):
    """Unit normals [N, 3] of the hair's outer surface, square to tangents [N, 3], into out [N, 3].

    The compiled `plain_outer_sides`: without fast mathematics, so that it is equal to the last bit.
    """
    small, most = np.float32(1e-6), np.float32(0.85)
    for n in range(xyz.shape[0]):
        x, z = xyz[n, 0], xyz[n, 2] - np.float32(AXIS_Z)
        y = max(xyz[n, 1] - np.float32(TOP_Y), np.float32(0))
        length = np.sqrt(x * x + y * y + z * z) + small
        x, y, z = x / length, y / length, z / length
        s = most * (x * tangent[n, 0] + y * tangent[n, 1] + z * tangent[n, 2])
        x, y, z = x - s * tangent[n, 0], y - s * tangent[n, 1], z - s * tangent[n, 2]
        length = np.sqrt(x * x + y * y + z * z) + small
        out[n, 0], out[n, 1], out[n, 2] = x / length, y / length, z / length


def plain_outer_sides(xyz: np.ndarray, tangent: np.ndarray) -> np.ndarray:
    """Unit normals float32 [N, 3] of the hair's outer surface, square to tangents [N, 3]."""
    out = xyz - np.array([0, 0, AXIS_Z], np.float32)
    out[:, 1] = np.clip(xyz[:, 1] - TOP_Y, 0, None)
    out /= np.linalg.norm(out, axis=1, keepdims=True) + 1e-6
    out -= 0.85 * (out * tangent).sum(1, keepdims=True) * tangent
    return np.asarray(out / (np.linalg.norm(out, axis=1, keepdims=True) + 1e-6), dtype=np.float32)


@njit(inline="always", fastmath=True)
@no_type_check
def _lobe(th, shift, power):
    """Highlight of a strand whose tangent meets the half vector at cosine th."""
    sin = np.sqrt(max(np.float32(1) - (th + shift) * (th + shift), np.float32(0)))
    return sin**power


@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
@no_type_check
def _shade(xyz, tangent, normal, index, along, albedo, hair, soft, key, key_colour, lit, sky, eye, out):
    one, zero, half = np.float32(1), np.float32(0), np.float32(0.5)
    for n in range(xyz.shape[0]):
        s = index[n]
        vx, vy, vz = eye[0] - xyz[n, 0], eye[1] - xyz[n, 1], eye[2] - xyz[n, 2]
        scale = one / np.sqrt(vx * vx + vy * vy + vz * vz)
        vx, vy, vz = vx * scale, vy * scale, vz * scale
        tx, ty, tz = tangent[n, 0], tangent[n, 1], tangent[n, 2]
        tl = tx * key[0] + ty * key[1] + tz * key[2]
        hx, hy, hz = vx + key[0], vy + key[1], vz + key[2]
        scale = one / (np.sqrt(hx * hx + hy * hy + hz * hz) + np.float32(1e-6))
        th = (tx * hx + ty * hy + tz * hz) * scale
        facing = normal[n, 0] * key[0] + normal[n, 1] * key[1] + normal[n, 2] * key[2]
        sine = np.sqrt(max(one - tl * tl, zero))
        wrapped = min(max((facing + np.float32(0.35)) / np.float32(1.35), zero), one)
        front = min(max(facing * np.float32(2) + half, zero), one)
        behind = max(-(vx * key[0] + vy * key[1] + vz * key[2]), zero)
        through = behind * behind * behind * np.float32(0.7) * lit[n] * lit[n]
        jitter = np.float32((s * 0.618034) % 1.0) - half
        white = _lobe(th, np.float32(SHIFT[0]) + np.float32(0.07) * jitter, np.float32(POWER[0]))
        tinted = _lobe(th, np.float32(SHIFT[1]) + np.float32(0.12) * jitter, np.float32(POWER[1]))
        white *= np.float32(GLOSS[0]) * front * lit[n] * hair[s]
        tinted *= np.float32(GLOSS[1]) * front * lit[n] * hair[s]
        fade = np.sqrt(np.float32(1.3) - np.float32(0.45) * along[n]) if hair[s] > zero else one
        rim = one - abs(vx * normal[n, 0] + vy * normal[n, 1] + vz * normal[n, 2])
        sheen = np.float32(0.022) * (one + np.float32(2) * rim * rim) * hair[s]
        for c in range(3):
            a = albedo[s, c] ** fade
            diffuse = a * (half * wrapped + half * sine * wrapped) * lit[n]
            deep = sky[n] ** (one + half * (one - a))  # bright hair fills its own depth
            out[n, c] = key_colour[c] * (
                diffuse + white + tinted * np.sqrt(a) * (a + np.float32(0.03)) + through * a
            )
            out[n, c] += soft[n, c] * deep * (a + sheen)
