"""Frames of a motion, several at a time."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mien import __version__
from mien.animation.drive import Canvas, Puppet, head_motion, moving_layer, render_moving
from mien.animation.layer import Layer
from mien.animation.retarget import DrivenMotion
from mien.core.parallel import ordered
from mien.inversion.avatar import Avatar
from mien.morphable.carry import HeadMotion


def driven_frames(
    puppet: Puppet, canvas: Canvas, driven: DrivenMotion, frames: Iterable[int] | None = None
) -> Iterator[np.ndarray]:
    """Pictures uint8 [H, W, 3] of all frames, or of those given, in order; some are rendered ahead.

    Equal poses give equal pictures.
    """

    def picture(k: int) -> np.ndarray:
        with torch.no_grad():
            return render_moving(puppet, canvas, *pose_at(puppet, driven, k))

    return ordered(picture, range(len(driven)) if frames is None else frames)


def driven_layers(
    puppet: Puppet, canvas: Canvas, driven: DrivenMotion, frames: Iterable[int]
) -> Iterator[Layer | None]:
    """The moving head alone on the frames that are given, see `moving_layer`."""

    def layer(k: int) -> Layer | None:
        with torch.no_grad():
            return moving_layer(puppet, canvas, *pose_at(puppet, driven, k))

    return ordered(layer, frames)


def pose_at(puppet: Puppet, driven: DrivenMotion, frame: int) -> tuple[Tensor, HeadMotion]:
    """Expression and motion of the head at a frame."""
    R, shift, expression = (
        torch.from_numpy(np.array(t[frame]))
        for t in (driven.R_camera_head, driven.translation_offset, driven.expression)
    )
    return expression, head_motion(puppet, R, shift)


def worn_parts(avatar: Avatar) -> list[Tensor]:
    """All that is drawn of glasses and of what is held before the face, and what they hide."""
    glasses, cover = avatar.glasses, avatar.cover
    parts = [] if glasses is None else [glasses.vertices, glasses.faces, glasses.rgba, glasses.mask]
    return parts if cover is None else [*parts, cover.vertices, cover.faces, cover.uv, cover.mask]


def job_key(avatar: Avatar, driven: DrivenMotion, canvas: Canvas) -> str:
    """Hash of all that the frames of a motion depend on."""
    inversion, fit = avatar.inversion, avatar.fit
    parts: list[Any] = [
        inversion.w, inversion.residual, inversion.hair_height,
        [] if inversion.hair_density is None else inversion.hair_density, fit.identity, fit.expression,
        fit.torso, [] if fit.beard is None else fit.beard, fit.R_camera_head,
        avatar.photo, avatar.alpha, avatar.plate, [] if avatar.chest is None else avatar.chest, canvas.plate,
        canvas.camera.T_world_camera, canvas.camera.intrinsics,
        driven.expression, driven.R_camera_head, driven.translation_offset, driven.time_s,
        *worn_parts(avatar),
    ]  # fmt: skip
    digest = hashlib.sha256(f"{__version__} {avatar.provenance.get('generator_sha256')}".encode())
    for part in parts:
        digest.update(np.ascontiguousarray(np.asarray(part)).tobytes())
    return digest.hexdigest()
