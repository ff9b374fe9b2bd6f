"""Eyeballs on the strip: sclera with veins, limbus, an iris with fibres, the pupil.

The island's radius 1 is 100 degrees from the axis of gaze.
"""

from typing import Final

import cv2
import numpy as np

from mien.training.procedural.atlas import Island, island, smoothstep
from mien.training.procedural.factors import EyeLook
from mien.training.procedural.paint.canvas import Canvas
from mien.training.procedural.render.shading import CAVITY, ROUGH, SCATTER, SPECULAR
from mien.training.procedural.semantics import Semantic

RADIUS_RAD: Final = float(np.radians(100))
OUTER_IRIS: Final = {
    "dark brown": ((0.030, 0.014, 0.008), (0.060, 0.028, 0.014)),
    "brown": ((0.075, 0.034, 0.014), (0.17, 0.080, 0.032)),
    "hazel": ((0.12, 0.085, 0.030), (0.22, 0.16, 0.06)),
    "green": ((0.09, 0.105, 0.055), (0.18, 0.195, 0.11)),
    "blue": ((0.075, 0.115, 0.165), (0.20, 0.26, 0.33)),
    "grey": ((0.13, 0.16, 0.18), (0.27, 0.31, 0.34)),
}  # fmt: skip
"""Linear colours of the iris' outer part: darkest and lightest of each kind."""
INNER_IRIS: Final = {
    "dark brown": (0.050, 0.022, 0.010), "brown": (0.13, 0.060, 0.022), "hazel": (0.19, 0.095, 0.028),
    "green": (0.20, 0.14, 0.05), "blue": (0.22, 0.24, 0.22), "grey": (0.26, 0.24, 0.19),
}  # fmt: skip
"""Around the pupil."""


def paint_eyes(strip: Canvas, look: EyeLook, rng: np.random.Generator) -> None:
    """Both eyes, alike but for fibres and veins."""
    for part in ("eye_left", "eye_right"):
        _paint_eye(strip, part, look, rng)


def _paint_eye(strip: Canvas, part: str, look: EyeLook, rng: np.random.Generator) -> None:
    at = island(part)
    r = np.hypot(at.x, at.y) * RADIUS_RAD
    angle = np.arctan2(at.y, at.x)
    sclera = _sclera(part, at, r, look, rng)
    iris = _iris(r, angle, look, rng)
    rim = look.iris_rad
    inside = 1 - smoothstep(r, rim - 0.055, rim + 0.045)
    colour = sclera + (iris - sclera) * inside[..., None]
    pupil = 1 - smoothstep(r, look.pupil_rad - 0.02, look.pupil_rad + 0.02)
    colour = colour + (np.array([0.0035, 0.003, 0.003]) - colour) * pupil[..., None]
    where = at.rows, at.columns
    strip.maps[(*where, slice(0, 3))] = colour
    strip.maps[(*where, ROUGH)] = 0.35
    strip.maps[(*where, SPECULAR)] = 1.0
    strip.maps[(*where, SCATTER)] = 1 - inside
    strip.maps[(*where, CAVITY)] = 1.0
    kind = np.where(r < look.pupil_rad, Semantic.PUPIL, np.where(r < rim, Semantic.IRIS, Semantic.SCLERA))
    strip.material[where] = kind


def _sclera(part: str, at: Island, r: np.ndarray, look: EyeLook, rng: np.random.Generator) -> np.ndarray:
    white = np.array([0.47, 0.43, 0.40]) * (1 - look.yellowness * np.array([0.10, 0.18, 0.42]))
    pink = np.array([0.60, 0.40, 0.35])
    far = smoothstep(r, look.iris_rad, 1.1) * (0.35 + 0.4 * look.veins)
    image = white + (pink - white) * far[..., None]
    toward_nose = at.x * (-1 if part == "eye_left" else 1) * RADIUS_RAD
    corner = smoothstep(toward_nose - 0.5 * np.abs(at.y), 0.72, 0.98)
    image = image + (np.array([0.42, 0.19, 0.155]) - image) * (0.85 * corner)[..., None]
    red = _veins(at, look, rng)
    return np.asarray(
        image + (np.array([0.45, 0.11, 0.08]) - image) * (red * smoothstep(r, look.iris_rad, 0.8))[..., None]
    )


def _veins(at: Island, look: EyeLook, rng: np.random.Generator) -> np.ndarray:
    """Fine crooked vessels that run from the corners towards the iris, [H, W]."""
    height, width = at.x.shape
    image = np.zeros((height, width), np.float32)
    centre = np.array([np.interp(0, at.x[0], np.arange(width)), np.interp(0, at.y[:, 0], np.arange(height))])
    scale = 1 / (at.x[0, 1] - at.x[0, 0]) / RADIUS_RAD  # texels per rad
    for _ in range(int(18 + 30 * look.veins)):
        turn = rng.choice([0.0, np.pi]) + rng.normal(0, 0.75)
        radii = np.linspace(1.35, rng.uniform(0.62, 0.95), 9)
        turns = turn + np.cumsum(rng.normal(0, 0.06, 9))
        points = centre + (radii * scale)[:, None] * np.stack([np.cos(turns), np.sin(turns)], 1)
        fixed = np.round(points * 16).astype(np.int32)
        cv2.polylines(image, [fixed], False, float(rng.uniform(0.15, 0.6)), 1, cv2.LINE_AA, 4)
    return np.asarray(np.clip(cv2.GaussianBlur(image, (0, 0), 0.7), 0, 1) * (0.25 + 0.75 * look.veins))


def _iris(r: np.ndarray, angle: np.ndarray, look: EyeLook, rng: np.random.Generator) -> np.ndarray:
    dark, light = (np.array(c) for c in OUTER_IRIS[look.iris])
    outer = dark + (light - dark) * look.shade
    inner = np.array(INNER_IRIS[look.iris]) * (0.7 + 0.6 * look.shade)
    share = np.clip((r - look.pupil_rad) / (look.iris_rad - look.pupil_rad), 0, 1)
    wavy = 0.10 * np.interp(angle, np.linspace(-np.pi, np.pi, 33), _ring(rng, 33))
    ring = 1 - smoothstep(share + wavy, 0.15, 0.42)
    colour = outer + (inner - outer) * ring[..., None]
    bins = np.linspace(-np.pi, np.pi, 181)
    fibre = np.interp(angle, bins, _ring(rng, 181)) + 0.7 * np.interp(
        angle + 0.3 * share, bins, _ring(rng, 181)
    )
    fibre *= np.sqrt(np.maximum(np.sin(np.clip(share * 1.05, 0, 1) * np.pi), 0))
    crypts = np.interp(angle, np.linspace(-np.pi, np.pi, 41), _ring(rng, 41)) * np.exp(
        -(((share - 0.5) / 0.2) ** 2)
    )
    colour = colour * np.clip(1 + 0.26 * fibre - 0.15 * np.maximum(crypts, 0), 0.35, 1.9)[..., None]
    limbus = look.limbus * smoothstep(share, 0.74, 1.0)
    collarette = 1 - 0.35 * np.exp(-(((share - 0.02) / 0.07) ** 2))
    return np.asarray(0.72 * colour * (1 - 0.72 * limbus)[..., None] * collarette[..., None])


def _ring(rng: np.random.Generator, count: int) -> np.ndarray:
    """Random values [count] that meet at both ends."""
    values = rng.normal(0, 1, count)
    values[-1] = values[0]
    return values
