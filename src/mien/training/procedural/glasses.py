"""Glasses: two lenses in a frame that rests on the nose's bridge, and arms that go over the ears."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch

from mien.morphable.glasses import (
    GAP,
    MM,
    Frame,
    GlassesGeometry,
    eye_middles,
    front_z,
    glasses_geometry,
    lifted,
    superellipse,
)
from mien.morphable.model import MorphableModel

GlassesShape = Literal["round", "rectangular", "cat_eye", "aviator", "half_rim"]
SHAPES: Final[tuple[GlassesShape, ...]] = ("round", "rectangular", "cat_eye", "aviator", "half_rim")
LENS_ALBEDO: Final = 0.012
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
    frame = frame_of(look, marks)
    return painted(glasses_geometry(model, vertices_neutral, marks, frame), look)


def frame_of(look: GlassesLook, marks: np.ndarray) -> Frame:
    """The frame of a look on a head with MediaPipe's points [478, 3]."""
    power, width, height, lift = OUTLINE[look.shape]
    a, b = width * look.size * MM, height * look.size * MM
    outline = superellipse(a, b, power)
    if lift:
        outline = lifted(outline, lift)
    if look.shape == "aviator":
        outline = _drops(outline, a, b)
    middles = eye_middles(marks)
    middles[:, 0] = np.sign(middles[:, 0]) * np.maximum(np.abs(middles[:, 0]), a + GAP)
    middles[:, 1] += -0.0055 - look.slip
    middles[:, 2] = front_z(marks, look.thickness, look.slip)
    return Frame(outline, middles, look.thickness, look.metal, half_rim=look.shape == "half_rim")


def _drops(outline: np.ndarray, a: float, b: float) -> np.ndarray:
    """An aviator's outline: flat above, hanging down below."""
    x, y = outline[:, 0], outline[:, 1]
    outer = (x / a + 1) / 2
    x = x * (1 - 0.14 * np.clip(-y / b, 0, 1) * 0.5)
    y = np.where(y < 0, y * (1.15 - 0.25 * (outer < 0.35)), y * 0.85)
    return np.stack([x, y], 1)


def painted(geometry: GlassesGeometry, look: GlassesLook) -> GlassesMesh:
    """Triangles with the look's surfaces."""
    lens = geometry.is_lens
    albedo = np.where(lens[:, None], np.full(3, LENS_ALBEDO), look.colour).astype(np.float32)
    passed = np.array(look.tint) * (1 - look.lens_alpha)
    return GlassesMesh(
        geometry.vertices.astype(np.float32),
        geometry.faces,
        albedo,
        np.where(lens, 0.05, 0.25 if look.metal else 0.3).astype(np.float32),
        np.where(lens, 0.04, 0.6 if look.metal else 0.05).astype(np.float32),
        np.where(lens, look.lens_alpha, 1.0).astype(np.float32),
        np.where(lens[:, None], passed, 0.0).astype(np.float32),
        lens,
    )
