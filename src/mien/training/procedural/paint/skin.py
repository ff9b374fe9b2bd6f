"""Skin: chromophores, spots, shine and fine relief."""

from typing import Final

import cv2
import numpy as np

from mien.training.procedural.atlas import ATLAS, AtlasGuide, smooth_noise, smoothstep
from mien.training.procedural.chromophores import skin_albedo
from mien.training.procedural.factors import LipLook, SkinLook
from mien.training.procedural.paint.canvas import MM, Canvas, Patch
from mien.training.procedural.paint.lines import LineGroup
from mien.training.procedural.render.shading import CAVITY, ROUGH, SCATTER, SPECULAR
from mien.training.procedural.semantics import Semantic

LIPS_OUTER: Final = (
    61,
    146,
    91,
    181,
    84,
    17,
    314,
    405,
    321,
    375,
    291,
    409,
    270,
    269,
    267,
    0,
    37,
    39,
    40,
    185,
)
LIPS_INNER: Final = (
    78,
    95,
    88,
    178,
    87,
    14,
    317,
    402,
    318,
    324,
    308,
    415,
    310,
    311,
    312,
    13,
    82,
    81,
    80,
    191,
)
NOSE_TIP, NOSE_WINGS, CHIN, FOREHEAD = 4, (48, 278), 199, 151
CHEEKS: Final = (50, 280)
LIDS: Final = (159, 145, 386, 374)
BEARD: Final = (
    58,
    172,
    136,
    150,
    149,
    176,
    148,
    152,
    377,
    400,
    378,
    379,
    365,
    397,
    288,
    410,
    393,
    164,
    167,
    186,
)
EARS: Final = (127, 356)
AT_REST: Final = {
    "forehead": 0.95, "crows_feet": 1.0, "glabella": 0.9, "nasolabial": 0.9, "marionette": 0.8, "trough": 0.8,
    "lower_lid": 0.8, "neck": 0.9,
}  # fmt: skip
"""Depth of lines at rest in a deeply lined face."""


def lip_masks(guide: AtlasGuide) -> tuple[np.ndarray, np.ndarray]:
    """Lips [ATLAS, ATLAS] with a soft border, and the seam between them."""
    outer, inner = guide.polygon(LIPS_OUTER, 2.2), guide.polygon(LIPS_INNER, 1.6)
    return outer, inner


def paint_skin(
    guide: AtlasGuide,
    skin: SkinLook,
    lips: LipLook,
    lines: dict[str, Patch],
    groups: list[LineGroup],
    rng: np.random.Generator,
) -> Canvas:
    """The whole body as skin, with bare lips."""
    canvas = Canvas.blank(ATLAS, ATLAS)
    lip, _ = lip_masks(guide)
    melanin, blood = _chromophores(guide, skin, lines, rng)
    melanin += lip * (0.06 * lips.pigment - 0.10 * skin.melanin * (1 - lips.pigment))
    wanted = 0.5 + 0.5 * lips.blood + 0.05 * smooth_noise(rng, 90)
    blood += (wanted - blood) * lip * 0.95
    canvas.maps[..., :3] = skin_albedo(melanin, blood)
    canvas.material[:] = Semantic.SKIN
    canvas.material[lip > 0.5] = Semantic.LIPS
    _relief(canvas, guide, skin, lip, lines, groups, rng)
    _shine(canvas, guide, skin, lips, lip, rng)
    return canvas


