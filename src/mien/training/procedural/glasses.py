"""Glasses: two lenses in a frame that rests on the nose's bridge, and arms that go over the ears."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch

from mien.morphable.model import MorphableModel
from mien.morphable.regions import region_faces

GlassesShape = Literal["round", "rectangular", "cat_eye", "aviator", "half_rim"]
SHAPES: Final[tuple[GlassesShape, ...]] = ("round", "rectangular", "cat_eye", "aviator", "half_rim")
MM: Final = 0.0019
RIM_POINTS: Final = 48
TUBE_SIDES: Final = 6
ARM_POINTS: Final = 14
EYE_RINGS: Final = ((33, 133, 159, 145), (263, 362, 386, 374))
BRIDGE_LANDMARK: Final = 6
LENS_ALBEDO: Final = 0.012
TEMPLES: Final = (127, 356)
"""Where the face ends before the ears: right and left."""
OUTLINE: Final[dict[GlassesShape, tuple[float, float, float, float]]] = {
    "round": (2.0, 23.0, 22.0, 0.0), "rectangular": (4.5, 26.0, 17.0, 0.0),
    "cat_eye": (2.8, 26.0, 19.0, 0.28),
    "aviator": (2.5, 28.0, 24.0, -0.12), "half_rim": (3.6, 26.0, 16.5, 0.0),
}  # fmt: skip
"""Exponent of the superellipse, half width and half height in mm, lift of the upper outer corner."""


@dataclass(frozen=True)
class GlassesLook:
    """Glasses; lengths in EG3D units."""

    shape: GlassesShape
    size: float
    """Factor on the shape's usual size."""
    thickness: float
    """Of the frame."""
    metal: bool
    colour: tuple[float, float, float]
    """Of the frame, linear."""
    tint: tuple[float, float, float]
    """Colour of light that crosses the lenses, linear."""
    lens_alpha: float
    """How much of what is behind the lenses they hide: 0.05 clear, 0.9 dark."""
    slip: float
    """How far down the nose they sit."""

    def labels(self) -> dict[str, float | str]:
        """Exact factors by name."""
        names = ("shape", "size", "thickness", "lens_alpha", "slip")
        out: dict[str, float | str] = {f"glasses.{n}": getattr(self, n) for n in names}
        return out | {"glasses.metal": float(self.metal)}


@dataclass(frozen=True, eq=False)
class GlassesMesh:
    """Triangles of frame and lenses in the head frame."""

    vertices: np.ndarray
    """float32 [V, 3]."""
    faces: np.ndarray
    """int32 [F, 3]."""
    albedo: np.ndarray
    """float32 [F, 3], linear."""
    roughness: np.ndarray
    """float32 [F]."""
    reflectance: np.ndarray
    """float32 [F], of light that falls straight on it."""
    alpha: np.ndarray
    """float32 [F], 1 for the frame, for lenses what they hide of the things behind them."""
    transmission: np.ndarray
    """float32 [F, 3], colour of the light that lenses pass; 0 for the frame."""
    is_lens: np.ndarray
    """bool [F]."""


def draw_glasses(
    rng: np.random.Generator, *, age: float = 40.0, odds: float | None = None
) -> GlassesLook | None:
    """Glasses or none; older people (age in years) wear them more often unless the odds are given."""
    worn = odds if odds is not None else 0.12 + 0.28 * float(np.clip((age - 20) / 50, 0, 1))
    return glasses_of(SHAPES[rng.integers(len(SHAPES))], rng) if rng.uniform() < worn else None


def glasses_of(shape: GlassesShape, rng: np.random.Generator) -> GlassesLook:
    """Glasses of one shape, what is left open drawn at random."""
    metal = bool(rng.uniform() < {"aviator": 0.95, "round": 0.6, "half_rim": 0.7}.get(shape, 0.25))
    dark = rng.uniform() < (0.35 if shape == "aviator" else 0.07)
    metals = ((0.55, 0.45, 0.24), (0.5, 0.5, 0.52), (0.06, 0.06, 0.065), (0.40, 0.24, 0.17))
    plastics = ((0.012, 0.012, 0.013), (0.06, 0.025, 0.012), (0.02, 0.03, 0.07), (0.12, 0.02, 0.025),
                (0.30, 0.30, 0.30), (0.16, 0.085, 0.03))  # fmt: skip
    palette = metals if metal else plastics
    colour = palette[rng.choice(len(palette))]
    tints = ((0.25, 0.25, 0.25), (0.32, 0.22, 0.13), (0.16, 0.22, 0.15))
    tint = tints[rng.integers(3)] if dark else (0.97, 0.985, 0.98)
    return GlassesLook(
        shape=shape,
        size=float(rng.uniform(0.98, 1.16)),
        thickness=float(rng.uniform(1.1, 1.7) if metal else rng.uniform(2.4, 4.6)) * MM,
        metal=metal,
        colour=(float(colour[0]), float(colour[1]), float(colour[2])),
        tint=tint,
        lens_alpha=float(rng.uniform(0.75, 0.93)) if dark else float(rng.uniform(0.02, 0.07)),
        slip=float(rng.uniform(0, 5)) * MM,
    )


