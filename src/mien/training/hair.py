"""Random hair: a height field over the chart (outer surface above the smooth body) and a strand texture."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import cv2
import numpy as np

from mien.morphable import chart
from mien.morphable.carry import chart_grid, sample_chart
from mien.morphable.model import MorphableModel
from mien.training.paint import ATLAS, chart_guide, smooth_noise, smoothstep

Style = Literal["bald", "buzz", "short", "puffy", "medium", "bob", "long", "tied"]
STYLES: Final[tuple[Style, ...]] = ("bald", "buzz", "short", "puffy", "medium", "bob", "long", "tied")
STYLE_ODDS: Final = (0.06, 0.08, 0.2, 0.14, 0.14, 0.14, 0.16, 0.08)
NO_HAIR: Final = -0.08
# thickness above the skull, lowest point of the sides and back (head frame y), EG3D units
THICKNESS: Final = {"bald": 0.0, "buzz": 0.008, "short": 0.04, "puffy": 0.10, "medium": 0.06, "bob": 0.065,
                    "long": 0.055, "tied": 0.03}  # fmt: skip
BOTTOM_Y: Final = {"bald": 1.0, "buzz": -0.06, "short": -0.08, "puffy": -0.10, "medium": -0.13, "bob": -0.22,
                   "long": -0.42, "tied": -0.07}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Hair:
    """Hair of one person over the chart."""

    style: Style
    height: np.ndarray  # float32 [N, N]: outer surface above the smooth body radius; `NO_HAIR` where none
    texture: np.ndarray  # float32 [ATLAS, ATLAS, 3], albedo
    cover: np.ndarray  # float32 [ATLAS, ATLAS] in [0, 1]: where the scalp is dyed by roots


def random_hair(model: MorphableModel, colour: np.ndarray, rng: np.random.Generator, size: int = 128) -> Hair:
    """Draw a style, a hairline, a cut and strands."""
    style = STYLES[rng.choice(len(STYLES), p=STYLE_ODDS)]
    distance, hanging = _hairline_distance(style, rng)
    thickness = THICKNESS[style] * rng.uniform(0.65, 1.5)
    lumps = (
        1
        + rng.uniform(0.05, 0.3) * smooth_noise(rng, int(rng.integers(5, 16)))
        + 0.05 * smooth_noise(rng, 60)
    )
    crown = 1 + 0.5 * rng.uniform() * smoothstep(_arc(), 0.05, 0.3)
    rise = np.sqrt(smoothstep(distance, 0.0, rng.uniform(0.03, 0.16)))
    height = np.where(distance > 0, thickness * rise * lumps * crown, np.maximum(distance * 1.5, NO_HAIR))
    if style in ("bob", "long", "medium", "puffy"):
        curtain = _curtain(model, thickness, rng, lumps) * rise
        height = np.where((distance > 0) & hanging, np.maximum(height, curtain), height)
    if style == "bald":
        height = np.full_like(height, NO_HAIR)
    height = cv2.GaussianBlur(np.concatenate([height] * 3, 1).astype(np.float32), (0, 0), 2.0)[
        :, ATLAS : 2 * ATLAS
    ]
    cover = smoothstep(distance, -0.004, 0.02) * (style != "bald")
    small = cv2.resize(height, (size, size), interpolation=cv2.INTER_AREA)
    return Hair(style, small, _strands(colour, style, rng), cover.astype(np.float32))


@lru_cache(maxsize=1)
def _angles() -> tuple[np.ndarray, np.ndarray]:
    """Azimuth without its sign and arc length per atlas texel, read-only."""
    uv = chart_grid(ATLAS)
    uv[..., 1] = uv[..., 1].clamp(min=chart.V_BODY[0])
    angles = chart.unchart_uv(uv).numpy()
    return _frozen(np.abs(angles[..., 0])), _frozen(angles[..., 1])


def _arc() -> np.ndarray:
    return _angles()[1]


def _hairline_distance(style: Style, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance-like field (EG3D units, positive inside the hair) and where hair hangs freely."""
    theta, arc = _angles()
    forehead = rng.uniform(0.055, 0.10) if rng.uniform() < 0.25 else rng.uniform(0.115, 0.165)
    temple = rng.uniform(0.02, 0.09)
    knots = np.radians([0, 35, 58, 78, 92, 105, 130, 180])
    ear_front = BOTTOM_Y[style] if style in ("bob", "long", "medium") and rng.uniform() < 0.7 else -0.03
    nape = max(BOTTOM_Y[style], -0.55) if style in ("bob", "long", "medium", "puffy") else -0.17
    bottom = [
        forehead,
        forehead - 0.01,
        (forehead + temple) / 2,
        temple,
        ear_front,
        min(ear_front, 0.03),
        nape,
        nape,
    ]
    if style in ("long", "bob") and rng.uniform() < 0.6:
        bottom[3] = 0.5 * bottom[3] + 0.5 * ear_front
    jag = rng.uniform(0.002, 0.010) * smooth_noise(rng, 40) + rng.uniform(0, 0.014) * smooth_noise(rng, 9)
    line = np.interp(theta, knots, np.array(bottom) - chart.CENTRE_Y)
    side = 0.02 * rng.normal() * np.sign(_signed_theta())
    parting = side * smoothstep(theta, 0.0, 0.4) * (1 - smoothstep(theta, 1.0, 1.8))
    return arc - line - jag - parting, theta > np.radians(55)


