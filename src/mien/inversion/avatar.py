"""The avatar file: everything commands need of a person, made once from one photo."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.core.checkpoint import read_safetensors, write_safetensors
from mien.core.errors import CheckpointError
from mien.generator.decoder import OUTPUTS
from mien.generator.texels import SIZE
from mien.inversion.hairprior import HEIGHT_SIZE
from mien.inversion.invert import Inversion
from mien.inversion.soundness import CHEST, provenance_of, require_sound
from mien.morphable.crop import CropRegion
from mien.morphable.fit import FaceFit, orbit_camera
from mien.morphable.worn import FaceCover, WornGlasses

KIND: Final = "avatar"
VERTICES: Final = 5551
"""Of the head model."""
DENSITY: Final = "hair_density"
"""Missing in the file of a head whose hair is as dense as can be."""
BEARD: Final = "beard"
"""Missing in the file of a head without a beard that stands off the skin."""
GLASSES: Final = ("glasses_vertices", "glasses_faces", "glasses_rgba", "glasses_mask")
"""Missing in the file of a head that wears none."""
COVER: Final = ("cover_vertices", "cover_faces", "cover_uv", "cover_mask")
"""Missing in the file of a head that nothing is held before."""
_FIXED: Final[dict[str, tuple[int | None, ...]]] = {
    "w": (None,),
    "residual": (OUTPUTS, SIZE, SIZE),
    "hair_height": (HEIGHT_SIZE, HEIGHT_SIZE),
    "identity": (80,),
    "torso": (VERTICES, 3),
    "expression": (52,),
    "R_camera_head": (3, 3),
    "landmarks_px": (478, 2),
    "crop": (3,),
    "response_values": (52, None),
    "response_crosstalk": (52, 52),
}


@dataclass(frozen=True, eq=False)
class Avatar:
    """One person: latent, tuned planes, fit, pictures, provenance. Height x width is the working size."""

    inversion: Inversion
    fit: FaceFit
    """In pixels of the working picture."""
    photo: UInt8[Tensor, "height width 3"]
    """The photo at working size."""
    alpha: UInt8[Tensor, "height width"]
    """Of the person in it."""
    plate: UInt8[Tensor, "height width 3"]
    """The photo without what moves: the head is in-painted, chest and background are the photo's."""
    background: UInt8[Tensor, "height width 3"]
    """The photo without the person."""
    response_values: Float[Tensor, "52 knot"]
    """What a tracker measures on renders of each coefficient; see `mien.animation.response`."""
    response_crosstalk: Float[Tensor, "52 52"]
    provenance: dict[str, Any]
    """Name and SHA-256 of the photo, options, versions, the generator's SHA-256."""
    glasses: WornGlasses | None = None
    """None if the person wears none."""
    cover: FaceCover | None = None
    """Hands and things before the face; None if there are none. The matte leaves them out."""
    chest: UInt8[Tensor, "height width"] | None = None
    """How far each pixel shows shoulders and clothes, which stay when the neck moves what is as high."""


def save_avatar(path: Path, avatar: Avatar) -> None:
    """Write an avatar, whole or not at all."""
    fit, inversion = avatar.fit, avatar.inversion
    tensors = {
        "w": inversion.w,
        "residual": inversion.residual.half(),
        "hair_height": inversion.hair_height,
        **({} if inversion.hair_density is None else {DENSITY: inversion.hair_density}),
        "identity": fit.identity,
        "torso": fit.torso.expand(VERTICES, 3),
        **({} if fit.beard is None else {BEARD: fit.beard}),
        "expression": fit.expression,
        "R_camera_head": fit.R_camera_head,
        "landmarks_px": fit.landmarks_px,
        "crop": torch.tensor(
            [fit.crop.centre_x_px, fit.crop.centre_y_px, fit.crop.side_px], dtype=torch.float64
        ),
        "photo": avatar.photo,
        "alpha": avatar.alpha,
        "plate": avatar.plate,
        "background": avatar.background,
        "response_values": avatar.response_values,
        "response_crosstalk": avatar.response_crosstalk,
        **_glasses_tensors(avatar.glasses),
        **_cover_tensors(avatar.cover),
        **({} if avatar.chest is None else {CHEST: avatar.chest}),
    }
    header = {"kind": KIND, "provenance": avatar.provenance, "residual_error": fit.residual}
    write_safetensors(path, tensors, header)


