"""Curves between two values."""

from jaxtyping import Float
from torch import Tensor


def smoothstep(x: Float[Tensor, "*batch"], low: float, high: float) -> Float[Tensor, "*batch"]:
    """0 below low, 1 above high, cubic between."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)