@lru_cache(maxsize=1)
def _signed_theta() -> np.ndarray:
    return _frozen(chart.unchart_uv(chart_grid(ATLAS))[..., 0].numpy())


def _frozen(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values


def _curtain(
    model: MorphableModel, thickness: float, rng: np.random.Generator, lumps: np.ndarray
) -> np.ndarray:
    """Height of hair that hangs from the skull's widest ring: a nearly vertical curtain beside the neck."""
    grid = chart_grid(ATLAS)
    radius = sample_chart(model.body_radius[None], grid)[..., 0].numpy()
    theta, arc = _angles()
    ring = 0.185 + 0.02 * np.cos(2 * theta) + thickness * rng.uniform(0.6, 1.2)
    fall = rng.uniform(-0.12, 0.2) * np.clip(-arc - 0.05, 0, 1)
    return (ring + fall) * (0.9 + 0.1 * lumps) - radius


def _strands(colour: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    _, arc = _angles()
    curl = {"puffy": 0.5, "buzz": 0.05}.get(style, rng.uniform(0.02, 0.25))
    wave = curl * np.sin(arc * rng.uniform(20, 60) + 2 * smooth_noise(rng, 6))
    rows, cols = np.mgrid[:ATLAS, :ATLAS].astype(np.float32)
    fine = rng.normal(size=(16, ATLAS)).astype(np.float32)
    coarse = cv2.resize(
        rng.normal(size=(8, 64)).astype(np.float32), (ATLAS, 8), interpolation=cv2.INTER_LINEAR
    )
    lookup = np.mod(cols + wave.astype(np.float32) * 40, ATLAS).astype(np.float32)
    tone = 0.16 * cv2.remap(fine, lookup, rows / ATLAS * 15, cv2.INTER_LINEAR)
    tone = tone + 0.22 * cv2.remap(coarse, lookup, rows / ATLAS * 7, cv2.INTER_LINEAR)
    if style in ("puffy", "buzz"):
        tone = tone + 0.22 * smooth_noise(rng, 120)
    ring = rng.uniform(0, 0.5) * np.exp(-(((arc - rng.uniform(0.1, 0.2)) / 0.03) ** 2))
    roots = 1 - rng.uniform(0, 0.4) * smoothstep(arc, 0.1, math.pi / 2 * chart.ARC_RADIUS)
    texture = colour * np.clip((1 + tone) * roots + ring, 0.25, 1.9)[..., None]
    return np.clip(texture, 0, 1).astype(np.float32)


def dye_scalp(atlas: np.ndarray, hair: Hair, model: MorphableModel) -> np.ndarray:
    """Colour the scalp under the hair like its roots, so that gaps do not show bare skin."""
    above = (chart_guide(model).xyz[..., 1] > -0.2)[..., None]
    body = np.arange(ATLAS)[:, None, None] > (1 + chart.V_BODY[0]) / 2 * ATLAS
    mask = hair.cover[..., None] * above * body
    return (atlas * (1 - 0.9 * mask) + hair.texture * 0.55 * 0.9 * mask).astype(np.float32)
