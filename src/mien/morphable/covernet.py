"""What a small network sees before a face: hands, cups, microphones; not hair, not glasses.

Trained by `mien train covers` on procedural heads alone.
"""

from functools import lru_cache
from pathlib import Path
from typing import Final

from mien.core.assets import asset_path, read_manifest
from mien.morphable.partsnet import PartsNet, PartsNetConfig, read_parts_net

KIND: Final = "cover_finder"
ASSET: Final = "cover_finder.safetensors"
NOTHING, COVER = 0, 1
"""Classes of pixels."""
CLASSES: Final = 2
SIZE: Final = PartsNetConfig(widths=(20, 32, 48, 72, 96))
"""Of the bundled network: deep enough that its lowest level sees the whole square."""


def read_cover_net(path: Path) -> PartsNet:
    """Read a network. Raises CheckpointError for a file that is none."""
    return read_parts_net(path, KIND, CLASSES)


@lru_cache(maxsize=1)
def load_cover_net() -> PartsNet | None:
    """The bundled network, or None if this mien comes without one."""
    return read_cover_net(asset_path(ASSET)) if ASSET in read_manifest() else None
