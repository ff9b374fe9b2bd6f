"""What every kind of avatar needs of a photo first: the face, a working picture, the person's matte."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from mien import __version__
from mien.inversion.eg3d.invert import Eg3dInversionConfig
from mien.inversion.invert import InversionConfig
from mien.io.images import Photo
from mien.tracking.faces import FaceObservation, choose_face, find_faces
from mien.tracking.headbox import head_box, part_of_photo
from mien.tracking.matting import foreground_alpha

WORKING_PX: Final = 512


@dataclass(frozen=True)
class AvatarOptions:
    """How a photo becomes an avatar."""

    face: str = "largest"
    """largest, left, right or an index."""
    size_px: int = WORKING_PX
    """Longest side of the working picture; photos are shrunk to it, never enlarged."""
    head_only: bool = False
    """Work on the surroundings of the head only: a small face in a large photo keeps more of its detail."""
    model: Path | None = None
    """A generator file of either kind; the bundled mien-base if None."""
    inversion: InversionConfig = field(default_factory=InversionConfig)
    """For mien-base; its seed is everybody's."""
    eg3d: Eg3dInversionConfig = field(default_factory=Eg3dInversionConfig)
    """For EG3D models."""
    probes: int = 72
    """Expressions rendered and tracked to learn the avatar's response (mien-base)."""


@dataclass(frozen=True, eq=False)
class PreparedPhoto:
    """A photo with one face chosen."""

    photo: Photo
    """The photo, or the part around the head."""
    full_face: FaceObservation
    """In its pixels."""
    scale: float
    """From its pixels to those of the working picture, at most 1."""
    rgb: UInt8[np.ndarray, "height width 3"]
    """The working picture."""
    face: FaceObservation
    """In the working picture."""
    alpha: Float32[np.ndarray, "height width"]
    """Of the person."""


def prepare(photo: Photo, options: AvatarOptions) -> PreparedPhoto:
    """Find the face and cut the person out. Raises NoFaceError or InputError."""
    faces = find_faces(photo.rgb)
    full_face = choose_face(faces, options.face)
    if options.head_only and max(photo.rgb.shape[:2]) > options.size_px:
        photo = part_of_photo(photo, head_box(full_face, photo.rgb.shape))
        faces = find_faces(photo.rgb)
        full_face = choose_face(faces, "largest")
    scale = min(1.0, options.size_px / max(photo.rgb.shape[:2]))
    rgb = _resized(photo.rgb, scale)
    chosen = full_face if scale == 1.0 else full_face.scaled(scale)
    others = [f if scale == 1.0 else f.scaled(scale) for f in faces if f is not full_face]
    alpha = foreground_alpha(rgb, chosen, others=others)
    if photo.alpha is not None:  # what the file says is transparent is not the person
        own = Image.fromarray(photo.alpha).resize((rgb.shape[1], rgb.shape[0]), Image.Resampling.BILINEAR)
        alpha = np.minimum(alpha, np.asarray(own, np.float32))
    return PreparedPhoto(photo, full_face, scale, rgb, chosen, alpha)


def provenance(ready: PreparedPhoto, options: AvatarOptions, **more: Any) -> dict[str, Any]:
    """Where an avatar comes from."""
    return {
        "photo": ready.photo.name,
        "photo_sha256": ready.photo.sha256,
        "face": options.face,
        "head_only": options.head_only,
        "working_height_px": ready.rgb.shape[0],
        "working_width_px": ready.rgb.shape[1],
        "seed": options.inversion.seed,
        "mien": __version__,
        **more,
    }


def _resized(rgb: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1.0:
        return rgb
    size = (max(round(rgb.shape[1] * scale), 1), max(round(rgb.shape[0] * scale), 1))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))