def glasses_mesh(model: MorphableModel, vertices_neutral: np.ndarray, look: GlassesLook) -> GlassesMesh:
    """Glasses on a person's neutral head [V, 3]."""
    marks = model.landmarks(torch.from_numpy(np.asarray(vertices_neutral, np.float32))).numpy()
    bridge = marks[BRIDGE_LANDMARK] + [0, -0.1 * look.slip, 0.35 * look.slip]
    eyes = [marks[list(ring)].mean(0) for ring in EYE_RINGS]
    parts: list[tuple[np.ndarray, np.ndarray, bool]] = []
    hinges = []
    for eye in eyes:
        side = float(np.sign(eye[0]))
        rim = _rim(look, eye, bridge, marks, side)
        solid = rim if look.shape != "half_rim" else rim[: RIM_POINTS // 2 + 1]
        parts.append(
            (*_tube(solid, look.thickness, closed=look.shape != "half_rim", deep=not look.metal), False)
        )
        parts.append((*_lens(rim), True))
        hinges.append(_hinge(rim, side))
    parts.append((*_tube(_bridge(look, eyes, bridge, marks), look.thickness * 0.9, closed=False), False))
    for hinge in hinges:
        arm = _arm(model, vertices_neutral, marks, hinge, look)
        parts.append(
            (*_tube(arm, look.thickness * 0.9, closed=False, tall=1.0 if look.metal else 1.5), False)
        )
    return _assembled(parts, look)


def _half_sizes(look: GlassesLook) -> tuple[float, float]:
    _, width, height, _ = OUTLINE[look.shape]
    return width * look.size * MM, height * look.size * MM


def _plane_z(bridge: np.ndarray, marks: np.ndarray, look: GlassesLook) -> float:
    """Where the lenses' middles stand: before brows, lashes and the bridge."""
    brow = marks[[105, 334]][:, 2].max()
    return float(max(bridge[2] + 0.3 * look.thickness, brow + 0.004) + 0.002)


def _rim(
    look: GlassesLook, eye: np.ndarray, bridge: np.ndarray, marks: np.ndarray, side: float
) -> np.ndarray:
    """A lens' outline [RIM_POINTS, 3]: starts at the outer end and runs over the top to the inner end."""
    power, *_, lift = OUTLINE[look.shape]
    a, b = _half_sizes(look)
    angle = np.linspace(0, 2 * np.pi, RIM_POINTS, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    x = a * np.sign(c) * np.abs(c) ** (2 / power)
    y = b * np.sign(s) * np.abs(s) ** (2 / power)
    outer = (x / a + 1) / 2
    y = y + abs(lift) * b * np.clip(np.sign(lift) * (outer - 0.5), 0, 1) * 2 * (y > 0)
    if look.shape == "aviator":
        x = x * (1 - 0.14 * np.clip(-y / b, 0, 1) * 0.5)
        y = np.where(y < 0, y * (1.15 - 0.25 * (outer < 0.35)), y * 0.85)
    gap = 8.5 * MM
    middle = max(abs(eye[0]), a + gap)
    px = side * (middle + x)
    pz = _plane_z(bridge, marks, look) - 1.2 * np.clip(np.abs(px) - 0.03, 0, None) ** 2 + 0.10 * y
    return np.stack([px, eye[1] - 0.0055 - look.slip + y, pz], 1)


def _hinge(rim: np.ndarray, side: float) -> np.ndarray:
    """The outer upper point of a rim."""
    score = side * rim[:, 0] + 0.45 * (rim[:, 1] - rim[:, 1].mean())
    return np.asarray(rim[np.argmax(score)])


def _bridge(look: GlassesLook, eyes: list[np.ndarray], bridge: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """A bow [K, 3] between the rims over the nose."""
    rims = [_rim(look, e, bridge, marks, float(np.sign(e[0]))) for e in eyes]
    ends = [r[np.argmin(np.abs(r[:, 0]) - 0.25 * (r[:, 1] - r[:, 1].mean()))] for r in rims]
    t = np.linspace(0, 1, 9)[:, None]
    bow = (4 * t * (1 - t)) * np.array([0, 0.004, 0.003])
    return np.asarray(ends[0] * (1 - t) + ends[1] * t + bow)


def _arm(
    model: MorphableModel, vertices: np.ndarray, marks: np.ndarray, hinge: np.ndarray, look: GlassesLook
) -> np.ndarray:
    """From the hinge back over the ear's root and down behind it [ARM_POINTS, 3]."""
    side = float(np.sign(hinge[0]))
    ear = vertices[np.unique(model.faces_np[region_faces(model)["ears"].numpy()])]
    ear = ear[np.sign(ear[:, 0]) == side]
    temple = marks[TEMPLES[0 if side < 0 else 1]]
    reach = max(abs(hinge[0]) + 0.003, abs(temple[0]) - 0.004)
    corner = np.array([side * reach, hinge[1], hinge[2] - 0.014])
    beside = abs(temple[0]) + 0.5 * look.thickness + 0.002
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
    rings = [middle + s * (rim - middle) + [0, 0, 0.0035 * (1 - s * s)] for s in (0.35, 0.7, 1.0)]
    vertices = np.concatenate([(middle + np.array([0.0, 0.0, 0.0035]))[None], *rings])
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


def _assembled(parts: list[tuple[np.ndarray, np.ndarray, bool]], look: GlassesLook) -> GlassesMesh:
    shifts = np.cumsum([0] + [len(v) for v, _, _ in parts[:-1]])
    faces = np.concatenate([f + s for (_, f, _), s in zip(parts, shifts, strict=True)]).astype(np.int32)
    lens = np.concatenate([np.full(len(f), is_lens) for _, f, is_lens in parts])
    albedo = np.where(lens[:, None], np.full(3, LENS_ALBEDO), look.colour).astype(np.float32)
    passed = np.array(look.tint) * (1 - look.lens_alpha)
    return GlassesMesh(
        np.concatenate([v for v, _, _ in parts]).astype(np.float32),
        faces,
        albedo,
        np.where(lens, 0.05, 0.25 if look.metal else 0.3).astype(np.float32),
        np.where(lens, 0.04, 0.6 if look.metal else 0.05).astype(np.float32),
        np.where(lens, look.lens_alpha, 1.0).astype(np.float32),
        np.where(lens[:, None], passed, 0.0).astype(np.float32),
        lens,
    )
