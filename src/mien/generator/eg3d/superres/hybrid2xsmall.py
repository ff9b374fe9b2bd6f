"""Super-resolution for trials on a CPU; not one of the published classes."""

from dataclasses import dataclass

from mien.generator.eg3d.superres.base import HybridSuperRes, SuperResConfig


@dataclass(frozen=True)
class Hybrid2XSmallConfig(SuperResConfig):
    """Settings of the variant."""


class Hybrid2XSmall(HybridSuperRes):
    """Features of 32 px to an image of 64 px."""

    output_px = 64
    input_px = 32
    resizes = "always"
    widths = (32, 16)
    first_enlarges = False
    has_spare_filter = False
