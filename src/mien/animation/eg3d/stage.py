"""Frames of an EG3D avatar: drawn in the crop and laid over the photo's plate."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien import __version__
from mien.animation.drive import to_uint8
from mien.animation.eg3d.actor import Drawn, Eg3dActor, draw, neck_motion
from mien.animation.eg3d.plate import border, over_photo
from mien.animation.layer import Layer
from mien.animation.motion import Motion
from mien.animation.retarget import DrivenMotion, Retargeting, retarget
from mien.core.parallel import ordered
from mien.morphable.crop import CropRegion

Picture = TypeVar("Picture")
Pose = tuple[bytes, bytes, bytes]
"""Rotation, translation and expression of a frame, float32."""


@dataclass(frozen=True, eq=False)
class Eg3dStage:
    """An avatar before a plate, in which the crop has its place."""

    actor: Eg3dActor
    plate: Float[Tensor, "height width 3"]
    region: CropRegion
    """The crop in the plate's pixels."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return int(self.plate.shape[0]), int(self.plate.shape[1])

    def drive(self, motion: Motion, retargeting: Retargeting, *, calibrated: bool) -> DrivenMotion:
        """The motion carried to the photo's pose and expression.

        No response is measured, whatever `calibrated` says: at full size it would take ten minutes of frames.
        """
        place = self.actor.place
        return retarget(
            motion,
            R_camera_head_source=place.R_camera_head.numpy(),
            expression_source=place.expression.numpy(),
            options=retargeting,
            source_distance=place.distance,
        )

    def key(self, driven: DrivenMotion) -> str:
        """Hash of all that the frames depend on."""
        avatar = self.actor.avatar
        parts: list[Any] = [
            avatar.inversion.w, *avatar.inversion.tuning.values(), avatar.photo, avatar.alpha, self.plate,
            self.actor.place.camera.to_label(), self.actor.place.identity, self.region.corner_px,
            driven.expression, driven.R_camera_head, driven.translation_offset, driven.time_s,
        ]  # fmt: skip
        digest = hashlib.sha256(f"{__version__} {avatar.provenance.get('generator_sha256')}".encode())
        for part in parts:
            digest.update(np.ascontiguousarray(np.asarray(part)).tobytes())
        return digest.hexdigest()

    def layers(
        self, driven: DrivenMotion, frames: Iterable[int], *, beyond_px: int
    ) -> Iterator[Layer | None]:
        """The moving head alone; the generator draws its crop and nothing beyond."""
        for placed in self._drawn(driven, frames, self._placed):
            yield Layer((0, 0), placed[..., :3].numpy(), placed[..., 3].numpy())

    def frames(self, driven: DrivenMotion, frames: Iterable[int] | None = None) -> Iterator[np.ndarray]:
        """In order. A pose that is repeated at once is not drawn again.

        On a processor each thread draws a frame of its own, as parts of drawing know one thread only.
        """
        chosen = range(len(driven)) if frames is None else frames
        return self._drawn(driven, chosen, lambda pose: self._over_plate(self._placed(pose)))

    def _drawn(
        self, driven: DrivenMotion, frames: Iterable[int], draw_pose: Callable[[Pose], Picture]
    ) -> Iterator[Picture]:
        chosen = list(frames)
        poses = [_pose(driven, k) for k in chosen]
        new = [pose for k, pose in enumerate(poses) if k == 0 or pose != poses[k - 1]]
        pictures: Iterator[Picture] = map(draw_pose, new)
        if self.actor.device.type == "cpu" and (threads := torch.get_num_threads()) > 1:
            pictures = ordered(draw_pose, new, workers=threads)
        last: Picture | None = None
        for k, pose in enumerate(poses):
            if last is None or pose != poses[k - 1]:
                last = next(pictures)
            yield last

    def _placed(self, pose: Pose) -> Float[Tensor, "height width 4"]:
        """The head in the picture: colours multiplied by cover, cover."""
        R, shift, expression = (torch.from_numpy(np.frombuffer(part, np.float32).copy()) for part in pose)
        motion = neck_motion(self.actor, R.view(3, 3), shift)
        return self.placed(draw(self.actor, expression=expression, motion=motion))

    def placed(self, drawn: Drawn) -> Float[Tensor, "height width 4"]:
        """What is drawn laid where the crop is; nothing where the chest is still."""
        cover = drawn.alpha * drawn.share
        layers = torch.cat([drawn.rgb * cover[..., None], cover[..., None]], -1)
        return over_photo(layers, self.region, self.shape) * border(self.shape, self.region)[..., None]

    def composed(self, drawn: Drawn) -> UInt8[np.ndarray, "height width 3"]:
        """The whole picture of what is drawn."""
        return self._over_plate(self.placed(drawn))

    def _over_plate(self, placed: Float[Tensor, "height width 4"]) -> UInt8[np.ndarray, "height width 3"]:
        return to_uint8(placed[..., :3] + self.plate * (1 - placed[..., 3:]))


def _pose(driven: DrivenMotion, frame: int) -> Pose:
    parts = (driven.R_camera_head[frame], driven.translation_offset[frame], driven.expression[frame])
    R, shift, expression = (np.asarray(part, np.float32).tobytes() for part in parts)
    return R, shift, expression


def photo_stage(actor: Eg3dActor) -> Eg3dStage:
    """The photo's own framing."""
    return Eg3dStage(actor, actor.avatar.plate.float() / 255, actor.place.crop)


def crop_stage(actor: Eg3dActor, size_px: int) -> Eg3dStage:
    """EG3D's crop."""
    plate = actor.place.crop.sample(actor.avatar.plate.numpy(), size_px)
    region = CropRegion(size_px / 2, size_px / 2, float(size_px))
    return Eg3dStage(actor, torch.from_numpy(np.array(plate)).float() / 255, region)
