"""The atlas: what is painted where. Texels are (row, column) of a square over the chart; row 0 is v = -1."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, no_type_check

import cv2
import numpy as np
from numba import njit
from scipy.ndimage import distance_transform_edt

from mien.morphable.model import MorphableModel

ATLAS: Final = 1024
STRIP_SCALE: Final = 2
"""The islands (eyes, teeth, tongue, mouth) are painted on a strip of their own, this many times finer."""
STRIP_WIDTH: Final = ATLAS * STRIP_SCALE
STRIP_TOP_V: Final = -0.8
STRIP_HEIGHT: Final = round((STRIP_TOP_V + 1) / 2 * STRIP_WIDTH)
ISLAND_ROWS: Final = (-0.985, -0.805)
ISLAND_COLUMNS: Final = {
    "eye_left": (-0.99, -0.81), "eye_right": (-0.79, -0.61), "teeth_upper": (-0.59, -0.21),
    "teeth_lower": (-0.19, 0.19), "tongue": (0.21, 0.49), "mouth": (0.51, 0.99),
}  # fmt: skip


@njit(cache=True)
@no_type_check
def _fill(order, corners, values, image):
    """Corner values [F, 3, C] over triangles [F, 3, 2] in texels into image [H, W, C]; columns wrap."""
    height, width, channels = image.shape
    for f in order:
        ax, ay = corners[f, 0]
        bx, by = corners[f, 1]
        cx, cy = corners[f, 2]
        det = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(det) < 1e-9:
            continue
        x0, x1 = int(np.floor(min(ax, bx, cx))), int(np.ceil(max(ax, bx, cx)))
        y0, y1 = max(int(np.floor(min(ay, by, cy))), 0), min(int(np.ceil(max(ay, by, cy))), height - 1)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                s = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / det
                t = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / det
                if s < -0.02 or t < -0.02 or s + t > 1.02:
                    continue
                for c in range(channels):
                    image[y, x % width, c] = (
                        (1 - s - t) * values[f, 0, c] + s * values[f, 1, c] + t * values[f, 2, c]
                    )


@dataclass(frozen=True, eq=False)
class AtlasGuide:
    """Where things are on the atlas of the body."""

    landmarks_px: np.ndarray
    """float32 [478, 2], column and row."""
    landmarks_xyz: np.ndarray
    """float32 [478, 3], on the template head."""
    xyz: np.ndarray
    """float32 [ATLAS, ATLAS, 3], template surface point per texel."""
    exposure: np.ndarray
    """float32 [ATLAS, ATLAS], share of the sky seen."""

    def polygon(self, landmarks: Sequence[int], blur_px: float) -> np.ndarray:
        """Filled polygon through landmarks, blurred, in [0, 1]."""
        image = np.zeros((ATLAS, ATLAS), np.float32)
        points = np.round(self.landmarks_px[list(landmarks)] * 16).astype(np.int32)
        cv2.fillPoly(image, [points], 1.0, lineType=cv2.LINE_AA, shift=4)
        return np.asarray(cv2.GaussianBlur(image, (0, 0), blur_px))

    def bump(self, landmark: int, radius: float) -> np.ndarray:
        """Gaussian around a landmark; radius in EG3D units on the template's surface."""
        p = self.landmarks_xyz[landmark]
        x, y, z = self._planar
        return np.exp(((x - p[0]) ** 2 + (y - p[1]) ** 2 + (z - p[2]) ** 2) / np.float32(-2 * radius**2))

    @cached_property
    def _planar(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x, y, z = (np.ascontiguousarray(self.xyz[..., k]) for k in range(3))
        return x, y, z

    @property
    def x(self) -> np.ndarray:
        """float32 [ATLAS, ATLAS], to the image's right."""
        return self._planar[0]

    @property
    def y(self) -> np.ndarray:
        """float32 [ATLAS, ATLAS], up."""
        return self._planar[1]

    @property
    def z(self) -> np.ndarray:
        """float32 [ATLAS, ATLAS], to the front."""
        return self._planar[2]

    @cached_property
    def even(self) -> np.ndarray:
        """float32 [ATLAS, ATLAS], 1 where texels are as small as on the face, less where the
        chart is stretched (shoulders, crown): fine patterns fade there."""
        across = np.linalg.norm(np.diff(self.xyz, axis=1, append=self.xyz[:, :1]), axis=-1)
        down = np.linalg.norm(np.diff(self.xyz, axis=0, append=self.xyz[-1:]), axis=-1)
        size = cv2.GaussianBlur(np.minimum(np.maximum(across, down), 0.02).astype(np.float32), (0, 0), 4.0)
        return np.asarray(np.clip(0.0016 / np.maximum(size, 1e-5), 0, 1) ** 3, dtype=np.float32)

    @cached_property
    def face(self) -> np.ndarray:
        """Soft mask of the face, float32 [ATLAS, ATLAS]."""
        oval = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
                152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67,
                109]  # fmt: skip
        return self.polygon(oval, 8.0)


