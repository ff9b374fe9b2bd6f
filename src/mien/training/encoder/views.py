"""Views of procedural heads and their truth, all in the device's memory: the image encoder's examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from mien.core.camera import FFHQ_FOCAL, ORBIT_RADIUS
from mien.core.errors import InputError
from mien.core.geometry import matrix_to_axis_angle
from mien.core.progress import progress
from mien.morphable.facecrop import FaceCrop, crop_for
from mien.morphable.landmarks import LandmarkModel, landmark_model
from mien.morphable.model import MorphableModel
from mien.training.encoder.examples import true_rotation
from mien.training.encoder.geometry import mirrored_coefficients
from mien.training.procedural.shards import read_shard

NAMES: Final = ("rgb", "alpha", "camera", "expression", "identity")
CHUNK: Final = 256


@dataclass(frozen=True, eq=False)
class Views:
    """n views; index 0 of `side` axes is the view itself, 1 its mirror image."""

    pixels: UInt8[Tensor, "n 4 size size"]
    """Colours premultiplied, alpha."""
    head: Int[Tensor, " n"]
    """Number of the head's file."""
    points: Float[Tensor, "n side 478 2"]
    """The head model's points, x right and y down, in sides of the view from its corner."""
    turn: Float[Tensor, "n side 3"]
    """Axis-angle of R_camera_head for a camera that looks at the head's origin."""
    shape: Float[Tensor, "n side deviation"]
    """Expression (52), identity."""
    crop: Float[Tensor, "n side 4"]
    """Centre, side and roll of `crop_for` the true points, in sides of the view."""

    def __getitem__(self, rows: Int[Tensor, " m"] | Bool[Tensor, " n"]) -> "Views":
        return Views(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def __len__(self) -> int:
        return len(self.head)

    def to(self, device: torch.device) -> "Views":
        """The same in a device's memory."""
        return Views(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def load_views(paths: Sequence[Path], model: MorphableModel, *, most_turn_deg: float = 70.0) -> Views:
    """The views of heads in files that are turned at most so far from the viewer, on the CPU.

    Raises InputError if there is none, or if views differ in size.
    """
    parts = []
    for number, path in enumerate(progress(paths, desc="views of heads")):
        arrays = read_shard(path, NAMES).arrays
        R = np.stack([true_rotation(T) for T in arrays["camera"]])
        near = R[:, 2, 2] >= np.cos(np.radians(most_turn_deg))
        if near.any():
            parts.append(_of_head(arrays, R, near, number))
    if not parts:
        raise InputError(f"No view of {len(paths)} heads is turned less than {most_turn_deg:g} degrees.")
    sizes = {part[0].shape[-1] for part in parts}
    if len(sizes) > 1:
        raise InputError(
            f"The heads' views have sides of {sorted(sizes)} px, expected one size; make them anew."
        )
    pixels, head, R_all, shape = (torch.cat(part) for part in zip(*parts, strict=True))
    return with_truth(pixels, head, R_all, shape, model)


def mirrored_identity(model: MorphableModel) -> Float[Tensor, "component component"]:
    """Takes identities (rows, from the right) to those of mirror images: least squares over the mesh."""
    flip = model.mean.new_tensor([-1.0, 1.0, 1.0])
    other = torch.cdist(model.mean * flip, model.mean).argmin(1)
    basis = model.identity.double()
    mirrored = (basis[:, other] * flip.double()).flatten(1)
    return torch.linalg.lstsq(basis.flatten(1).T, mirrored.T).solution.T


def with_truth(
    pixels: UInt8[Tensor, "n 4 size size"],
    head: Int[Tensor, " n"],
    R_camera_head: Float[Tensor, "n 3 3"],
    shape: Float[Tensor, "n deviation"],
    model: MorphableModel,
) -> Views:
    """Views with what follows from pose, expression and identity: points, crops, what the mirror shows."""
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    R = torch.stack([R_camera_head, flip @ R_camera_head @ flip], 1)
    mirrored = torch.cat([shape[:, mirrored_coefficients()], shape[:, 52:] @ mirrored_identity(model)], 1)
    both, landmarks = torch.stack([shape, mirrored], 1), landmark_model(model)
    found = [
        _projected(s.flatten(0, 1), r.flatten(0, 1), landmarks)
        for s, r in zip(both.split(CHUNK), R.split(CHUNK), strict=True)
    ]
    points, crop = (torch.cat(part).unflatten(0, (-1, 2)).float() for part in zip(*found, strict=True))
    return Views(pixels, head, points, matrix_to_axis_angle(R).float(), both.float(), crop)


def _of_head(
    arrays: dict[str, np.ndarray], R: np.ndarray, near: np.ndarray, number: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pixels, number of the head, rotations, expressions with the identity."""
    count, side = int(near.sum()), round(arrays["alpha"].shape[1] ** 0.5)
    rgba = np.concatenate([arrays["rgb"][near], arrays["alpha"][near][..., None]], 2)
    pixels = torch.from_numpy(rgba).view(count, side, side, 4).permute(0, 3, 1, 2).contiguous()
    identity = torch.from_numpy(arrays["identity"]).expand(count, -1)
    shape = torch.cat([torch.from_numpy(arrays["expression"][near]), identity], 1)
    return pixels, torch.full((count,), number), torch.from_numpy(R[near]).double(), shape.double()


def _projected(
    shape: Float[Tensor, "n deviation"], R: Float[Tensor, "n 3 3"], landmarks: LandmarkModel
) -> tuple[Float[Tensor, "n 478 2"], Float[Tensor, "n 4"]]:
    """Points in sides of the view, and their crop."""
    xyz = landmarks.points(shape[:, 52:], shape[:, :52])
    x, y, z = (xyz @ R.transpose(1, 2)).unbind(-1)
    points = 0.5 + FFHQ_FOCAL * torch.stack([x, -y], -1) / (ORBIT_RADIUS - z)[..., None]
    depth = -z * FFHQ_FOCAL / ORBIT_RADIUS
    found = crop_for(torch.cat([points, depth[..., None]], -1), landmarks)
    return points, torch.cat([found.centre_px, found.side_px[:, None], found.roll_rad[:, None]], 1)


def crop_of(values: Float[Tensor, "n 4"]) -> FaceCrop:
    """Rows of `Views.crop`."""
    return FaceCrop(values[:, :2], values[:, 2], values[:, 3])
