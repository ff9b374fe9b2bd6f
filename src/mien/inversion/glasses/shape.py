"""The shape of glasses from what a network has seen of them: a few numbers, laid over its answer.

The front (rims filled with lenses) and the rims alone are drawn as they lie in the strip around the eyes and
compared with the network's by Dice's overlap (Dice 1945; soft: Milletari et al. 2016). What one view cannot
tell, how far the front stands from the face above all, has priors.
"""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float32
from scipy.optimize import minimize
from torch import Tensor

from mien.core.camera import Camera
from mien.morphable.eyecrop import STRIP_PX, UNITS_PER_PX, strip_from_photo
from mien.morphable.facecrop import FaceCrop
from mien.morphable.glasses import GAP, MM, Frame, eye_middles, front_z, lifted, stretched, superellipse

FINE: Final = 2
"""Pixels of the drawing along each side of one of the strip."""
SHIFT_BITS: Final = 4
RIM_SHARE: Final = 0.7
"""Weight of the rims' overlap beside the front's."""
PRIOR: Final = 0.01
"""Weight of the priors, in overlaps per squared deviation."""
STARTS: Final = (2.2, 4.5)
"""Exponents of the outlines that the search begins with."""
BARE_LOWER: Final = 0.3
"""Mean rim seen along the lower halves, over that along the upper, below which lenses have no lower rims."""
METAL: Final = 2.0 * MM
"""Thickness below which a frame is taken for wire."""

NAMES: Final = ("apart", "y", "width", "height", "power", "lift", "low", "roll", "away", "thick", "aside")
LOW: Final = np.array([22, -16, 15, 9, 1.8, -0.3, 0.75, -0.1, -4, 0.8, -4])
HIGH: Final = np.array([46, 10, 34, 30, 7.0, 0.5, 1.3, 0.1, 14, 8.0, 4])
MEAN: Final = np.array([33, -3, 26, 18, 3.0, 0.0, 1.0, 0.0, 3, 2.5, 0])
SPREAD: Final = np.array([9, 9, 9, 9, 3.0, 0.3, 0.3, 0.06, 3, 4.0, 1.5])
"""Of the numbers `NAMES`: half distance of the lenses' middles, their height over the eyes', half width, half
height (mm), exponent, lift of the outer corner, stretch of the lower half, roll (rad), distance of the front
from where it would just not touch the face, thickness, and shift to the side (mm)."""


