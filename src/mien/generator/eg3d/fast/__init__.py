"""The fast path of EG3D: the same images and gradients, without the work that cannot be seen."""

from mien.generator.eg3d.fast.config import CAREFUL, FAST, FastConfig
from mien.generator.eg3d.fast.renderer import FastRenderer

__all__ = ["CAREFUL", "FAST", "FastConfig", "FastRenderer"]
