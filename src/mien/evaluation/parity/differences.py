"""Differences between arrays and their reference, and how the reference's inputs were drawn."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

FEW: Final = 8
"""Arrays of at most so many numbers are compared as they are: their standard deviation means little."""


@dataclass(frozen=True)
class Difference:
    """Ours against the reference."""

    name: str
    largest: float
    """Largest absolute difference."""
    deviation: float
    """Standard deviation of the reference (1 for a few numbers)."""
    most: float = math.nan
    """Absolute difference that 90 % of the numbers do not exceed."""

    @property
    def relative(self) -> float:
        """Largest difference per standard deviation."""
        return self.largest / self.deviation

    @property
    def mostly(self) -> float:
        """`most` per standard deviation."""
        return self.most / self.deviation


def difference(name: str, ours: Tensor, reference: np.ndarray) -> Difference:
    """Compare; ValueError if the shapes differ, and a difference of infinity for anything not finite."""
    expected = torch.from_numpy(np.asarray(reference)).double()
    found = ours.detach().double().cpu()
    if found.shape != expected.shape:
        raise ValueError(f"{name} is {tuple(found.shape)}, its reference {tuple(expected.shape)}.")
    away = (found - expected).abs()
    largest, most = float(away.max()), float(np.quantile(away.numpy(), 0.9))
    deviation = float(expected.std()) if expected.numel() > FEW else 1.0
    return Difference(name, largest if math.isfinite(largest) else math.inf, deviation, most)


@dataclass(frozen=True)
class GradientDifference:
    """A gradient of ours against the reference's."""

    name: str
    length: float
    """Relative difference of the lengths or, for whole gradients, length of the difference over length."""


def normal(seed: int, shape: tuple[int, ...]) -> Tensor:
    """Normal numbers of NumPy's old generator, which the reference was made with."""
    return torch.from_numpy(np.random.RandomState(seed).randn(*shape).astype(np.float32))
