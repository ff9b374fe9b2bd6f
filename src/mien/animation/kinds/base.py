"""Avatars of mien-base and its kin."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mien.animation.calibrate import measure_response, translation_of
from mien.animation.drive import (
    Canvas,
    Puppet,
    crop_canvas,
    make_puppet,
    photo_canvas,
    render_bust,
    widened,
)
from mien.animation.feedback import correct_motion
from mien.animation.frames import driven_frames, driven_layers, job_key
from mien.animation.kinds.facts import described_crop, strongest
from mien.animation.kinds.interface import Report, Tools
from mien.animation.kinds.photo import AvatarOptions, prepare, provenance
from mien.animation.layer import Layer
from mien.animation.motion import Motion
from mien.animation.plates import make_plates
from mien.animation.response import ExpressionResponse
from mien.animation.retarget import DrivenMotion, Retargeting
from mien.animation.sheet import avatar_sheet
from mien.animation.translate import Translation
from mien.animation.turntable import AvatarSitter
from mien.animation.viewer import FittedFace, Seen
from mien.core.assets import asset_path, sha256_of_file
from mien.core.camera import Camera
from mien.core.device import resolve_device
from mien.core.errors import InputError
from mien.generator.loading import require_base
from mien.generator.model import MIEN_BASE, Generator, load_generator
from mien.generator.samples import PAPER
from mien.inversion.avatar import Avatar, frame_size, load_avatar, save_avatar
from mien.inversion.beardform import with_beard_form
from mien.inversion.cover import cover_mask, make_cover, uncovered
from mien.inversion.ears import with_seen_ears
from mien.inversion.evidence import gather_evidence
from mien.inversion.glasses.find import find_glasses
from mien.inversion.invert import invert
from mien.io.images import Photo
from mien.morphable.facecrop import observed_points
from mien.morphable.fit import fit_face
from mien.morphable.model import load_head_model
from mien.morphable.torso_fit import fit_torso
from mien.morphable.worn import hidden_share


@dataclass(frozen=True, eq=False)
class BaseStage:
    """An avatar before a plate."""

    puppet: Puppet
    canvas: Canvas

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the frames."""
        height, width = self.canvas.plate.shape[:2]
        return int(height), int(width)

    def drive(self, motion: Motion, retargeting: Retargeting, *, calibrated: bool) -> DrivenMotion:
        """Translated by the avatar's response, and corrected by what is seen on some frames."""
        carried = carry_to_avatar(self.puppet.avatar, motion, retargeting, calibrated=calibrated)
        translation = carried if isinstance(carried, Translation) else None
        driven = carried.motion() if isinstance(carried, Translation) else carried
        with_pose = retargeting.use_pose and retargeting.pose_mode == "relative"
        if not calibrated or (translation is None and not with_pose):
            return driven
        draw = partial(driven_frames, self.puppet, self.canvas)
        return correct_motion(driven, draw, translation=translation, with_pose=with_pose)

    def key(self, driven: DrivenMotion) -> str:
        """Hash of all that the frames depend on."""
        return job_key(self.puppet.avatar, driven, self.canvas)

    def frames(self, driven: DrivenMotion, frames: Iterable[int] | None = None) -> Iterator[np.ndarray]:
        """Pictures of all frames or of those given."""
        return driven_frames(self.puppet, self.canvas, driven, frames)

    def layers(
        self, driven: DrivenMotion, frames: Iterable[int], *, beyond_px: int
    ) -> Iterator[Layer | None]:
        """The moving head alone."""
        for layer in driven_layers(self.puppet, widened(self.canvas, beyond_px), driven, frames):
            if layer is None:
                yield None
            else:
                x, y = layer.corner_px
                yield replace(layer, corner_px=(x - beyond_px, y - beyond_px))


@dataclass(frozen=True, eq=False)
class BaseViewer:
    """The person of an avatar, from anywhere."""

    puppet: Puppet

    @property
    def face(self) -> FittedFace:
        """Of the avatar's fit."""
        fit = self.puppet.avatar.fit
        return FittedFace(photo_canvas(self.puppet.avatar).camera, fit.identity, fit.expression)

    def see(self, camera: Camera, expression: Tensor, size_px: tuple[int, int]) -> Seen:
        """See `render_bust`."""
        out = render_bust(self.puppet, camera, *size_px, expression)
        return Seen(out.rgb, out.alpha, out.depth)


def drive_avatar(
    avatar: Avatar, motion: Motion, retargeting: Retargeting, *, calibrated: bool = True
) -> DrivenMotion:
    """What to send to an avatar so that it shows the motion, as far as its response tells."""
    carried = carry_to_avatar(avatar, motion, retargeting, calibrated=calibrated)
    return carried if isinstance(carried, DrivenMotion) else carried.motion()


def carry_to_avatar(
    avatar: Avatar, motion: Motion, retargeting: Retargeting, *, calibrated: bool = True
) -> DrivenMotion | Translation:
    """See `translation_of`; without calibration the motion is only carried."""
    response = None
    if calibrated:
        response = ExpressionResponse(avatar.response_values.numpy(), avatar.response_crosstalk.numpy())
    return translation_of(
        motion,
        response,
        R_camera_head_source=avatar.fit.R_camera_head.numpy(),
        expression_source=avatar.fit.expression.numpy(),
        options=retargeting,
    )


