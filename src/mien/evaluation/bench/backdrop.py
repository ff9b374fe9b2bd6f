"""What stands behind a person of the benchmark: walls and things out of focus, in the person's own light."""

from typing import Final

import cv2
import numpy as np
from jaxtyping import Float

from mien.training.procedural.light import Light

THINGS: Final = (3, 9)
"""How few and how many things stand before the wall."""
BLUR: Final = (0.015, 0.06)
"""Standard deviation of the blur of what is out of focus, shares of the side."""


def draw_backdrop(light: Light, rng: np.random.Generator, size_px: int) -> Float[np.ndarray, "size size 3"]:
    """Linear radiance: a wall, upright and round things, a window or lamp at times, all out of focus."""
    across, down = np.meshgrid(*2 * [(np.arange(size_px) + 0.5) / size_px])
    wall = (
        _albedo(rng)
        * (1 + rng.uniform(-0.5, 0.5) * (across - 0.5) + rng.uniform(-0.5, 0.2) * (down - 0.5))[..., None]
    )
    for _ in range(rng.integers(*THINGS, endpoint=True)):
        cover = _thing(across, down, rng)[..., None]
        wall = wall * (1 - cover) + _albedo(rng) * cover
    lit = wall * (light.horizon * rng.uniform(0.6, 1.2) + 0.1)
    if rng.uniform() < 0.3:
        cover = _thing(across, down, rng)[..., None]
        lit = lit * (1 - cover) + np.maximum(light.sky * 1.3, 0.4) * cover
    blur_px = rng.uniform(*BLUR) * size_px
    return np.asarray(cv2.GaussianBlur(lit.astype(np.float32), (0, 0), blur_px))


def _albedo(rng: np.random.Generator) -> np.ndarray:
    """Linear, muted."""
    return np.clip(rng.uniform(0.08, 0.8) * np.exp(rng.normal(0, 0.11, 3)), 0.02, 0.9)


def _thing(across: np.ndarray, down: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cover [S, S] of an upright box, a shelf or a disc."""
    x, y, half = rng.uniform(0, 1), rng.uniform(0, 0.9), rng.uniform(0.03, 0.2)
    if rng.uniform() < 0.3:
        return (np.hypot(across - x, down - y) < half).astype(np.float64)
    tall = half * np.exp(rng.normal(0.5, 0.8))
    return ((np.abs(across - x) < half) & (np.abs(down - y) < tall)).astype(np.float64)