def rasterise_chart(model: MorphableModel, values: np.ndarray, size: int) -> np.ndarray:
    """Corner values float32 [F, 3, C] of the whole head over the chart, float32 [size, size, C]; the most
    hidden faces are drawn first. 0 where there is no triangle."""
    corners = ((model.canonical_corners[..., :2].numpy() + 1) / 2 * size - 0.5).astype(np.float64)
    sky = model.exposure.numpy()[model.faces_np].mean(1)
    image = np.zeros((size, size, values.shape[2]), np.float32)
    _fill(np.argsort(sky, kind="stable"), corners, values.astype(np.float32), image)
    return image


@lru_cache(maxsize=1)
def atlas_guide(model: MorphableModel) -> AtlasGuide:
    """Rasterise the template onto the chart; the most hidden faces (sockets, nose) are drawn first."""
    corners = ((model.canonical_corners[..., :2].numpy() + 1) / 2 * ATLAS - 0.5).astype(np.float64)
    sky = model.exposure.numpy()[model.faces_np]
    body = np.flatnonzero(model.part_faces("body").numpy())
    order = body[np.argsort(sky[body].mean(1), kind="stable")]
    values = np.concatenate([model.mean.numpy()[model.faces_np], sky[..., None]], -1).astype(np.float32)
    image = np.zeros((ATLAS, ATLAS, 4), np.float32)
    _fill(order, corners, values, image)
    empty = ~(image != 0).any(-1)
    row, column = distance_transform_edt(empty, return_distances=False, return_indices=True)
    filled = image[row, column]
    weights = model.landmark_barycentric.numpy()[..., None]
    face = model.landmark_faces.numpy()
    xyz = model.landmarks(model.mean).numpy()
    landmarks = (corners[face] * weights).sum(1).astype(np.float32)
    smooth = cv2.GaussianBlur(np.ascontiguousarray(filled[..., 3]), (0, 0), 3.0)
    return AtlasGuide(landmarks, xyz, np.ascontiguousarray(filled[..., :3]), smooth)


def smoothstep(x: np.ndarray, low: float | np.ndarray, high: float | np.ndarray) -> np.ndarray:
    """0 below low, 1 above high, cubic between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def smooth_noise(rng: np.random.Generator, cells: int, size: int = ATLAS) -> np.ndarray:
    """Random field float32 [size, size], mean 0, spread about 0.7, `cells` bumps a side, periodic in u."""
    grid = rng.standard_normal((cells, cells), np.float32)
    wide = np.concatenate([grid[:, -2:], grid, grid[:, :2]], 1)
    margin = int(np.ceil(2 * size / cells))
    whole = cv2.resize(wide, (size + 2 * margin, size), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(whole[:, margin : margin + size])


def slopes(height: np.ndarray, width_texels: int) -> np.ndarray:
    """Change of a height map [H, W] per unit of u and v, float32 [H, W, 2]; columns wrap."""
    right = cv2.copyMakeBorder(height, 1, 1, 1, 1, cv2.BORDER_WRAP)
    out = np.empty((*height.shape, 2), np.float32)
    scale = np.float32(width_texels / 4)  # two texels apart; a texel is 2 / width of u
    out[..., 0] = (right[1:-1, 2:] - right[1:-1, :-2]) * scale
    out[..., 1] = (right[2:, 1:-1] - right[:-2, 1:-1]) * scale
    out[0, :, 1] = out[-1, :, 1] = 0
    return out


@dataclass(frozen=True, eq=False)
class Island:
    """A part's rectangle on the strip, and its own coordinates in [-1, 1] per texel."""

    rows: slice
    columns: slice
    x: np.ndarray
    y: np.ndarray


def island(part: str) -> Island:
    """The rectangle of an eye, a row of teeth, the tongue or the mouth on the strip, with a small margin."""
    left, right = ISLAND_COLUMNS[part]
    low, high = ISLAND_ROWS
    first, last = (round((u + 1) / 2 * STRIP_WIDTH) for u in (left - 0.008, right + 0.008))
    columns, rows = slice(max(first, 0), last), slice(0, STRIP_HEIGHT)
    u = (np.arange(columns.start, columns.stop) + 0.5) / STRIP_WIDTH * 2 - 1
    v = (np.arange(STRIP_HEIGHT) + 0.5) / STRIP_WIDTH * 2 - 1
    x, y = np.meshgrid((2 * u - left - right) / (right - left), (2 * v - low - high) / (high - low))
    return Island(rows, columns, x.astype(np.float32), y.astype(np.float32))
