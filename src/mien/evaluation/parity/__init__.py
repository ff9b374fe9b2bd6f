"""How near EG3D's generator is to reference numbers that were made with another implementation.

A folder holds configurations, weights, inputs and outputs (JSON, safetensors, npz). Every output is computed
again and compared; the largest difference is put in units of the reference's standard deviation.
"""

from mien.evaluation.parity.differences import Difference, GradientDifference, difference
from mien.evaluation.parity.modules import SIDES, compare_discriminator, compare_resize, compare_superres
from mien.evaluation.parity.small import GROUPS, INPUTS, ParitySet, compare, compare_gradients

__all__ = [
    "GROUPS", "INPUTS", "SIDES", "Difference", "GradientDifference", "ParitySet", "compare",
    "compare_discriminator", "compare_gradients", "compare_resize", "compare_superres", "difference",
]  # fmt: skip
