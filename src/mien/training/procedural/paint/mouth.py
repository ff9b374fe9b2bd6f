"""Teeth, gums, tongue and the mouth's walls on the strip."""

from typing import Final

import numpy as np

from mien.morphable.model import PARTS, MorphableModel
from mien.morphable.teeth import WIDTHS_MM, arch_mm
from mien.training.procedural.atlas import Island, island, smooth_noise, smoothstep
from mien.training.procedural.factors import MouthLook
from mien.training.procedural.paint.canvas import MM, Canvas
from mien.training.procedural.render.shading import CAVITY, ROUGH, SCATTER, SPECULAR
from mien.training.procedural.semantics import Semantic

CROWN_MM: Final = {
    "teeth_upper": (10.4, 9.2, 10.2, 8.6, 8.0, 7.2, 7.0),
    "teeth_lower": (8.8, 9.2, 10.5, 8.6, 8.0, 7.4, 7.0),
}
GUM: Final = np.array([0.42, 0.155, 0.135])
TONGUE: Final = np.array([0.40, 0.155, 0.135])
WALL: Final = np.array([0.30, 0.075, 0.06])


def paint_mouth(strip: Canvas, model: MorphableModel, look: MouthLook, rng: np.random.Generator) -> None:
    """All of it."""
    assert PARTS[3:] == ("teeth_upper", "teeth_lower", "tongue", "mouth")
    for part in ("teeth_upper", "teeth_lower"):
        _teeth(strip, model, part, look, rng)
    _tongue(strip, island("tongue"), rng)
    _walls(strip, island("mouth"), look, rng)


def _enamel(shade: float) -> np.ndarray:
    return np.array([0.74, 0.70, 0.62]) * (1 - shade * np.array([0.20, 0.30, 0.50]))


def _teeth(
    strip: Canvas, model: MorphableModel, part: str, look: MouthLook, rng: np.random.Generator
) -> None:
    at = island(part)
    bins, length, tall = arch_mm(model, part)
    s = np.interp(at.x, bins, length)
    upper = part == "teeth_upper"
    from_edge = (at.y + 1) / 2 * tall if upper else (1 - at.y) / 2 * tall
    edges = np.concatenate([[0], np.cumsum(WIDTHS_MM[part])])
    side = np.abs(s)
    tooth = np.clip(np.searchsorted(edges, side) - 1, 0, 6)
    both = tooth + 7 * (s < 0)
    middle = (edges[tooth] + edges[tooth + 1]) / 2
    half = (edges[tooth + 1] - edges[tooth]) / 2
    across = (side - middle) / half  # [-1, 1] over a tooth
    crown = np.array(CROWN_MM[part])[tooth] + rng.normal(0, 0.3, 14)[both] - (0.0 if upper else 0.3)
    trim = (
        np.abs(rng.normal(0, 0.35 + 0.5 * look.crooked, 14))[both]
        + np.array([0.0, 0.7, 0.1, 0.5, 0.7, 0.9, 1.0])[tooth]
    )
    crown_top = crown - 1.6 * across**2
    is_tooth = 1 - smoothstep(from_edge, crown_top - 0.25, crown_top + 0.25)
    corner = np.clip(np.abs(across) - 0.5, 0, 1) ** 2 * 6 + trim * 0.7
    gone = 1 - smoothstep(from_edge, corner - 0.25, corner + 0.25)
    gap_mm = 0.02 + 0.22 * look.gap
    gap = smoothstep(np.abs(across) * half, half - gap_mm - 0.35, half - gap_mm + 0.12) * (
        0.35 + 0.5 * look.gap
    )
    if look.gap > 0.8:
        gap = np.maximum(
            gap, 1 - smoothstep(side, 0.35 + 2.2 * (look.gap - 0.8), 0.8 + 2.2 * (look.gap - 0.8))
        )
    _lay_teeth(strip, at, look, rng, is_tooth, gap, gone, across, from_edge, crown, both, tooth)


