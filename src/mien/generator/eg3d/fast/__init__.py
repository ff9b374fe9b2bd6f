"""The fast path of EG3D: the same images and gradients, without the work that cannot be seen."""

from mien.generator.eg3d.fast.config import CAREFUL, FAST, FastConfig
from mien.generator.eg3d.fast.renderer import FastRenderer
from mien.generator.eg3d.fast.step import (
    EXACT_STEP,
    QUICK_STEP,
    FastStepConfig,
    differentiable_planes,
    differentiable_render,
)

__all__ = [
    "CAREFUL", "EXACT_STEP", "FAST", "QUICK_STEP", "FastConfig", "FastRenderer", "FastStepConfig",
    "differentiable_planes", "differentiable_render",
]  # fmt: skip
