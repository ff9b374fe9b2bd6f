"""Where lines of the face run: wrinkles of age and of expression, as paths over MediaPipe's landmarks."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mien.training.procedural.atlas import AtlasGuide
from mien.training.procedural.paint.canvas import Patch, curves

FOREHEAD_ROWS: Final = (
    (105, 66, 107, 9, 336, 296, 334),
    (104, 69, 108, 151, 337, 299, 333),
    (103, 67, 109, 10, 338, 297, 332),
)
NASOLABIAL: Final = ((129, 203, 206, 216, 212), (358, 423, 426, 436, 432))
MARIONETTE: Final = ((61, 202, 204), (291, 422, 424))
TROUGH: Final = ((245, 233, 232, 231, 230, 229), (465, 453, 452, 451, 450, 449))
LOWER_LID: Final = ((112, 26, 22, 23, 24, 110), (341, 256, 252, 253, 254, 339))
CREASE: Final = ((247, 30, 29, 27, 28, 56, 190), (467, 260, 259, 257, 258, 286, 414))
EYE_CORNERS: Final = ((33, 133), (263, 362))
GLABELLA: Final = ((107, 55), (336, 285))


@dataclass(frozen=True)
class LineGroup:
    """Lines that deepen together."""

    name: str
    paths_px: tuple[np.ndarray, ...]
    weights: tuple[float, ...]
    width_px: float
    depth_mm: float

    def drawn(self) -> Patch:
        """Soft lines, in about [0, 1]."""
        return curves(self.paths_px, self.width_px, self.weights)


def line_groups(guide: AtlasGuide, rng: np.random.Generator) -> list[LineGroup]:
    """All groups; how often and where exactly lines run differs with the person."""
    p = guide.landmarks_px
    jitter = lambda path, px=2.0: p[list(path)] + rng.normal(0, px, (len(path), 2)).astype(np.float32)  # noqa: E731
    two = lambda paths, px=2.0: tuple(jitter(path, px) for path in paths)  # noqa: E731
    return [
        _forehead(guide, rng),
        _crows_feet(guide, rng),
        LineGroup("glabella", _glabella(guide, rng), (1.0, 0.9), 2.0, 0.55),
        LineGroup("nasolabial", two(NASOLABIAL), (1.0, 1.0), 4.5, 1.15),
        LineGroup("marionette", two(MARIONETTE), (1.0, 1.0), 3.0, 0.8),
        LineGroup("trough", two(TROUGH), (1.0, 1.0), 4.0, 0.7),
        LineGroup("lower_lid", two(LOWER_LID, 1.0), (0.8, 0.8), 1.8, 0.3),
        LineGroup("crease", two(CREASE, 0.5), (1.0, 1.0), 1.6, 0.55),
        _neck(guide, rng),
    ]


def _forehead(guide: AtlasGuide, rng: np.random.Generator) -> LineGroup:
    rows = np.stack([guide.landmarks_px[list(row)] for row in FOREHEAD_ROWS])
    paths, weights = [], []
    for at in np.linspace(0.5, 1.75, int(rng.integers(3, 6))):
        at = float(np.clip(at + rng.normal(0, 0.06), 0.4, 1.9))
        k = int(at)
        path = rows[k] * (1 - at + k) + rows[k + 1] * (at - k)
        path = path + rng.normal(0, 2.0, path.shape)
        first, last = rng.integers(0, 2), 7 - rng.integers(0, 2)
        paths.append(path[first:last])
        weights.append(float(rng.uniform(0.5, 1)))
    return LineGroup("forehead", tuple(paths), tuple(weights), 2.6, 0.7)


def _crows_feet(guide: AtlasGuide, rng: np.random.Generator) -> LineGroup:
    paths, weights = [], []
    for outer, inner in EYE_CORNERS:
        a, b = guide.landmarks_px[outer], guide.landmarks_px[inner]
        along = a - b
        size = float(np.linalg.norm(along))
        out = along / size
        down = np.array([0.0, -1.0])
        for angle in np.linspace(-0.65, 0.75, int(rng.integers(4, 7))):
            angle += rng.normal(0, 0.06)
            d = out * np.cos(angle) + down * np.sin(angle)
            start = a + out * size * 0.16 + down * size * 0.12 * np.sin(angle) * 2
            reach = size * rng.uniform(0.3, 0.55)
            bend = down * reach * rng.uniform(0.02, 0.14)
            paths.append(np.stack([start, start + d * reach * 0.5 + bend * 0.2, start + d * reach + bend]))
            weights.append(float(rng.uniform(0.5, 1)))
    return LineGroup("crows_feet", tuple(paths), tuple(weights), 1.5, 0.4)


def _glabella(guide: AtlasGuide, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    out = []
    for top, low in GLABELLA:
        a, b = guide.landmarks_px[top], guide.landmarks_px[low]
        middle = guide.landmarks_px[9]
        a, b = a * 0.6 + middle * 0.4, b * 0.62 + guide.landmarks_px[8] * 0.38
        out.append(np.stack([a, (a + b) / 2 + rng.normal(0, 1.5, 2), b]))
    return tuple(out)


def _neck(guide: AtlasGuide, rng: np.random.Generator) -> LineGroup:
    """Two or three rings around the front of the neck."""
    chin = guide.landmarks_px[152]
    below = int(chin[1])
    paths, weights = [], []
    for drop in np.cumsum(rng.uniform(0.045, 0.07, int(rng.integers(2, 4)))) + 0.02:
        wanted = guide.landmarks_xyz[152, 1] - drop
        column = guide.y[:below, int(chin[0])]
        row = float(np.argmin(np.abs(column - wanted)))
        x = chin[0] + np.linspace(-130, 130, 7)
        paths.append(np.stack([x, row + 8 * np.cos(np.linspace(-1.5, 1.5, 7)) + rng.normal(0, 1.5, 7)], 1))
        weights.append(float(rng.uniform(0.5, 1)))
    return LineGroup("neck", tuple(paths), tuple(weights), 2.6, 0.6)
