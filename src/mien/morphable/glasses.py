"""Glasses as a thing on a head: two lenses in a frame that rests on the nose, and arms over the ears.

The frame is given by its numbers; `glasses_geometry` makes triangles of it in the head frame (x to the
picture's right, y up, z to the viewer).
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from mien.morphable.model import MorphableModel
from mien.morphable.regions import region_faces

MM: Final = 0.0019
RIM_POINTS: Final = 48
TUBE_SIDES: Final = 6
ARM_POINTS: Final = 14
EYE_RINGS: Final = ((33, 133, 159, 145), (263, 362, 386, 374))
BRIDGE_LANDMARK: Final = 6
BROW_PEAKS: Final = (105, 334)
TEMPLES: Final = (127, 356)
"""Where the face ends before the ears: right and left."""
TILT: Final = 0.10
"""How far the upper rim leans forward, per height."""
BOW: Final = 1.2
"""How far the front is bent back at its sides, per squared distance from `FLAT`."""
FLAT: Final = 0.03
GAP: Final = 8.5 * MM
"""Least half distance between the lenses over the nose."""
BULGE: Final = 0.0035
PARTS: Final = ("rim", "bridge", "arm", "lens")
GlassesPart = Literal["rim", "bridge", "arm", "lens"]


@dataclass(frozen=True, eq=False)
class Frame:
    """Glasses on a head, lengths in EG3D units."""

    outline: np.ndarray
    """float64 [K, 2] of a lens from its middle, x outwards, y up; it begins at the outer end and goes over
    the top to the inner end."""
    middles: np.ndarray
    """float64 [2, 3] of the lenses, head frame; those of the person's right and left eye."""
    thickness: float
    """Of the frame."""
    metal: bool = False
    """Wire; else plastic, which is deeper and has taller arms."""
    half_rim: bool = False
    """Whether the lenses' lower halves have no rim."""
    roll_rad: float = 0.0
    """How far the front is turned in its plane, counter-clockwise as the viewer sees it."""

    def rim(self, index: int) -> np.ndarray:
        """A lens' outline [K, 3]."""
        middle, side = self.middles[index], float(np.sign(self.middles[index, 0]))
        x, y = middle[0] + side * self.outline[:, 0], self.outline[:, 1]
        z = middle[2] - BOW * np.clip(np.abs(x) - FLAT, 0, None) ** 2 + TILT * y
        rim = np.stack([x, middle[1] + y, z], 1)
        if self.roll_rad:
            turn = np.array([[np.cos(self.roll_rad), -np.sin(self.roll_rad)],
                             [np.sin(self.roll_rad), np.cos(self.roll_rad)]])  # fmt: skip
            pivot = np.array([0.0, self.middles[:, 1].mean()])
            rim[:, :2] = (rim[:, :2] - pivot) @ turn.T + pivot
        return rim


@dataclass(frozen=True, eq=False)
class GlassesGeometry:
    """Triangles of frame and lenses in the head frame."""

    vertices: np.ndarray
    """float64 [V, 3]."""
    faces: np.ndarray
    """int32 [F, 3]."""
    part: np.ndarray
    """uint8 [F], index into `PARTS`."""

    @property
    def is_lens(self) -> np.ndarray:
        """bool [F]."""
        return np.asarray(self.part == PARTS.index("lens"))


def superellipse(half_width: float, half_height: float, power: float, count: int = RIM_POINTS) -> np.ndarray:
    """Points [K, 2] of |x / a|^p + |y / b|^p = 1, counter-clockwise from the right end."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    x = half_width * np.sign(c) * np.abs(c) ** (2 / power)
    y = half_height * np.sign(s) * np.abs(s) ** (2 / power)
    return np.stack([x, y], 1)


def lifted(outline: np.ndarray, lift: float) -> np.ndarray:
    """The outer upper corner raised (the inner one for a lift below 0), in half heights: cat's eyes."""
    x, y = outline[:, 0], outline[:, 1]
    outer = (x / np.abs(x).max() + 1) / 2
    rise = abs(lift) * np.abs(y).max() * np.clip(np.sign(lift) * (outer - 0.5), 0, 1) * 2
    return np.stack([x, y + rise * (y > 0)], 1)


def stretched(outline: np.ndarray, low: float) -> np.ndarray:
    """The outline with its lower half `low` times as high, and the upper half as much less."""
    x, y = outline[:, 0], outline[:, 1]
    return np.stack([x, y * np.where(y < 0, low, 2 - low)], 1)


def front_z(marks: np.ndarray, thickness: float, slip: float = 0.0) -> float:
    """Where the lenses' middles stand on a head with MediaPipe's points [478, 3]: before brows, lashes and
    the nose's bridge. `slip` is how far down the nose they sit."""
    bridge = marks[BRIDGE_LANDMARK, 2] + 0.35 * slip
    brow = marks[list(BROW_PEAKS), 2].max()
    return float(max(bridge + 0.3 * thickness, brow + 0.004) + 0.002)


def eye_middles(marks: np.ndarray) -> np.ndarray:
    """Middles [2, 3] of the right and left eye, from MediaPipe's points [478, 3]."""
    return np.stack([marks[list(ring)].mean(0) for ring in EYE_RINGS])


