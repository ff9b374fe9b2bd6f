"""Super-resolution of published checkpoints of 512 px, with twice the channels."""

from dataclasses import dataclass

from mien.generator.eg3d.superres.base import HybridSuperRes, SuperResConfig


@dataclass(frozen=True)
class Hybrid8XDCConfig(SuperResConfig):
    """Settings of the variant."""


class Hybrid8XDC(HybridSuperRes):
    """Features of 128 px to an image of 512 px."""

    output_px = 512
    input_px = 128
    resizes = "always"
    widths = (256, 128)
    first_enlarges = True
    has_spare_filter = False
