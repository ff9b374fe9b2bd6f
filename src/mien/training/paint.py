"""Painting a random person's skin, eyes, mouth and clothes onto the chart (an atlas image).

Regions come from MediaPipe's landmarks on the chart, so lips are lips and brows are brows on every head.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from mien.morphable.model import MorphableModel

ATLAS = 512
# Skin from light to dark, sRGB, chosen by us in even steps of lightness; undertone is drawn apart.
SKIN_TONES = np.array(
    [[250, 226, 212], [243, 210, 191], [233, 190, 166], [218, 169, 140], [198, 146, 114],
     [172, 121, 90], [143, 97, 71], [114, 75, 55], [86, 56, 43], [60, 41, 34]]
) / 255  # fmt: skip
HAIR_COLOURS = np.array(
    [[18, 15, 14], [44, 30, 22], [74, 48, 32], [108, 72, 44], [156, 112, 68], [196, 158, 104],
     [222, 196, 150], [128, 56, 28], [150, 148, 146], [206, 204, 200]]
) / 255  # fmt: skip
IRIS_COLOURS = np.array(
    [[70, 42, 24], [48, 28, 18], [96, 66, 36], [110, 120, 70], [88, 120, 140], [120, 140, 150], [70, 96, 128]]
) / 255  # fmt: skip
LIPS_OUTER = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185]
LIPS_INNER = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191]
UPPER_LIDS = ([246, 161, 160, 159, 158, 157, 173], [466, 388, 387, 386, 385, 384, 398])
LOWER_LIDS = ([33, 7, 163, 144, 145, 153, 154, 155, 133], [263, 249, 390, 373, 374, 380, 381, 382, 362])
BROWS = ([70, 63, 105, 66, 107, 55, 65, 52, 53, 46], [300, 293, 334, 296, 336, 285, 295, 282, 283, 276])
BEARD = [58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 410, 393, 164, 167, 186]


def smoothstep(x: np.ndarray, low: float | np.ndarray, high: float | np.ndarray) -> np.ndarray:
    """0 below low, 1 above high, cubic between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def smooth_noise(rng: np.random.Generator, cells: int, size: int = ATLAS) -> np.ndarray:
    """Zero-mean, unit-range random field [size, size] with about `cells` bumps per side, periodic in u."""
    grid = np.tile(rng.normal(size=(cells, cells)).astype(np.float32), (1, 3))
    return cv2.resize(grid, (3 * size, size), interpolation=cv2.INTER_CUBIC)[:, size : 2 * size]


@dataclass(frozen=True, eq=False)
class ChartGuide:
    """What the painter needs to know of the chart: landmark pixels, heights and occlusion per texel."""

    landmarks_px: np.ndarray  # float32 [478, 2], atlas pixels, row 0 = v -1
    xyz: np.ndarray  # float32 [ATLAS, ATLAS, 3], template surface point per texel
    exposure: np.ndarray  # float32 [ATLAS, ATLAS]

    @cached_property
    def masks(self) -> dict[str, np.ndarray]:
        """Soft region masks in [0, 1]: lips, brow_right, brow_left, lids, beard."""
        inner = self.polygon(LIPS_INNER, 0.8)
        return {
            "lips": np.clip(self.polygon(LIPS_OUTER, 1.6) - 0.35 * inner, 0, 1),
            "seam": self.line(LIPS_INNER[:11], 1, 1.0) + self.line([308, *LIPS_INNER[11:], 78], 1, 1.0),
            "brows": np.maximum(self.polygon(BROWS[0], 2.0), self.polygon(BROWS[1], 2.0)),
            "lashes": np.maximum(self.line(UPPER_LIDS[0], 2, 0.8), self.line(UPPER_LIDS[1], 2, 0.8)),
            "lower_lashes": np.maximum(self.line(LOWER_LIDS[0], 1, 0.8), self.line(LOWER_LIDS[1], 1, 0.8)),
            "beard": self.polygon(BEARD, 9.0) * (1 - self.polygon(LIPS_OUTER, 2.0)),
        }

    def polygon(self, landmarks: list[int], blur_px: float) -> np.ndarray:
        """Filled polygon through landmarks, blurred."""
        image = np.zeros((ATLAS, ATLAS), np.float32)
        points = np.round(self.landmarks_px[landmarks] * 16).astype(np.int32)
        cv2.fillPoly(image, [points], 1.0, lineType=cv2.LINE_AA, shift=4)
        return cv2.GaussianBlur(image, (0, 0), blur_px)

    def line(self, landmarks: list[int], width_px: int, blur_px: float) -> np.ndarray:
        """Polyline through landmarks, blurred, peak about 1."""
        image = np.zeros((ATLAS, ATLAS), np.float32)
        points = np.round(self.landmarks_px[landmarks] * 16).astype(np.int32)
        cv2.polylines(image, [points], False, 1.0, width_px, cv2.LINE_AA, 4)
        return np.clip(cv2.GaussianBlur(image, (0, 0), blur_px) * 1.6, 0, 1)

    def bump(self, landmark: int, radius_px: float) -> np.ndarray:
        """Gaussian bump at a landmark."""
        y, x = np.mgrid[:ATLAS, :ATLAS]
        cx, cy = self.landmarks_px[landmark]
        return np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * radius_px**2)).astype(np.float32)


