"""Super-resolution of checkpoints of 128 px."""

from dataclasses import dataclass

from mien.generator.eg3d.superres.base import HybridSuperRes, SuperResConfig


@dataclass(frozen=True)
class Hybrid2XConfig(SuperResConfig):
    """Settings of the variant."""


class Hybrid2X(HybridSuperRes):
    """Features of 64 px to an image of 128 px."""

    output_px = 128
    input_px = 64
    resizes = "always"
    widths = (128, 64)
    first_enlarges = False
