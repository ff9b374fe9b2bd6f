"""Super-resolution of early checkpoints of 512 px."""

from dataclasses import dataclass

from mien.generator.eg3d.superres.base import HybridSuperRes, SuperResConfig


@dataclass(frozen=True)
class Hybrid8XConfig(SuperResConfig):
    """Settings of the variant."""


class Hybrid8X(HybridSuperRes):
    """Features of 128 px to an image of 512 px."""

    output_px = 512
    input_px = 128
    resizes = "always"
    widths = (128, 64)
    first_enlarges = True