def _lay_teeth(
    strip: Canvas, at: Island, look: MouthLook, rng: np.random.Generator, is_tooth: np.ndarray,
    gap: np.ndarray,
    gone: np.ndarray, across: np.ndarray, from_edge: np.ndarray, crown: np.ndarray, both: np.ndarray,
    tooth: np.ndarray,
) -> None:  # fmt: skip
    own = 1 + rng.normal(0, 0.035, (14, 1))[both] - 0.035 * (tooth == 2)[..., None]
    enamel = _enamel(look.teeth_shade) * own
    share = np.clip(from_edge / crown, 0, 1)[..., None]
    enamel = enamel * (1 - share**2 * np.array([0.06, 0.14, 0.26]))  # darker, yellower at the neck
    tip = np.exp(-((share / 0.14) ** 2))
    enamel = enamel * (1 - tip * np.array([0.22, 0.16, 0.10]))  # light passes through the edge
    gum = GUM * (0.75 + 0.35 * look.gums) * (1 + 0.08 * smooth_noise(rng, 16, 64)[:1, :1])
    colour = gum + (enamel - gum) * is_tooth[..., None]
    dark = np.array([0.05, 0.016, 0.012])
    colour = colour + (dark - colour) * (0.82 * gap * is_tooth)[..., None]
    colour = colour + (dark * 0.6 - colour) * (gone * is_tooth)[..., None]
    bulge = 0.75 * MM * np.sqrt(np.maximum(1 - across**2, 0)) + 0.4 * MM * np.sqrt(
        np.clip(share[..., 0], 0, 1)
    )
    turned = rng.normal(0, 0.35 * look.crooked, 14)[both] * MM * across
    where = at.rows, at.columns
    strip.maps[(*where, slice(0, 3))] = colour
    strip.maps[(*where, ROUGH)] = 0.30 - 0.06 * is_tooth
    strip.maps[(*where, SPECULAR)] = 1.5 * (1 - np.maximum(gap, gone) * is_tooth)
    strip.maps[(*where, SCATTER)] = 0.7
    strip.maps[(*where, CAVITY)] = 1 - 0.5 * gap * is_tooth
    strip.height[where] = bulge * is_tooth + turned * is_tooth - 0.5 * MM * gap
    strip.material[where] = np.where(
        is_tooth * (1 - gone) > 0.5, Semantic.TEETH, np.where(is_tooth > 0.5, Semantic.MOUTH, Semantic.GUMS)
    )


def _tongue(strip: Canvas, at: Island, rng: np.random.Generator) -> None:
    shape = at.x.shape
    size = max(shape)
    noise = [smooth_noise(rng, n, size)[: shape[0], : shape[1]] for n in (10, 70)]
    groove = np.exp(-((at.x / 0.07) ** 2)) * smoothstep(at.y, -0.9, 0.2)
    where = at.rows, at.columns
    coat = np.clip(0.25 + 0.2 * noise[0], 0, 1) * (1 - np.abs(at.x)) * smoothstep(-at.y, -0.9, 0.6)
    colour = TONGUE * (1 + 0.08 * noise[0] - 0.15 * groove)[..., None]
    strip.maps[(*where, slice(0, 3))] = colour + (np.array([0.45, 0.30, 0.26]) - colour) * coat[..., None]
    strip.maps[(*where, ROUGH)] = 0.38
    strip.maps[(*where, SPECULAR)] = 1.4
    strip.maps[(*where, SCATTER)] = 1.0
    strip.maps[(*where, CAVITY)] = 1 - 0.4 * groove
    strip.height[where] = 0.25 * MM * noise[1] - 0.6 * MM * groove
    strip.material[where] = Semantic.TONGUE


def _walls(strip: Canvas, at: Island, look: MouthLook, rng: np.random.Generator) -> None:
    size = max(at.x.shape)
    noise = smooth_noise(rng, 14, size)[: at.x.shape[0], : at.x.shape[1]]
    where = at.rows, at.columns
    front = smoothstep(at.y, 0.1, 1.0)[..., None]
    colour = WALL * (0.8 + 0.3 * look.gums) * (1 + 0.1 * noise)[..., None]
    strip.maps[(*where, slice(0, 3))] = colour * (0.7 + 0.3 * front)
    strip.maps[(*where, ROUGH)] = 0.35
    strip.maps[(*where, SPECULAR)] = 1.2
    strip.maps[(*where, SCATTER)] = 1.0
    strip.maps[(*where, CAVITY)] = 1.0
    strip.height[where] = 0.4 * MM * noise
    strip.material[where] = Semantic.MOUTH
