"""Backbones: from W to planes. A new one is one file and two lines here.

Some make planes over mien-base's canonical chart, others EG3D's planes through the head box; a generator
takes those of its kind.
"""

from typing import Final

from mien.generator.backbones.base import BoxBackbone, ChartBackbone
from mien.generator.backbones.basis import BasisBackbone, BasisConfig
from mien.generator.backbones.blocks import BlocksBackbone, BlocksConfig
from mien.generator.backbones.stylegan2 import StyleGan2Backbone, StyleGan2Config

ChartBackboneConfig = BasisConfig | BlocksConfig
CHART_BACKBONES: Final = {BasisConfig: BasisBackbone, BlocksConfig: BlocksBackbone}
BoxBackboneConfig = StyleGan2Config
BOX_BACKBONES: Final = {StyleGan2Config: StyleGan2Backbone}

BackboneConfig = ChartBackboneConfig | BoxBackboneConfig
BACKBONES: Final[tuple[type, ...]] = (*CHART_BACKBONES.values(), *BOX_BACKBONES.values())

__all__ = [
    "BACKBONES", "BOX_BACKBONES", "CHART_BACKBONES", "BackboneConfig", "BasisBackbone", "BasisConfig",
    "BlocksBackbone", "BlocksConfig",
    "BoxBackbone", "BoxBackboneConfig", "ChartBackbone", "ChartBackboneConfig", "StyleGan2Backbone",
    "StyleGan2Config",
]  # fmt: skip
