"""Make-up over the skin."""

from typing import Final

import cv2
import numpy as np

from mien.training.procedural.atlas import ATLAS, AtlasGuide, smooth_noise
from mien.training.procedural.factors import MakeUp
from mien.training.procedural.paint.canvas import Canvas, curves
from mien.training.procedural.paint.skin import lip_masks
from mien.training.procedural.render.shading import ALBEDO, ROUGH, SCATTER, SPECULAR

UPPER_LID: Final = ((246, 161, 160, 159, 158, 157, 173), (466, 388, 387, 386, 385, 384, 398))
LOWER_LID: Final = ((163, 144, 145, 153, 154), (390, 373, 374, 380, 381))
SHADOW_AREA: Final = ((33, 246, 161, 160, 159, 158, 157, 173, 190, 56, 28, 27, 29, 30, 247, 130),
                      (263, 466, 388, 387, 386, 385, 384, 398, 414, 286, 258, 257, 259, 260, 467, 359),
)  # fmt: skip
CHEEKBONES: Final = (117, 346)
WET_RIM: Final = np.array([0.40, 0.14, 0.11])


def paint_makeup(canvas: Canvas, guide: AtlasGuide, look: MakeUp, rng: np.random.Generator) -> None:
    """Foundation, blush, eye shadow, eyeliner, lipstick."""
    if look.foundation > 0:
        _even_out(canvas, guide.face * look.foundation * 0.6)
    if look.blush > 0:
        bone = guide.bump(CHEEKBONES[0], 0.036) + guide.bump(CHEEKBONES[1], 0.036)
        canvas.maps[..., 1:3] *= 1 - (0.20 * look.blush * bone)[..., None]
    if look.eye_shadow > 0:
        area = guide.polygon(SHADOW_AREA[0], 7.0) + guide.polygon(SHADOW_AREA[1], 7.0)
        patch = np.clip(area * (0.9 + 0.15 * smooth_noise(rng, 120)), 0, 1)
        albedo = canvas.maps[..., ALBEDO : ALBEDO + 3]
        tint = look.eye_shadow_colour * (0.5 + 2.2 * albedo)
        canvas.blend(np.minimum(tint, albedo * 1.15),
                     patch * look.eye_shadow * 0.7)  # fmt: skip
        canvas.mix(ROUGH, 0.38, patch * look.eye_shadow * 0.5)
    if look.eyeliner > 0:
        line = curves([guide.landmarks_px[list(p)] for p in UPPER_LID], 1.2, [1.0, 1.0])
        ink = np.clip(line.values * look.eyeliner * 1.1, 0, 0.95)
        canvas.part(line.box).blend(np.array([0.012, 0.01, 0.01]), ink)
    if look.lipstick > 0:
        _lipstick(canvas, guide, look)


def paint_lid_rims(canvas: Canvas, guide: AtlasGuide) -> None:
    """The moist pink edge of the lids."""
    patch = curves([guide.landmarks_px[list(p)] for p in LOWER_LID], 1.0, [0.7, 0.7])
    rim, part = np.clip(patch.values, 0, 1), canvas.part(patch.box)
    part.blend(part.maps[..., ALBEDO : ALBEDO + 3] * 0.55 + WET_RIM * 0.35, rim * 0.55)
    part.mix(ROUGH, 0.28, rim)
    part.mix(SPECULAR, 1.3, rim)


def _even_out(canvas: Canvas, mask: np.ndarray) -> None:
    albedo = canvas.maps[..., ALBEDO : ALBEDO + 3]
    small = cv2.resize(albedo, (ATLAS // 8, ATLAS // 8), interpolation=cv2.INTER_AREA)
    calm = cv2.resize(cv2.GaussianBlur(small, (0, 0), 3.0), (ATLAS, ATLAS), interpolation=cv2.INTER_LINEAR)
    canvas.blend(calm, mask)
    canvas.mix(ROUGH, 0.56, mask * 0.5)


def _lipstick(canvas: Canvas, guide: AtlasGuide, look: MakeUp) -> None:
    lip = lip_masks(guide)[0]
    cover = np.clip((lip - 0.35) / 0.35, 0, 1) * (0.3 + 0.55 * look.lipstick)
    albedo = canvas.maps[..., ALBEDO : ALBEDO + 3]
    level = albedo.mean(-1, keepdims=True) / 0.26
    canvas.blend(look.lipstick_colour * np.clip(level, 0.35, 1.2), cover)
    canvas.mix(ROUGH, 0.45 - 0.27 * look.lipstick_gloss, cover)
    canvas.mix(SPECULAR, 1.2 + 0.5 * look.lipstick_gloss, cover)
    canvas.mix(SCATTER, 0.55, cover)
