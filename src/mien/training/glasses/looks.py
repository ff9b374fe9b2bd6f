"""Random glasses of more kinds than procedural people wear: what a network shall know when it sees them."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mien.morphable.glasses import GAP, MM, Frame, eye_middles, front_z, lifted, stretched, superellipse
from mien.training.procedural.glasses import GlassesLook

DARK_SHARE: Final = 0.25
METAL_SHARE: Final = 0.4
HALF_RIM_SHARE: Final = 0.12


@dataclass(frozen=True, eq=False)
class DrawnGlasses:
    """A frame and its surfaces."""

    frame: Frame
    look: GlassesLook
    """Its shape and size are not those of the frame."""
    dark: bool
    """Whether the lenses hide the eyes."""


def draw_worn(rng: np.random.Generator, marks: np.ndarray) -> DrawnGlasses:
    """Any glasses on a head with MediaPipe's points [478, 3]."""
    metal = bool(rng.uniform() < METAL_SHARE)
    dark = bool(rng.uniform() < DARK_SHARE)
    thickness = float(rng.uniform(0.9, 1.9) if metal else rng.uniform(2.0, 6.5)) * MM
    width = rng.uniform(19, 31) * MM
    height = width * rng.uniform(0.55, 1.05)
    outline = superellipse(width, min(height, 27 * MM), rng.uniform(1.9, 5.5))
    if rng.uniform() < 0.5:
        outline = lifted(outline, float(rng.uniform(-0.25, 0.4)))
    low = rng.uniform(0.85, 1.25) if rng.uniform() < 0.5 else 1.0
    outline = stretched(outline, low)
    middles = eye_middles(marks)
    apart = np.maximum(np.abs(middles[:, 0]), width + GAP * rng.uniform(0.8, 1.5))
    middles[:, 0] = np.sign(middles[:, 0]) * apart.mean()
    middles[:, 1] = middles[:, 1].mean() + rng.uniform(-10, 2) * MM
    middles[:, 2] = front_z(marks, thickness) + rng.uniform(-1, 8) * MM
    half_rim = bool(rng.uniform() < HALF_RIM_SHARE)
    roll = float(np.radians(rng.normal(0, 1.2)))
    tints = ((0.25, 0.25, 0.25), (0.32, 0.22, 0.13), (0.16, 0.22, 0.15), (0.12, 0.15, 0.3))
    look = GlassesLook(
        shape="round", size=1.0, thickness=thickness, metal=metal, colour=_colour(rng, metal),
        tint=tints[rng.integers(len(tints))] if dark else (0.97, 0.985, 0.98),
        lens_alpha=float(rng.uniform(0.7, 0.97) if dark else rng.uniform(0.01, 0.1)), slip=0.0,
    )  # fmt: skip
    return DrawnGlasses(Frame(outline, middles, thickness, metal, half_rim, roll), look, dark)


def _colour(rng: np.random.Generator, metal: bool) -> tuple[float, float, float]:
    """Linear: half of them dark, the rest of any colour."""
    value = rng.uniform(0.05, 0.6) if metal else np.exp(rng.uniform(np.log(0.008), np.log(0.6)))
    if rng.uniform() < 0.45:
        value = rng.uniform(0.006, 0.05)
    hue = np.array([1.0, 1.0, 1.0]) if rng.uniform() < 0.4 else rng.dirichlet([1.5, 1.5, 1.5]) * 3
    if rng.uniform() < 0.3:
        hue = np.array([1.5, 0.85, 0.5])  # horn, gold, tortoiseshell
    r, g, b = np.clip(value * hue, 0.004, 0.8)
    return float(r), float(g), float(b)
