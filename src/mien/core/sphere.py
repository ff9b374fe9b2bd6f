"""Directions."""

import math

import numpy as np
from jaxtyping import Float32


def sphere_directions(count: int) -> Float32[np.ndarray, "count 3"]:
    """Evenly spread unit directions (a Fibonacci lattice)."""
    k = np.arange(count) + 0.5
    z, turn = 1 - 2 * k / count, k * math.pi * (1 + math.sqrt(5))
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(turn), r * np.sin(turn), z], 1).astype(np.float32)
