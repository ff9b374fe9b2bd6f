"""Backbones: from W to planes. A new one is one file and two lines here."""

from typing import Final

from mien.generator.backbones.base import Backbone
from mien.generator.backbones.basis import BasisBackbone, BasisConfig

BackboneConfig = BasisConfig
BACKBONES: Final = {BasisConfig: BasisBackbone}

__all__ = ["BACKBONES", "Backbone", "BackboneConfig", "BasisBackbone", "BasisConfig"]
