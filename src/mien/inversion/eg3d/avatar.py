"""The file of an EG3D avatar: all that is needed of a person but the generator, named by its hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.core.camera import Camera
from mien.core.checkpoint import read_safetensors, require_keys, write_safetensors
from mien.core.errors import CheckpointError
from mien.inversion.eg3d.invert import Eg3dInversion
from mien.inversion.eg3d.tuning import RESIDUAL
from mien.inversion.soundness import provenance_of, require_sound
from mien.morphable.crop import CropRegion
from mien.morphable.eg3d.alignment import Eg3dAlignment

KIND: Final = "eg3d-avatar"
TUNED: Final = "tuning."
"""Tuned tensors have this before their names."""
MOUTHS: Final = "mouths."
"""The same for `MouthKeys`."""
FLIP: Final = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
_FIXED: Final[dict[str, tuple[int | None, ...]]] = {
    "w": (1, None),
    "label": (25,),
    "world": (4,),
    "crop": (3,),
    "identity": (80,),
    "expression": (52,),
}


@dataclass(frozen=True, eq=False)
class Placement:
    """How the photo's head lies in EG3D's world and in the working picture."""

    camera: Camera
    """EG3D's, of the crop."""
    world_scale: float
    """EG3D units per unit of our head."""
    world_shift: Float[Tensor, "3"]
    """x_world = world_scale x_head + world_shift."""
    crop: CropRegion
    """In pixels of the working picture."""
    identity: Float[Tensor, " component"]
    expression: Float[Tensor, "52"]
    """Of the photo."""

    @property
    def head_camera(self) -> Camera:
        """The camera in the head's frame."""
        return self.in_head(self.camera)

    @property
    def R_camera_head(self) -> Float[Tensor, "3 3"]:
        """Head axes to camera axes x right, y up, z to the viewer."""
        return FLIP @ self.camera.R_world_camera.T

    @property
    def distance(self) -> float:
        """From the camera to the head frame's origin, in units of the head."""
        return float(self.head_camera.position.norm())

    def in_head(self, camera: Camera) -> Camera:
        """A camera of EG3D's world in the head's frame: the same picture of the head."""
        T = camera.T_world_camera.clone()
        T[:3, 3] = self.to_head(camera.position)
        return Camera(T, camera.intrinsics)

    def to_world(self, xyz_head: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Points of the head in EG3D's world."""
        return xyz_head * self.world_scale + self.world_shift.to(xyz_head)

    def to_head(self, xyz_world: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Inverse of `to_world`."""
        return (xyz_world - self.world_shift.to(xyz_world)) / self.world_scale


def placement_of(alignment: Eg3dAlignment, scale: float) -> Placement:
    """Of an aligned photo that is then made smaller by `scale`."""
    crop, fit = alignment.crop.scaled(scale), alignment.fit
    return Placement(
        alignment.camera, alignment.world_scale, alignment.world_shift, crop, fit.identity, fit.expression
    )


@dataclass(frozen=True, eq=False)
class MouthKeys:
    """What the generator shows in a few opened mouths, in EG3D's crop."""

    expression: Float[Tensor, "key 52"]
    picture: UInt8[Tensor, "key side side 3"]
    opening: UInt8[Tensor, "key side side"]
    """Where the picture shows the mouth's inside."""


@dataclass(frozen=True, eq=False)
class Eg3dAvatar:
    """One person in an EG3D generator. Height x width is the working size."""

    inversion: Eg3dInversion
    placement: Placement
    photo: UInt8[Tensor, "height width 3"]
    alpha: UInt8[Tensor, "height width"]
    """Of the person in the photo."""
    plate: UInt8[Tensor, "height width 3"]
    """The photo without what moves: the head is in-painted, chest and background are the photo's."""
    background: UInt8[Tensor, "height width 3"]
    """The photo without the person."""
    provenance: dict[str, Any]
    """Name and SHA-256 of photo and generator, options, versions."""
    mouths: MouthKeys | None = None
    """For mouths that open wider than the photo's; without them their inside is drawn in plain colours."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the working picture."""
        return int(self.photo.shape[0]), int(self.photo.shape[1])


def save_eg3d_avatar(path: Path, avatar: Eg3dAvatar) -> None:
    """Write an avatar, whole or not at all."""
    place, inversion = avatar.placement, avatar.inversion
    crop = place.crop
    tensors = {
        "w": inversion.w,
        "label": place.camera.to_label(),
        "world": torch.cat([torch.tensor([place.world_scale]), place.world_shift.float()]),
        "crop": torch.tensor([crop.centre_x_px, crop.centre_y_px, crop.side_px], dtype=torch.float64),
        "identity": place.identity,
        "expression": place.expression,
        "photo": avatar.photo,
        "alpha": avatar.alpha,
        "plate": avatar.plate,
        "background": avatar.background,
        **{f"{TUNED}{name}": tensor for name, tensor in inversion.tuning.items()},
        **({} if avatar.mouths is None else {f"{MOUTHS}{n}": t for n, t in vars(avatar.mouths).items()}),
    }
    header = {"kind": KIND, "provenance": avatar.provenance, "error": inversion.error}
    write_safetensors(path, tensors, header)


def load_eg3d_avatar(path: Path) -> Eg3dAvatar:
    """Read an avatar; CheckpointError says what is wrong with a file that is none."""
    checkpoint = read_safetensors(path, kind=KIND)
    t, header = dict(checkpoint.tensors), checkpoint.header
    mouths = _mouths_in(t, path)
    tuned = {name: x for name, x in t.items() if name.startswith(TUNED)}
    require_sound({name: x for name, x in t.items() if name not in tuned}, _FIXED, path, tuned=tuned)
    tuning = {name.removeprefix(TUNED): x for name, x in tuned.items()}
    provenance = provenance_of(header, path)
    scale, *shift = t["world"].tolist()
    place = Placement(
        Camera.from_label(t["label"]), scale, torch.tensor(shift), CropRegion(*t["crop"].tolist()),
        t["identity"], t["expression"],
    )  # fmt: skip
    inversion = Eg3dInversion(t["w"], tuning, float(header.get("error", 0.0)))
    pictures = (t["photo"], t["alpha"], t["plate"], t["background"])
    return Eg3dAvatar(inversion, place, *pictures, provenance, mouths)


def _mouths_in(tensors: dict[str, Tensor], path: Path) -> MouthKeys | None:
    """Takes the key mouths out of an avatar's tensors, if it has any."""
    found = {n.removeprefix(MOUTHS): tensors.pop(n) for n in list(tensors) if n.startswith(MOUTHS)}
    if not found:
        return None
    picture = found.get("picture", torch.zeros(0))
    count, side = (picture.shape[0], picture.shape[1]) if picture.ndim == 4 else (None, None)
    require_keys(
        found,
        {"expression": (count, 52), "picture": (count, side, side, 3), "opening": (count, side, side)},
        source=str(path),
    )
    expression, opening = found["expression"], found["opening"]
    if {picture.dtype, opening.dtype} != {torch.uint8} or not bool(expression.isfinite().all()):
        raise CheckpointError(
            f"{path} holds key mouths that mien does not write; it is damaged: invert the photo again."
        )
    return MouthKeys(expression.float(), picture, opening)


def check_fits(avatar: Eg3dAvatar, shapes: Mapping[str, tuple[int, ...]], planes: tuple[int, ...]) -> None:
    """CheckpointError unless w and everything tuned have the sizes of a generator's tensors and planes."""
    known = {**shapes, RESIDUAL: planes}
    for name, tensor in avatar.inversion.tuning.items():
        if tuple(tensor.shape) != known.get(name):
            raise CheckpointError(
                f"The avatar's {name} has the shape {tuple(tensor.shape)}, and its generator's is "
                f"{known.get(name)}; the file is damaged: invert the photo again."
            )