def _chromophores(
    guide: AtlasGuide, skin: SkinLook, lines: dict[str, Patch], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Melanin and blood [ATLAS, ATLAS], each 0..1."""
    uneven = (0.35 + skin.mottling) * guide.even
    broad, middle, fine = (smooth_noise(rng, n) for n in (9, 40, 130))
    melanin = skin.melanin + uneven * (0.010 * broad + 0.006 * middle + 0.009 * fine)
    blood = (
        skin.blood
        - 0.06
        + uneven * (0.025 * smooth_noise(rng, 14) + 0.022 * middle + 0.026 * smooth_noise(rng, 110))
    )
    cheeks = _bumps(guide, CHEEKS, 0.038)
    nose = guide.bump(NOSE_TIP, 0.02) + _bumps(guide, NOSE_WINGS, 0.011)
    blood += (0.03 + 0.15 * skin.cheeks) * cheeks * (1 + 0.4 * middle) + (0.05 + 0.17 * skin.nose) * nose
    blood += 0.06 * guide.bump(CHIN, 0.025) + 0.10 * _bumps(guide, EARS, 0.04)
    blood += 0.10 * _bumps(guide, LIDS, 0.016)
    rings: np.ndarray = np.clip(lines["trough"].whole() + 0.6 * lines["lower_lid"].whole(), 0, 1)
    rings = cv2.GaussianBlur(rings, (0, 0), 4.0)
    melanin += skin.under_eye * (0.07 + 0.05 * skin.melanin) * rings
    blood += skin.under_eye * 0.13 * rings
    sun = guide.bump(FOREHEAD, 0.07) + 0.5 * cheeks + 0.5 * guide.bump(NOSE_TIP, 0.03)
    melanin += 0.02 * sun - 0.015 * (1 - guide.face)
    blood -= 0.05 * guide.bump(FOREHEAD, 0.08)
    if skin.stubble > 0:
        area = guide.polygon(BEARD, 11.0) * (1 - lip_masks(guide)[0])
        roots = cv2.GaussianBlur((rng.uniform(size=area.shape) < 0.10).astype(np.float32), (0, 0), 0.7)
        melanin += skin.stubble * area * (0.05 + 0.35 * roots) * (1 - 0.6 * skin.melanin)
        blood -= 0.12 * skin.stubble * area
    melanin += _spots(guide, skin, cheeks + nose, rng)
    return melanin, blood


def _bumps(guide: AtlasGuide, landmarks: tuple[int, ...], radius: float) -> np.ndarray:
    """Sum of bumps [ATLAS, ATLAS]."""
    out = guide.bump(landmarks[0], radius)
    for landmark in landmarks[1:]:
        out = out + guide.bump(landmark, radius)
    return out


def _spots(guide: AtlasGuide, skin: SkinLook, sunny: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Melanin of freckles, age spots and moles."""
    out = np.zeros((ATLAS, ATLAS), np.float32)
    where = np.clip(0.25 + sunny, 0, 1)
    if skin.freckles > 0:
        for share, blur in ((0.006, 1.0), (0.0025, 1.7)):
            seeds = (rng.uniform(size=out.shape) < share * where).astype(np.float32)
            seeds *= rng.uniform(0.3, 1, out.shape).astype(np.float32)
            out += np.minimum(cv2.GaussianBlur(seeds, (0, 0), blur) * 2 * np.pi * blur**2, 1)
        out *= 0.20 * skin.freckles * guide.face
    if skin.age_spots > 0:
        patches = smoothstep(smooth_noise(rng, 46) + 0.3 * smooth_noise(rng, 120), 0.8, 1.7)
        out += 0.08 * skin.age_spots * patches * (0.3 + 0.7 * guide.face)
    face = np.argwhere((guide.face > 0.5) | ((guide.y < -0.2) & (guide.y > -0.35) & (guide.z > -0.05)))
    for _ in range(skin.moles):
        row, column = face[rng.integers(len(face))]
        radius = rng.uniform(0.8, 2.2)
        reach = int(radius * 3) + 1
        rows, columns = slice(max(row - reach, 0), row + reach), slice(max(column - reach, 0), column + reach)
        y, x = np.mgrid[rows, columns]
        r = np.hypot(x - column, y - row)[: out[rows, columns].shape[0], : out[rows, columns].shape[1]]
        out[rows, columns] += rng.uniform(0.15, 0.45) * (1 - smoothstep(r, radius * 0.6, radius * 1.3))
    return out


def _relief(
    canvas: Canvas,
    guide: AtlasGuide,
    skin: SkinLook,
    lip: np.ndarray,
    lines: dict[str, Patch],
    groups: list[LineGroup],
    rng: np.random.Generator,
) -> None:
    h = canvas.height
    t_zone = (
        guide.bump(NOSE_TIP, 0.03) + 0.7 * guide.bump(FOREHEAD, 0.05) + 0.8 * _bumps(guide, CHEEKS, 0.032)
    )
    t_zone = np.clip(t_zone, 0, 1)
    grain = cv2.GaussianBlur(rng.standard_normal((ATLAS, ATLAS), np.float32), (0, 0), 0.8)
    h += (0.014 + 0.02 * skin.wrinkles) * MM * grain * (1 - lip)
    h += (0.025 + 0.03 * skin.wrinkles) * MM * smooth_noise(rng, 260) * (1 - lip)
    h += (0.04 + 0.07 * skin.wrinkles) * MM * smooth_noise(rng, 60)
    pores: np.ndarray = (rng.uniform(size=h.shape) < 0.045).astype(np.float32)
    pores = cv2.GaussianBlur(pores * rng.uniform(0.3, 1, h.shape).astype(np.float32), (0, 0), 0.85)
    h -= 0.55 * skin.pores * MM * pores * t_zone
    cavity = 1 - 0.5 * skin.pores * np.clip(pores * 3, 0, 1) * t_zone
    for group in groups:
        rest = AT_REST.get(group.name, 0.0) * skin.wrinkles
        if group.name == "crease":
            rest = 0.25 + 0.75 * skin.creases
        if group.name == "nasolabial":
            rest += 0.16
        patch = lines[group.name]
        h[patch.box] += group.depth_mm * MM * rest * patch.groove()
        dark = min(rest, 1) * (0.30 if group.name == "crease" else 0.14)
        cavity[patch.box] *= 1 - dark * np.clip(patch.values, 0, 1)
    crinkled = smooth_noise(rng, 150) * smoothstep(guide.y, -0.3, -0.1)
    h += 0.06 * MM * skin.wrinkles**1.5 * crinkled
    h += 0.08 * MM * lip * _lip_lines(guide, rng)
    canvas.maps[..., CAVITY] = cavity


def _lip_lines(guide: AtlasGuide, rng: np.random.Generator) -> np.ndarray:
    """Fine lines across the lips."""
    phase = np.arange(ATLAS) * 0.85 + np.cumsum(rng.normal(0, 0.7, ATLAS))
    wavy = phase[None] + 2.5 * smooth_noise(rng, 60)
    return np.asarray(np.sin(wavy) * (0.6 + 0.5 * smooth_noise(rng, 60)), dtype=np.float32)


def _shine(
    canvas: Canvas,
    guide: AtlasGuide,
    skin: SkinLook,
    lips: LipLook,
    lip: np.ndarray,
    rng: np.random.Generator,
) -> None:
    oily = np.clip(
        guide.bump(NOSE_TIP, 0.022) + 0.8 * guide.bump(FOREHEAD, 0.05) + 0.5 * guide.bump(CHIN, 0.02), 0, 1
    )
    patches = 0.03 * smooth_noise(rng, 30) + 0.03 * smooth_noise(rng, 120)
    canvas.maps[..., ROUGH] = np.clip(
        0.61 - (0.03 + 0.12 * skin.oil) * oily - 0.03 * skin.oil + patches, 0.36, 0.75
    )
    canvas.maps[..., SPECULAR] = 0.72 + 0.33 * skin.oil * oily
    canvas.maps[..., SCATTER] = 1.0
    canvas.mix(ROUGH, 0.36 + 0.16 * lips.dryness, lip)
    canvas.mix(SPECULAR, 1.05 - 0.3 * lips.dryness, lip)
