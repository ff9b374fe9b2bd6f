"""mien: one photo in, an animated 3D-consistent portrait out.

Names of the public API are looked up when first used, so that `import mien` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mien.core.camera import Camera
    from mien.core.errors import (
        AssetError,
        CheckpointError,
        InputError,
        MienError,
        NoFaceError,
        ResumeError,
    )
    from mien.io.images import Photo, read_photo, write_image
    from mien.io.video import VideoReader, VideoWriter

__version__: Final = "0.1.0"

_HOME: Final = {
    "AssetError": "mien.core.errors",
    "Camera": "mien.core.camera",
    "CheckpointError": "mien.core.errors",
    "InputError": "mien.core.errors",
    "MienError": "mien.core.errors",
    "NoFaceError": "mien.core.errors",
    "Photo": "mien.io.images",
    "ResumeError": "mien.core.errors",
    "VideoReader": "mien.io.video",
    "VideoWriter": "mien.io.video",
    "read_photo": "mien.io.images",
    "write_image": "mien.io.images",
}
"""Where each public name lives. To publish a name: one line here, one above, one in `__all__`."""

__all__ = [
    "AssetError",
    "Camera",
    "CheckpointError",
    "InputError",
    "MienError",
    "NoFaceError",
    "Photo",
    "ResumeError",
    "VideoReader",
    "VideoWriter",
    "__version__",
    "read_photo",
    "write_image",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
