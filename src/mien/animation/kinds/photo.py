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
from mien.tracking.observation import overlap

WORKING_PX: Final = 512
SAME_FACE: Final = 0.5
"""Overlap of the boxes of one face seen twice."""


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
    box_px: tuple[int, int, int, int]
    """The part of the photo that is worked on: x0, y0, x1, y1."""


def prepare(photo: Photo, options: AvatarOptions) -> PreparedPhoto:
    """Find the face and cut the person out. Raises NoFaceError or InputError."""
    faces = find_faces(photo.rgb)
    full_face = choose_face(faces, options.face)
    box = (0, 0, photo.rgb.shape[1], photo.rgb.shape[0])
    if options.head_only and max(photo.rgb.shape[:2]) > options.size_px:
        box = head_box(full_face, photo.rgb.shape)
        photo = part_of_photo(photo, box)
        faces = find_faces(photo.rgb)
        full_face = _same_face(faces, full_face, box)
    scale = min(1.0, options.size_px / max(photo.rgb.shape[:2]))
    rgb = _resized(photo.rgb, scale)
    chosen = full_face if scale == 1.0 else full_face.scaled(scale)
    others = [f if scale == 1.0 else f.scaled(scale) for f in faces if f is not full_face]
    alpha = foreground_alpha(rgb, chosen, others=others)
    if photo.alpha is not None:  # what the file says is transparent is not the person
        own = Image.fromarray(photo.alpha).resize((rgb.shape[1], rgb.shape[0]), Image.Resampling.BILINEAR)
        alpha = np.minimum(alpha, np.asarray(own, np.float32))
    return PreparedPhoto(photo, full_face, scale, rgb, chosen, alpha, box)


def _same_face(
    faces: list[FaceObservation], face: FaceObservation, box: tuple[int, int, int, int]
) -> FaceObservation:
    """The face of a photo among those seen in a part of it, where a neighbour's may be larger."""
    x0, y0, x1, y1 = face.box_px
    moved = (x0 - box[0], y0 - box[1], x1 - box[0], y1 - box[1])
    same = [other for other in faces if overlap(other.box_px, moved) > SAME_FACE]
    return choose_face(same, "largest")


def provenance(ready: PreparedPhoto, options: AvatarOptions, **more: Any) -> dict[str, Any]:
    """Where an avatar comes from."""
    return {
        "photo": ready.photo.name,
        "photo_sha256": ready.photo.sha256,
        "face": options.face,
        "head_only": options.head_only,
        "photo_box_px": list(ready.box_px),
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
