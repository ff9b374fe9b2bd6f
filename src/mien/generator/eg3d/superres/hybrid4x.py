"""Super-resolution of checkpoints of 256 px."""

from dataclasses import dataclass

from mien.generator.eg3d.superres.base import HybridSuperRes, SuperResConfig


@dataclass(frozen=True)
class Hybrid4XConfig(SuperResConfig):
    """Settings of the variant."""


class Hybrid4X(HybridSuperRes):
    """Features of 128 px to an image of 256 px."""

    output_px = 256
    input_px = 128
    resizes = "smaller"
    widths = (128, 64)
    first_enlarges = False
