"""Depth and normal maps as PNG files that any tool reads."""

from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from mien.core.atomic import atomic_path
from mien.core.errors import InputError
from mien.io.images import write_image

DEPTH_STEPS: Final = 10_000
"""Steps of a depth map per EG3D unit: a step is 0.053 mm."""
_LARGEST: Final = 65535


def write_depth(path: str | Path, depth: Float[Tensor, "height width"]) -> None:
    """Write z-depth (EG3D units, 0 where nothing is seen) as a 16-bit grey PNG: depth * DEPTH_STEPS."""
    levels = np.rint(depth.clamp(min=0).double().numpy() * DEPTH_STEPS).clip(0, _LARGEST)
    with atomic_path(path) as temporary:
        Image.fromarray(levels.astype(np.uint16)).save(temporary, format="PNG", compress_level=6)


def write_normals(path: str | Path, normals: Float[Tensor, "height width 3"]) -> None:
    """Write unit normals as an 8-bit PNG: round(127.5 (n + 1)), and 0 0 0 where there is none."""
    write_image(path, normal_bytes(normals))


def normal_bytes(normals: Float[Tensor, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """Normals in [-1, 1] to bytes."""
    some = normals.abs().sum(-1, keepdim=True) > 0
    return ((normals + 1) * 127.5 * some).round().clamp(0, 255).byte().numpy()


def check_folder(folder: Path) -> None:
    """Refuse, before any work, a folder of maps that cannot be made: InputError."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, but a folder of maps is to be made there; give another name.")
    if not folder.parent.is_dir():
        raise InputError(f"The folder {folder.parent} does not exist; make it first or choose another.")
