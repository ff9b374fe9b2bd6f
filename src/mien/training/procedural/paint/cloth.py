"""Clothes on the body's chart: the neckline, the weave, the pattern, seams, buttons and folds."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from mien.morphable.chart import AXIS_Z
from mien.training.procedural.atlas import AtlasGuide, smooth_noise, smoothstep
from mien.training.procedural.factors import ClothesLook
from mien.training.procedural.paint.canvas import MM, Canvas
from mien.training.procedural.render.shading import CAVITY, ROUGH, SCATTER, SPECULAR
from mien.training.procedural.semantics import Semantic

ROUGHNESS: Final = {"knit": 0.85, "cotton": 0.78, "denim": 0.75, "wool": 0.9, "silk": 0.42}
SHEEN: Final = {"knit": 0.6, "cotton": 0.7, "denim": 0.7, "wool": 0.5, "silk": 1.5}


@dataclass(frozen=True, eq=False)
class ClothPlace:
    """Where cloth lies, per texel of the atlas."""

    mask: np.ndarray
    """float32 [ATLAS, ATLAS], 1 on cloth, soft within a few texels of the edge."""
    below: np.ndarray
    """float32 [ATLAS, ATLAS], distance below the neckline, EG3D units."""
    theta: np.ndarray
    """float32 [ATLAS, ATLAS], azimuth in rad, 0 in front."""


def neckline(look: ClothesLook, theta: np.ndarray) -> np.ndarray:
    """Height of the neckline on the template head at azimuths in rad, EG3D units."""
    front = np.abs(theta)
    if look.neckline in ("v_neck", "shirt"):
        width = 0.55 if look.neckline == "v_neck" else 0.42
        dip = look.depth * np.clip(1 - front / width, 0, 1)
    else:
        dip = look.depth * np.exp(-((front / 0.75) ** 2))
    return np.asarray(look.line_y - dip + 0.02 * smoothstep(front, 1.8, 3.0))


def place_cloth(guide: AtlasGuide, look: ClothesLook) -> ClothPlace:
    """The neckline and what is below it."""
    theta = np.arctan2(guide.x, guide.z - AXIS_Z).astype(np.float32)
    edge = neckline(look, theta)
    below = (edge - guide.y).astype(np.float32)
    return ClothPlace(smoothstep(below, -0.0025, 0.0025), below, theta)


def paint_cloth(
    canvas: Canvas, guide: AtlasGuide, look: ClothesLook, place: ClothPlace, rng: np.random.Generator
) -> None:
    """Cover the skin of a canvas with cloth where it lies."""
    mask = place.mask
    band = _collar(look, place)
    weave = _weave(look, rng) * guide.even
    colour = _pattern(guide, look, place, rng)
    fade = 1 + 0.04 * smooth_noise(rng, 18) + 0.025 * smooth_noise(rng, 200) * guide.even + 0.10 * weave
    canvas.blend(np.clip(colour * fade[..., None], 0.004, 0.9).astype(np.float32), mask)
    relief = _folds(place, rng) * (1 - 0.6 * band) + 0.09 * MM * weave * (
        1.6 if look.fabric in ("knit", "wool") else 0.6
    )
    relief, shade = _seams(look, place, band, guide.even, relief)
    canvas.height[:] += (relief - canvas.height) * mask
    canvas.mix(ROUGH, ROUGHNESS[look.fabric], mask)
    canvas.mix(SPECULAR, SHEEN[look.fabric], mask)
    canvas.mix(SCATTER, 0.0, mask)
    canvas.mix(CAVITY, shade * (0.93 + 0.07 * weave), mask)
    canvas.material[mask > 0.5] = Semantic.CLOTHES


def _collar(look: ClothesLook, place: ClothPlace) -> np.ndarray:
    """Soft mask of the collar's band along the neckline."""
    width = {
        "crew": 0.024,
        "v_neck": 0.018,
        "shirt": 0.052,
        "turtleneck": 0.11,
        "hoodie": 0.075,
        "scoop": 0.012,
    }
    return smoothstep(place.below, -0.002, 0.001) - smoothstep(
        place.below, width[look.neckline] - 0.002, width[look.neckline] + 0.002
    )


