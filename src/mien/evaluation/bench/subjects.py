"""Who is compared with the truth: an avatar, and baselines. None of them is told anything of it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from mien.animation.viewer import FittedFace, Seen, Viewer
from mien.core.camera import Camera
from mien.evaluation.bench.frames import turned_camera
from mien.morphable.model import MorphableModel
from mien.tracking.colors import foreground_colors


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a subject's landmarks are for a view, by its own geometry."""

    camera: Camera
    landmarks: Float[Tensor, "478 3"]
    """Head frame."""


@runtime_checkable
class Subject(Protocol):
    """Something that claims to be the person of the photo."""

    def see(self, turn: Float[Tensor, "3 3"], expression: Float[Tensor, "52"], size_px: int) -> Seen:
        """The person with the head turned in camera axes from the photo's pose, see `frames`."""
        ...

    def pose(self, turn: Float[Tensor, "3 3"], expression: Float[Tensor, "52"]) -> Pose:
        """Where the landmarks of that view are."""
        ...


@dataclass(frozen=True, eq=False)
class AvatarSubject:
    """An avatar of any kind. The expression's coefficients are sent as they are."""

    viewer: Viewer
    model: MorphableModel

    def see(self, turn: Float[Tensor, "3 3"], expression: Float[Tensor, "52"], size_px: int) -> Seen:
        """Drawn by its generator."""
        camera = turned_camera(self.viewer.face.camera, turn)
        return self.viewer.see(camera, expression, (size_px, size_px))

    def pose(self, turn: Float[Tensor, "3 3"], expression: Float[Tensor, "52"]) -> Pose:
        """Of its own mesh."""
        face = self.viewer.face
        return mesh_pose(self.model, face, turned_camera(face.camera, turn), expression)


@dataclass(frozen=True, eq=False)
class PhotoCopy:
    """The photo's person, cut out by the pipeline's own matte, for every view the same."""

    rgb: UInt8[np.ndarray, "height width 3"]
    alpha: Float32[np.ndarray, "height width"]
    face: FittedFace
    model: MorphableModel

    def see(self, turn: Float[Tensor, "3 3"], expression: Float[Tensor, "52"], size_px: int) -> Seen:
        """The photo at this size, averaged over areas."""
        return shrunk(self._layers, size_px)

    @cached_property
    def _layers(self) -> Float32[np.ndarray, "height width 4"]:
        return cut_out(self.rgb, self.alpha)

    def pose(self, turn: Float[Tensor, "3 3"], expression: Float[Tensor, "52"]) -> Pose:
        """The photo's."""
        return mesh_pose(self.model, self.face, self.face.camera, self.face.expression)


def mesh_pose(
    model: MorphableModel, face: FittedFace, camera: Camera, expression: Float[Tensor, "52"]
) -> Pose:
    """Landmarks of the fitted mesh."""
    return Pose(camera, model.landmarks(model.vertices(face.identity, expression)))


def cut_out(
    rgb: UInt8[np.ndarray, "height width 3"], alpha: Float32[np.ndarray, "height width"]
) -> Float32[np.ndarray, "height width 4"]:
    """The person of a photo, premultiplied and with alpha, without what shines through from behind."""
    colours = foreground_colors(rgb, alpha).astype(np.float32) / 255
    return np.concatenate([colours * alpha[..., None], alpha[..., None]], -1)


def shrunk(layers: Float32[np.ndarray, "height width 4"], size_px: int) -> Seen:
    """Premultiplied colours and alpha at another size, averaged over areas."""
    small = torch.nn.functional.interpolate(
        torch.from_numpy(layers).permute(2, 0, 1)[None], size=(size_px, size_px), mode="area"
    )[0].permute(1, 2, 0)
    return Seen(small[..., :3], small[..., 3])
