"""Super-resolution of old checkpoints of 256 px: as 4X, but without antialiasing."""

from dataclasses import dataclass

from mien.generator.eg3d.superres.base import HybridSuperRes, SuperResConfig


@dataclass(frozen=True)
class HybridDeepFp32Config(SuperResConfig):
    """Settings of the variant."""

    antialias: bool = False


class HybridDeepFp32(HybridSuperRes):
    """Features of 128 px to an image of 256 px."""

    output_px = 256
    input_px = 128
    resizes = "smaller"
    widths = (128, 64)
    first_enlarges = False