def glasses_geometry(
    model: MorphableModel, vertices_neutral: np.ndarray, marks: np.ndarray, frame: Frame
) -> GlassesGeometry:
    """A frame's triangles on a person's neutral head [V, 3] with MediaPipe's points [478, 3]."""
    parts: list[tuple[np.ndarray, np.ndarray, GlassesPart]] = []
    hinges, thick = [], frame.thickness
    for index in range(2):
        rim = frame.rim(index)
        solid = rim if not frame.half_rim else rim[: len(rim) // 2 + 1]
        tube = _tube(solid, thick, closed=not frame.half_rim, deep=not frame.metal)
        parts += [(*tube, "rim"), (*_lens(rim), "lens")]
        hinges.append(_hinge(rim))
    parts.append((*_tube(_bridge(frame), thick * 0.9, closed=False), "bridge"))
    for hinge in hinges:
        arm = _arm(model, vertices_neutral, marks, hinge, thick)
        parts.append((*_tube(arm, thick * 0.9, closed=False, tall=1.0 if frame.metal else 1.5), "arm"))
    shifts = np.cumsum([0] + [len(v) for v, _, _ in parts[:-1]])
    faces = np.concatenate([f + s for (_, f, _), s in zip(parts, shifts, strict=True)]).astype(np.int32)
    part = np.concatenate([np.full(len(f), PARTS.index(name), np.uint8) for _, f, name in parts])
    return GlassesGeometry(np.concatenate([v for v, _, _ in parts]), faces, part)


def _hinge(rim: np.ndarray) -> np.ndarray:
    """The outer upper point of a rim."""
    score = np.sign(rim[:, 0].mean()) * rim[:, 0] + 0.45 * (rim[:, 1] - rim[:, 1].mean())
    return np.asarray(rim[np.argmax(score)])


def _bridge(frame: Frame) -> np.ndarray:
    """A bow [K, 3] between the rims over the nose."""
    rims = [frame.rim(index) for index in range(2)]
    ends = [r[np.argmin(np.abs(r[:, 0]) - 0.25 * (r[:, 1] - r[:, 1].mean()))] for r in rims]
    t = np.linspace(0, 1, 9)[:, None]
    bow = (4 * t * (1 - t)) * np.array([0, 0.004, 0.003])
    return np.asarray(ends[0] * (1 - t) + ends[1] * t + bow)


def _arm(
    model: MorphableModel, vertices: np.ndarray, marks: np.ndarray, hinge: np.ndarray, thickness: float
) -> np.ndarray:
    """From the hinge back over the ear's root and down behind it [ARM_POINTS, 3]."""
    side = float(np.sign(hinge[0]))
    ear = vertices[np.unique(model.faces_np[region_faces(model)["ears"].numpy()])]
    ear = ear[np.sign(ear[:, 0]) == side]
    temple = marks[TEMPLES[0 if side < 0 else 1]]
    reach = max(abs(hinge[0]) + 0.003, abs(temple[0]) - 0.004)
    corner = np.array([side * reach, hinge[1], hinge[2] - 0.014])
    beside = abs(temple[0]) + 0.5 * thickness + 0.002
    rest = np.array([side * beside, ear[:, 1].max() - 0.004, temple[2] - 0.05])
    tip = rest + np.array([0.0, -0.05, -0.04])
    half = ARM_POINTS - 5
    t = np.linspace(0, 1, half)[:, None]
    straight = corner * (1 - t) + rest * t
    s = np.linspace(0, 1, 5)[1:, None]
    knee = rest + np.array([0.0, 0.0, -0.022])
    hook = (1 - s) ** 2 * rest + 2 * s * (1 - s) * knee + s**2 * tip
    return np.concatenate([hinge[None], straight, hook])


def _tube(
    line: np.ndarray, thickness: float, *, closed: bool, deep: bool = False, tall: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """A tube around a line [K, 3]: vertices and faces; deep ones are thicker along z, tall ones along y."""
    ahead = np.roll(line, -1, 0) - np.roll(line, 1, 0) if closed else np.gradient(line, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-9
    reference = np.where(np.abs(ahead[:, 2:]) > 0.8, [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]])
    first = np.cross(ahead, reference)
    first /= np.linalg.norm(first, axis=1, keepdims=True) + 1e-9
    second = np.cross(ahead, first)
    angle = np.linspace(0, 2 * np.pi, TUBE_SIDES, endpoint=False)
    radius = thickness / 2
    ring = (np.cos(angle)[:, None] * first[:, None] + np.sin(angle)[:, None] * second[:, None]) * radius
    ring = ring * [1.0, tall, 1.25 if deep else 1.0]
    vertices = (line[:, None] + ring).reshape(-1, 3)
    count = len(line)
    k = np.arange(count if closed else count - 1)[:, None]
    j = np.arange(TUBE_SIDES)[None]
    a, b = k * TUBE_SIDES + j, k * TUBE_SIDES + (j + 1) % TUBE_SIDES
    c, d = ((k + 1) % count) * TUBE_SIDES + j, ((k + 1) % count) * TUBE_SIDES + (j + 1) % TUBE_SIDES
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
    return vertices, faces


def _lens(rim: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A slightly bulged disc inside a rim."""
    middle = rim.mean(0)
    rings = [middle + s * (rim - middle) + [0, 0, BULGE * (1 - s * s)] for s in (0.35, 0.7, 1.0)]
    vertices = np.concatenate([(middle + np.array([0.0, 0.0, BULGE]))[None], *rings])
    n = len(rim)
    k, after = np.arange(n), (np.arange(n) + 1) % n
    faces = [np.stack([0 * k, 1 + k, 1 + after], 1)]
    for r in range(2):
        low, high = 1 + r * n, 1 + (r + 1) * n
        faces += [
            np.stack([low + k, high + k, low + after], 1),
            np.stack([low + after, high + k, high + after], 1),
        ]
    return vertices, np.concatenate(faces)
