"""Super-resolution modules of EG3D. A new one is one file and two lines here."""

from typing import Final

from mien.generator.eg3d.superres.base import HybridSuperRes, SuperResConfig
from mien.generator.eg3d.superres.deep_fp32 import HybridDeepFp32, HybridDeepFp32Config
from mien.generator.eg3d.superres.hybrid2x import Hybrid2X, Hybrid2XConfig
from mien.generator.eg3d.superres.hybrid2xsmall import Hybrid2XSmall, Hybrid2XSmallConfig
from mien.generator.eg3d.superres.hybrid4x import Hybrid4X, Hybrid4XConfig
from mien.generator.eg3d.superres.hybrid8x import Hybrid8X, Hybrid8XConfig
from mien.generator.eg3d.superres.hybrid8xdc import Hybrid8XDC, Hybrid8XDCConfig

SUPERRES: Final[dict[type[SuperResConfig], type[HybridSuperRes]]] = {
    Hybrid2XConfig: Hybrid2X,
    Hybrid2XSmallConfig: Hybrid2XSmall,
    Hybrid4XConfig: Hybrid4X,
    Hybrid8XConfig: Hybrid8X,
    Hybrid8XDCConfig: Hybrid8XDC,
    HybridDeepFp32Config: HybridDeepFp32,
}
OFFICIAL_NAMES: Final[dict[str, type[SuperResConfig]]] = {
    "SuperresolutionHybrid2X": Hybrid2XConfig,
    "SuperresolutionHybrid4X": Hybrid4XConfig,
    "SuperresolutionHybrid8X": Hybrid8XConfig,
    "SuperresolutionHybrid8XDC": Hybrid8XDCConfig,
    "SuperresolutionHybridDeepfp32": HybridDeepFp32Config,
}
"""The class names in checkpoints."""

__all__ = [
    "OFFICIAL_NAMES", "SUPERRES", "Hybrid2X", "Hybrid2XConfig", "Hybrid2XSmall", "Hybrid2XSmallConfig",
    "Hybrid4X", "Hybrid4XConfig", "Hybrid8X", "Hybrid8XConfig", "Hybrid8XDC", "Hybrid8XDCConfig",
    "HybridDeepFp32", "HybridDeepFp32Config", "HybridSuperRes", "SuperResConfig",
]  # fmt: skip