def load_avatar(path: Path) -> Avatar:
    """Read an avatar; CheckpointError says what is wrong with a file that is none."""
    checkpoint = read_safetensors(path, kind=KIND)
    t, header = checkpoint.tensors, checkpoint.header
    t.setdefault("torso", torch.zeros(VERTICES, 3))  # a file without one shows the bare head model
    sizes = _FIXED | ({DENSITY: (HEIGHT_SIZE, HEIGHT_SIZE)} if DENSITY in t else {})
    sizes |= {BEARD: (VERTICES, 3)} if BEARD in t else {}
    sizes |= _sheet_sizes(t, GLASSES, 4) | _sheet_sizes(t, COVER, 2)
    require_sound(t, sizes, path)
    provenance = provenance_of(header, path)
    x, y, side = t["crop"].tolist()
    R = t["R_camera_head"]
    fit = FaceFit(
        identity=t["identity"], expression=t["expression"], R_camera_head=R, camera=orbit_camera(R),
        crop=CropRegion(x, y, side), residual=float(header.get("residual_error", 0.0)),
        landmarks_px=t["landmarks_px"], torso=t["torso"], beard=t.get(BEARD),
    )  # fmt: skip
    inversion = Inversion(t["w"], t["residual"].float(), t["hair_height"], t["expression"], t.get(DENSITY))
    pictures = (t["photo"], t["alpha"], t["plate"], t["background"])
    response = (t["response_values"], t["response_crosstalk"])
    worn = (_glasses_of(t, path), _cover_of(t, path))
    return Avatar(inversion, fit, *pictures, *response, provenance, *worn, t.get(CHEST))


def _glasses_tensors(worn: WornGlasses | None) -> dict[str, Tensor]:
    """What a file holds of glasses; triangles as whole numbers in single precision."""
    if worn is None:
        return {}
    parts = (worn.vertices, worn.faces.float(), worn.rgba, worn.mask.float() / 255)
    return dict(zip(GLASSES, parts, strict=True))


def _cover_tensors(cover: FaceCover | None) -> dict[str, Tensor]:
    """The same of what is held before the face."""
    if cover is None:
        return {}
    parts = (cover.vertices, cover.faces.float(), cover.uv, cover.mask.float() / 255)
    return dict(zip(COVER, parts, strict=True))


def _sheet_sizes(
    t: dict[str, Tensor], names: tuple[str, str, str, str], values: int
) -> dict[str, tuple[int | None, ...]]:
    """Shapes of triangles with so many values at each corner, and of a mask."""
    if not any(name in t for name in names):
        return {}
    count = len(t[names[0]]) if names[0] in t else None
    size = tuple(t["photo"].shape[:2]) if "photo" in t else (None, None)
    return dict(zip(names, ((count, 3), (None, 3), (count, values), size), strict=True))


def _glasses_of(t: dict[str, Tensor], path: Path) -> WornGlasses | None:
    if GLASSES[0] not in t:
        return None
    vertices, faces, rgba, mask = (t[name] for name in GLASSES)
    return WornGlasses(
        vertices, _triangles(faces, len(vertices), "glasses", path), rgba.clamp(0, 1), _share(mask)
    )


def _cover_of(t: dict[str, Tensor], path: Path) -> FaceCover | None:
    if COVER[0] not in t:
        return None
    vertices, faces, uv, mask = (t[name] for name in COVER)
    return FaceCover(vertices, _triangles(faces, len(vertices), "a cover", path), uv, _share(mask))


def _triangles(faces: Tensor, count: int, what: str, path: Path) -> Tensor:
    """Whole numbers of triangles whose corners are there."""
    number = faces.long()
    if not bool(((number >= 0) & (number < count) & (number == faces)).all()):
        raise CheckpointError(f"{path} holds triangles of {what} without corners; invert the photo again.")
    return number


def _share(mask: Tensor) -> Tensor:
    return (mask.clamp(0, 1) * 255 + 0.5).to(torch.uint8)


def frame_size(avatar: Avatar) -> tuple[int, int]:
    """Height and width of the working picture."""
    return int(avatar.photo.shape[0]), int(avatar.photo.shape[1])