def _seams(
    look: ClothesLook, place: ClothPlace, band: np.ndarray, even: np.ndarray, relief: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Collars stand out, ribs run across them; a shirt has a row of buttons."""
    edge = np.abs(cv2.GaussianBlur(band, (0, 0), 1.5) - 0.5)
    dark = 1 - 0.45 * np.exp(-((edge / 0.22) ** 2)) * smoothstep(place.below, 0.003, 0.006)
    relief = relief + 1.3 * MM * cv2.GaussianBlur(band, (0, 0), 2.0)
    if look.neckline in ("crew", "v_neck", "turtleneck") and look.fabric != "silk":
        relief = relief + 0.3 * MM * np.sin(place.theta * 110) * band * even
    if look.neckline == "shirt":
        x = place.theta
        placket = np.exp(-(((np.abs(x) - 0.055) / 0.008) ** 2)) * smoothstep(place.below, 0.0, 0.01)
        relief = relief - 0.6 * MM * placket
        dark = dark * (1 - 0.3 * placket)
        drop = (place.below - 0.035) % 0.11 - 0.055
        r = np.hypot(x * 0.22, drop)
        button = 1 - smoothstep(r, 0.006, 0.0075)
        relief = relief + 1.2 * MM * button
        dark = dark * (1 - 0.35 * np.exp(-(((r - 0.008) / 0.0015) ** 2)))
    return relief.astype(np.float32), dark.astype(np.float32)


def _weave(look: ClothesLook, rng: np.random.Generator) -> np.ndarray:
    """Fine structure in about [-1, 1]."""
    share = {
        "knit": (190, 0.5),
        "wool": (150, 0.55),
        "denim": (300, 0.35),
        "cotton": (340, 0.2),
        "silk": (340, 0.15),
    }
    cells, amount = share[look.fabric]
    return np.float32(amount) * (0.7 * smooth_noise(rng, cells) + 0.4 * smooth_noise(rng, 2 * cells))


def _folds(place: ClothPlace, rng: np.random.Generator) -> np.ndarray:
    """Soft folds that fall from the shoulders and pull towards the middle."""
    bend = 0.25 * smooth_noise(rng, 8)
    slant = place.theta * rng.uniform(7, 12) + place.below * rng.uniform(10, 30) * np.sign(place.theta)
    waves = np.sin(slant + 5 * bend) * smoothstep(place.below, 0.03, 0.16)
    return (2.6 * MM * waves * (0.5 + 0.5 * smooth_noise(rng, 7)) + 1.1 * MM * smooth_noise(rng, 22)).astype(
        np.float32
    )


def _pattern(guide: AtlasGuide, look: ClothesLook, place: ClothPlace, rng: np.random.Generator) -> np.ndarray:
    """Linear colours [ATLAS, ATLAS, 3] (or [1, 1, 3])."""
    first, second = look.colour[None, None], look.second_colour[None, None]
    if look.pattern == "plain":
        return first
    across, down = guide.x + 0.0015 * smooth_noise(rng, 20), guide.y + 0.002 * smooth_noise(rng, 20)
    if look.neckline == "shirt" or look.pattern == "checks":
        stripes = smoothstep(np.sin(across * (2 * np.pi / (look.scale * 0.5))), 0.3, 0.6)
    else:
        stripes = smoothstep(np.sin(down * (2 * np.pi / look.scale)), -0.1, 0.1)
    share = stripes
    if look.pattern == "checks":
        other = smoothstep(np.sin(down * (2 * np.pi / (look.scale * 0.5))), 0.3, 0.6)
        share = 0.5 * (stripes + other)
    elif look.pattern == "dots":
        a, b = (across / look.scale) % 1 - 0.5, (down / look.scale) % 1 - 0.5
        share = 1 - smoothstep(np.hypot(a, b), 0.18, 0.24)
    elif look.pattern == "print":
        blobs = smooth_noise(rng, 24) + 0.5 * smooth_noise(rng, 60)
        share = smoothstep(blobs, 0.4, 0.5) * smoothstep(place.below, 0.06, 0.1)
    return np.asarray(first + (second - first) * share[..., None])
