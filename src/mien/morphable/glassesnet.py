"""What a small network sees of glasses in a strip around the eyes: rims, arms, lenses, whether any are worn.

Trained by `mien train glasses` on procedural heads alone.
"""

from functools import lru_cache
from pathlib import Path
from typing import Final

from mien.core.assets import asset_path, read_manifest
from mien.morphable.partsnet import PartsNet, read_parts_net

KIND: Final = "glasses_finder"
ASSET: Final = "glasses_finder.safetensors"
NOTHING, RIM, ARM, CLEAR, DARK = 0, 1, 2, 3, 4
"""Classes of pixels: no glasses, rim or bridge, arm, a lens that shows the eye, a lens that hides it."""
CLASSES: Final = 5


def read_glasses_net(path: Path) -> PartsNet:
    """Read a network. Raises CheckpointError for a file that is none."""
    return read_parts_net(path, KIND, CLASSES)


@lru_cache(maxsize=1)
def load_glasses_net() -> PartsNet | None:
    """The bundled network, or None if this mien comes without one."""
    return read_glasses_net(asset_path(ASSET)) if ASSET in read_manifest() else None