class BaseKind:
    """The embedded prior: planes in canonical space."""

    def create(
        self, photo: Photo, options: AvatarOptions, report: Report, kept: Path | None = None
    ) -> Avatar:
        """Find the face, fit the head, cut the person out, invert. It takes seconds, so nothing is kept."""
        report("face", 0.0)
        ready = prepare(photo, options)
        rgb, alpha = ready.rgb, ready.alpha
        model, generator = load_head_model(), load_generator(options.model)
        fit = fit_face(ready.face, (rgb.shape[1], rgb.shape[0]), model=model, rgb=rgb)
        points = observed_points(ready.face)
        mask = cover_mask(rgb, points, model)
        seen, alpha = (rgb, alpha) if mask is None else uncovered(rgb, alpha, mask)
        fit = fit_torso(fit, alpha, model)
        glasses = find_glasses(rgb, fit, model)
        cover = None if mask is None else make_cover(mask, points, fit, model)
        hidden = hidden_share(glasses, cover)
        evidence = gather_evidence(seen, alpha, fit, model, hidden)
        shaped = with_beard_form(with_seen_ears(fit, evidence, model), evidence, model)
        if shaped is not fit:
            fit = shaped
            evidence = gather_evidence(seen, alpha, fit, model, hidden)
        inversion = invert(
            evidence, fit, generator, model, config=options.inversion,
            report=lambda stage, share: report(stage, 0.05 + 0.5 * share),
        )  # fmt: skip
        report("background", 0.6)
        plates = make_plates(seen, alpha, evidence, fit, inversion, generator, model)
        pictures = [torch.from_numpy(np.array(p)) for p in (rgb, plates.plate, plates.background)]
        identity = ExpressionResponse.identity()
        avatar = Avatar(
            inversion=inversion,
            fit=fit,
            photo=pictures[0],
            alpha=torch.from_numpy((alpha * 255 + 0.5).astype(np.uint8)),
            plate=pictures[1],
            background=pictures[2],
            response_values=torch.from_numpy(identity.values),
            response_crosstalk=torch.from_numpy(identity.crosstalk),
            provenance=provenance(ready, options, generator_sha256=_sha256(options.model)),
            glasses=glasses,
            cover=cover,
            chest=torch.from_numpy(plates.chest),
        )
        report("calibrating", 0.7)
        response = measure_response(make_puppet(avatar, generator, model), probes=options.probes)
        report("done", 1.0)
        return replace(
            avatar,
            response_values=torch.from_numpy(response.values),
            response_crosstalk=torch.from_numpy(response.crosstalk),
        )

    def load(self, path: Path) -> Avatar:
        """Read an avatar file."""
        return load_avatar(path)

    def save(self, path: Path, avatar: Avatar) -> None:
        """Write an avatar."""
        save_avatar(path, avatar)

    def stage(self, avatar: Avatar, tools: Tools, crop_px: int | None) -> BaseStage:
        """The photo's own framing or the aligned crop."""
        puppet = make_puppet(avatar, generator_of(avatar, tools))
        return BaseStage(puppet, photo_canvas(avatar) if crop_px is None else crop_canvas(avatar, crop_px))

    def sitter(self, avatar: Avatar, tools: Tools, size_px: int, *, plain: bool = False) -> AvatarSitter:
        """The person, for a camera to go around."""
        puppet = make_puppet(avatar, generator_of(avatar, tools))
        canvas = crop_canvas(avatar, size_px, person=False)
        if plain:
            canvas = replace(canvas, plate=torch.full_like(canvas.plate, PAPER))
        return AvatarSitter(puppet, canvas)

    def viewer(self, avatar: Avatar, tools: Tools) -> BaseViewer:
        """The person, from anywhere."""
        return BaseViewer(make_puppet(avatar, generator_of(avatar, tools)))

    def sheet(self, avatar: Avatar, tools: Tools) -> np.ndarray:
        """See `avatar_sheet`."""
        return avatar_sheet(make_puppet(avatar, generator_of(avatar, tools)))

    def closeness(self, avatar: Avatar) -> str:
        """The fit's."""
        return f"fit off by {100 * avatar.fit.residual:.1f} % of the face"

    def describe(self, avatar: Avatar) -> dict[str, Any]:
        """What the file holds."""
        fit = avatar.fit
        return {
            "working size": "{1} x {0} px".format(*frame_size(avatar)),
            "aligned crop": described_crop(fit.crop),
            "fit residual": f"{100 * fit.residual:.2f} % of the face's size",
            "glasses": "none" if avatar.glasses is None else "worn",
            "before the face": "nothing" if avatar.cover is None else "something held",
            "strongest expressions": strongest(fit.expression),
            "latent": f"|w| = {float(avatar.inversion.w.norm()):.2f}, {len(avatar.inversion.w)} dimensions",
        }


def generator_of(avatar: Avatar, tools: Tools) -> Generator:
    """The generator in which the avatar was made; in another one its numbers mean another person."""
    require_base(tools.model, f"The avatar of {avatar.provenance.get('photo')}, made with mien-base,")
    generator = load_generator(tools.model, device=resolve_device(tools.device))
    made, given = avatar.provenance.get("generator_sha256"), _sha256(tools.model)
    if made != given:
        raise InputError(
            f"The avatar of {avatar.provenance.get('photo')} was made with generator {str(made)[:12]}, but "
            f"{given[:12]} is used; give the same one with --model, or invert the photo again."
        )
    return generator


def _sha256(model: Path | None) -> str:
    return sha256_of_file(asset_path(MIEN_BASE) if model is None else model)