@dataclass(frozen=True, eq=False)
class Strip:
    """How points of the head lie in the strip."""

    camera: Camera
    """Of the photo."""
    size: tuple[int, int]
    """Width and height of the photo."""
    crop: FaceCrop

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Pixels [N, 2] of the strip, its corner 0, 0, of points [N, 3] of the head frame."""
        uv = self.camera.project(torch.from_numpy(points).float()).uv.double()
        px = strip_from_photo(uv * uv.new_tensor(self.size), self.crop)
        return px.numpy()


@dataclass(frozen=True)
class FittedFrame:
    """A frame, and how well it agrees with what was seen."""

    frame: Frame
    front: float
    """Overlap of the front in [0, 1]."""
    rim: float


def fit_frame(
    front: Float32[np.ndarray, "rows columns"], rim: Float32[np.ndarray, "rows columns"], marks: Tensor,
    strip: Strip,
) -> FittedFrame | None:  # fmt: skip
    """Lay a frame over probabilities of the front (lenses and rims) and of the rims alone.

    `marks` are MediaPipe's points [478, 3] of the neutral head. None if there is no front to begin with.
    """
    energy = _Energy(front, rim, marks.double().numpy(), strip)
    start = energy.start()
    if start is None:
        return None
    bounds = list(zip(LOW, HIGH, strict=True))
    found = []
    for power in STARTS:
        first = start.copy()
        first[NAMES.index("power")] = power
        options = {"maxiter": 6, "xtol": 2e-3, "ftol": 2e-4}
        found.append(minimize(energy, first, method="Powell", bounds=bounds, options=options))
    best = min(found, key=lambda one: float(one.fun)).x
    frame = energy.frame(best)
    drawn = energy.drawn(frame)
    if energy.lower_rim(frame) < BARE_LOWER:
        frame = replace(frame, half_rim=True)
    return FittedFrame(frame, _overlap(drawn[0], front), _overlap(drawn[1], rim))


class _Energy:
    """1 - overlaps, with priors, as a function of the numbers `NAMES`."""

    def __init__(self, front: np.ndarray, rim: np.ndarray, marks: np.ndarray, strip: Strip) -> None:
        self.front, self.rim, self.marks, self.strip = front, rim, marks, strip
        self.eyes = eye_middles(marks)
        self.px_per_unit = 1 / UNITS_PER_PX

    def __call__(self, x: np.ndarray) -> float:
        front, rim = self.drawn(self.frame(x))
        apart = 1 - _overlap(front, self.front) + RIM_SHARE * (1 - _overlap(rim, self.rim))
        return float(apart + PRIOR * np.square((x - MEAN) / SPREAD).sum())

    def frame(self, x: np.ndarray, count: int = 48) -> Frame:
        """Of the numbers."""
        v = dict(zip(NAMES, map(float, x), strict=True))
        outline = superellipse(v["width"] * MM, v["height"] * MM, v["power"], count)
        if abs(v["lift"]) > 1e-6:
            outline = lifted(outline, v["lift"])
        outline = stretched(outline, v["low"])
        middles = self.eyes.copy()
        apart = max(v["apart"], v["width"] + 0.5 * GAP / MM) * MM
        middles[:, 0] = np.sign(middles[:, 0]) * apart + v["aside"] * MM
        middles[:, 1] = middles[:, 1].mean() + v["y"] * MM
        middles[:, 2] = front_z(self.marks, v["thick"] * MM) + v["away"] * MM
        thick = v["thick"] * MM
        return Frame(outline, middles, thick, metal=thick < METAL, roll_rad=v["roll"])

    def drawn(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Front and rims in [0, 1] on the strip."""
        rows, columns = STRIP_PX
        fill, line = (np.zeros((rows * FINE, columns * FINE), np.uint8) for _ in range(2))
        rims = [self.strip.pixels(frame.rim(index)) for index in range(2)]
        points = [np.round((rim * FINE - 0.5) * 2**SHIFT_BITS).astype(np.int32) for rim in rims]
        thick = max(round(frame.thickness * self.px_per_unit * FINE), 1)
        cv2.fillPoly(fill, points, 255, cv2.LINE_8, SHIFT_BITS)
        for image in (fill, line):
            cv2.polylines(image, points, True, 255, thick, cv2.LINE_8, SHIFT_BITS)
        small = [cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA) for image in (fill, line)]
        return small[0].astype(np.float32) / 255, small[1].astype(np.float32) / 255

    def start(self) -> np.ndarray | None:
        """Numbers from the boxes around the two largest parts of the front."""
        solid = (self.front > 0.5).astype(np.uint8)
        if solid.sum() < 40:
            return None
        x = MEAN.copy()
        ys, xs = np.nonzero(solid)
        where = self.strip.pixels(self.eyes + np.array([0.0, 0.0, 0.02]))
        unit = self.px_per_unit * MM
        x[NAMES.index("height")] = np.clip((np.quantile(ys, 0.98) - np.quantile(ys, 0.02)) / 2 / unit, 10, 28)
        x[NAMES.index("y")] = np.clip(-(ys.mean() - where[:, 1].mean()) / unit, -12, 6)
        width = (np.quantile(xs, 0.99) - np.quantile(xs, 0.01)) / unit  # of both lenses and the gap
        half = np.clip((width - 17) / 4, 17, 32)
        x[NAMES.index("width")] = half
        x[NAMES.index("apart")] = np.clip(half + 8.5, 24, 44)
        return x

    def lower_rim(self, frame: Frame) -> float:
        """Rim that is seen along the lower halves over that along the upper."""
        wide = cv2.dilate(self.rim, np.ones((3, 3), np.uint8))
        means = []
        for index in range(2):
            px = self.strip.pixels(frame.rim(index)).astype(np.float32)
            along = cv2.remap(wide, px[:, 0] - 0.5, px[:, 1] - 0.5, cv2.INTER_LINEAR).reshape(-1)
            half = len(along) // 2
            means.append((along[:half].mean(), along[half + 1 :].mean()))
        upper, lower = np.mean(means, axis=0)
        return float(lower / max(upper, 1e-3)) if upper > 0.25 else 1.0


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Soft Dice overlap in [0, 1]."""
    total = float(np.square(one).sum() + np.square(other).sum())
    return 2 * float((one * other).sum()) / max(total, 1e-6)