@lru_cache(maxsize=1)
def chart_guide(model: MorphableModel) -> ChartGuide:
    """Rasterise the template onto the chart; the most hidden faces (sockets, nose) are drawn first."""
    corners = (model.canonical_corners[..., :2].numpy() + 1) / 2 * ATLAS - 0.5
    sky = model.exposure.numpy()[model.faces_np]
    order = np.argsort(sky.mean(1), kind="stable")
    attributes = np.concatenate([model.mean.numpy()[model.faces_np], sky[..., None]], -1)
    image = np.zeros((ATLAS, ATLAS, 4), np.float32)
    for f in order:
        fill_triangle(image, corners[f], attributes[f])
    empty = ~(image != 0).any(-1)
    row, column = distance_transform_edt(empty, return_distances=False, return_indices=True)
    filled = image[row, column]
    weights = model.landmark_barycentric.numpy()[..., None]
    landmarks = (corners[model.landmark_faces.numpy()] * weights).sum(1).astype(np.float32)
    return ChartGuide(landmarks, filled[..., :3], filled[..., 3])


def fill_triangle(image: np.ndarray, corner: np.ndarray, value: np.ndarray) -> None:
    """Rasterise corner values [3, C] over a triangle in atlas pixels [3, 2] into `image`, wrapping in u."""
    low = np.floor(corner.min(0)).astype(int)
    high = np.ceil(corner.max(0)).astype(int) + 1
    xs, ys = np.meshgrid(np.arange(low[0], high[0]), np.arange(max(low[1], 0), min(high[1], ATLAS)))
    a, b, c = corner
    det = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
    if abs(det) < 1e-9 or xs.size == 0:
        return
    s = ((xs - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (ys - a[1])) / det
    t = ((b[0] - a[0]) * (ys - a[1]) - (xs - a[0]) * (b[1] - a[1])) / det
    inside = (s >= -0.02) & (t >= -0.02) & (s + t <= 1.02)
    mix = np.stack([1 - s - t, s, t], -1)[inside] @ value
    image[ys[inside], xs[inside] % ATLAS] = mix


@dataclass(frozen=True)
class Look:
    """The factors of a person's appearance (labels are exact by construction)."""

    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    lips: np.ndarray
    brow_strength: float
    beard: float
    redness: float
    freckles: float
    cloth: np.ndarray
    cloth_pattern: float
    neckline: float


def random_look(rng: np.random.Generator) -> Look:
    """Draw a look; skin covers the range of `SKIN_TONES` evenly."""
    tone = rng.uniform(0, len(SKIN_TONES) - 1)
    k = int(tone)
    skin = SKIN_TONES[k] * (1 - tone + k) + SKIN_TONES[min(k + 1, 9)] * (tone - k)
    undertone = rng.normal(0, 0.02) * np.array([0.4, 0.3, -1.0]) + rng.normal(0, 0.012) * np.array(
        [1, -1, 0.3]
    )
    skin = np.clip(skin * (1 + rng.normal(0, 0.02) + undertone), 0.03, 0.97)
    hair = HAIR_COLOURS[rng.integers(4 if tone > 5.5 and rng.uniform() < 0.8 else 10)]
    lipstick = rng.uniform() < 0.2
    lips = (
        np.array([0.66, 0.12, 0.18]) * rng.uniform(0.5, 1.2)
        if lipstick
        else skin * np.array([0.88, 0.6, 0.6])
    )
    return Look(
        skin=skin,
        hair=np.clip(hair * rng.uniform(0.75, 1.25), 0.02, 0.95),
        iris=np.clip(IRIS_COLOURS[rng.integers(3 if tone > 5 else 7)] * rng.uniform(0.7, 1.3), 0, 1),
        lips=lips,
        brow_strength=rng.uniform(0.35, 1.0),
        beard=rng.uniform(0.5, 1.0) if rng.uniform() < 0.15 else 0.0,
        redness=rng.uniform(0.2, 1.2),
        freckles=rng.uniform(0.3, 1) if rng.uniform() < 0.15 else 0.0,
        cloth=rng.uniform(0.03, 0.92) * (0.4 + 0.6 * rng.uniform(size=3)),
        cloth_pattern=rng.uniform(0, 0.5) if rng.uniform() < 0.4 else 0.0,
        neckline=rng.uniform(-0.40, -0.25),
    )


def paint_atlas(model: MorphableModel, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Albedo atlas float32 [ATLAS, ATLAS, 3] of body, eyes, teeth, tongue and mouth."""
    guide = chart_guide(model)
    image = _skin(guide, look, rng)
    image = _features(guide, look, rng, image)
    image = _clothes(guide, look, rng, image)
    image *= (0.55 + 0.45 * np.clip(guide.exposure * 1.3, 0, 1))[..., None]
    _eyes(image, look, rng)
    _mouth(image, rng)
    return np.clip(image, 0, 1).astype(np.float32)


def _blend(image: np.ndarray, colour: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return image * (1 - mask[..., None]) + colour * mask[..., None]


def _skin(guide: ChartGuide, look: Look, rng: np.random.Generator) -> np.ndarray:
    image = np.ones((ATLAS, ATLAS, 1)) * look.skin
    mottle = 0.02 * smooth_noise(rng, 12) + 0.012 * smooth_noise(rng, 40) + 0.008 * smooth_noise(rng, 150)
    image = image * (1 + mottle[..., None])
    cheeks = guide.bump(50, 26.0) + guide.bump(280, 26.0)
    red = cheeks + 0.9 * guide.bump(1, 16.0) + 0.35 * guide.bump(152, 18.0)
    image = image * (1 - look.redness * np.array([0.0, 0.10, 0.09]) * np.clip(red, 0, 1)[..., None])
    under_eye = guide.bump(145, 12.0) + guide.bump(374, 12.0)
    image = image * (1 - 0.10 * rng.uniform() * np.clip(under_eye, 0, 1)[..., None])
    if look.freckles > 0:
        spots = (
            cv2.GaussianBlur((rng.uniform(size=(ATLAS, ATLAS)) > 0.985).astype(np.float32), (0, 0), 0.8) * 3
        )
        image = image * (1 - 0.25 * look.freckles * (np.clip(red, 0, 1) * spots)[..., None] * [0.7, 1, 1])
    return image


def _features(guide: ChartGuide, look: Look, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    m = guide.masks
    strands = 1 + 0.35 * smooth_noise(rng, 200)
    image = _blend(image, look.lips * (1 + 0.06 * smooth_noise(rng, 90))[..., None], m["lips"] * 0.9)
    image = _blend(image, look.lips * 0.35, np.clip(m["seam"], 0, 1) * 0.6)
    brow = np.clip(m["brows"] * look.brow_strength * strands, 0, 0.95)
    image = _blend(image, look.hair * 0.75, brow)
    image = _blend(image, np.array([0.05, 0.04, 0.04]), m["lashes"] * 0.75)
    image = _blend(image, look.skin * [0.6, 0.42, 0.4], m["lower_lashes"] * 0.45)
    if look.beard > 0:
        image = _blend(image, look.hair * 0.8, np.clip(m["beard"] * look.beard * strands, 0, 0.9))
    return image


def _clothes(guide: ChartGuide, look: Look, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    x, y = guide.xyz[..., 0], guide.xyz[..., 1]
    line = look.neckline - 0.6 * np.clip(0.16 - np.abs(x), 0, 1) * (guide.xyz[..., 2] > -0.1) * rng.uniform(
        0, 1
    )
    mask = 1 - smoothstep(y, line - 0.006, line + 0.006)
    pattern = 1 + look.cloth_pattern * np.sin(y * rng.uniform(60, 260) + rng.uniform(0, 6))
    cloth = look.cloth * (pattern * (1 + 0.06 * smooth_noise(rng, 60)))[..., None]
    return _blend(image, cloth, mask)


def _island(column: tuple[float, float]) -> tuple[slice, slice, np.ndarray, np.ndarray]:
    rows = slice(int((1 - 0.985) / 2 * ATLAS) - 2, int((1 - 0.805) / 2 * ATLAS) + 3)
    cols = slice(int((column[0] + 1) / 2 * ATLAS) - 2, int((column[1] + 1) / 2 * ATLAS) + 3)
    height, width = rows.stop - max(rows.start, 0), cols.stop - max(cols.start, 0)
    rows, cols = slice(max(rows.start, 0), rows.stop), slice(max(cols.start, 0), cols.stop)
    y = ((np.arange(rows.start, rows.stop) + 0.5) / ATLAS * 2 - 1 + 0.895) / 0.09
    x = (
        ((np.arange(cols.start, cols.stop) + 0.5) / ATLAS * 2 - 1 - np.mean(column))
        / (column[1] - column[0])
        * 2
    )
    assert (height, width) == (len(y), len(x))
    gx, gy = np.meshgrid(x, y)
    return rows, cols, gx, gy


def _eyes(image: np.ndarray, look: Look, rng: np.random.Generator) -> None:
    iris_radius, pupil = rng.uniform(0.29, 0.34), rng.uniform(0.09, 0.15)
    fibres = rng.uniform(0.7, 1.3, 48)
    white = np.array([0.93, 0.91, 0.89]) * rng.uniform(0.88, 1.0)
    for column in ((-0.99, -0.81), (-0.79, -0.61)):
        rows, cols, x, y = _island(column)
        r = np.hypot(x, y)
        angle = ((np.arctan2(y, x) / (2 * np.pi) + 0.5) * 48).astype(int) % 48
        eye = white * (1 - 0.25 * smoothstep(r, 0.45, 0.9)[..., None] * [0.3, 1, 1])
        iris = look.iris * (fibres[angle] * (0.75 + 0.5 * r / iris_radius))[..., None]
        iris = iris * (1 - 0.6 * smoothstep(r, iris_radius * 0.82, iris_radius))[..., None]
        eye = _blend(eye, np.clip(iris, 0, 1), 1 - smoothstep(r, iris_radius - 0.015, iris_radius + 0.02))
        eye = _blend(eye, np.array([0.02, 0.02, 0.02]), 1 - smoothstep(r, pupil - 0.015, pupil + 0.015))
        image[rows, cols] = eye


def _mouth(image: np.ndarray, rng: np.random.Generator) -> None:
    enamel = np.array([0.90, 0.87, 0.80]) * rng.uniform(0.82, 1.0)
    for column in ((-0.59, -0.21), (-0.19, 0.19)):
        rows, cols, x, y = _island(column)
        gap = 1 - 0.12 * np.exp(-((np.abs((x * 5.5) % 1.0 - 0.5) / 0.08) ** 2))
        fade = 0.35 + 0.65 * (1 - smoothstep(np.abs(x), 0.25, 0.95))
        image[rows, cols] = enamel * (gap * fade)[..., None]
    rows, cols, x, y = _island((0.21, 0.49))
    image[rows, cols] = np.array([0.62, 0.28, 0.27]) * (0.45 + 0.5 * smoothstep(-y, -0.9, 0.9))[..., None]
    rows, cols, x, y = _island((0.51, 0.99))
    image[rows, cols] = np.array([0.20, 0.06, 0.06]) * (0.7 + 0.2 * smooth_noise(rng, 30))[rows, cols, None]
