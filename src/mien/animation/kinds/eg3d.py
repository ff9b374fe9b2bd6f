"""Avatars of EG3D models."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mien.animation.eg3d.actor import Eg3dActor, make_actor
from mien.animation.eg3d.plate import eg3d_plates
from mien.animation.eg3d.stage import Eg3dStage, crop_stage, photo_stage
from mien.animation.eg3d.turn import Eg3dSitter, Eg3dViewer, eg3d_sheet, sitter_of
from mien.animation.kinds.facts import described_crop, strongest
from mien.animation.kinds.interface import Report, Tools
from mien.animation.kinds.photo import AvatarOptions, PreparedPhoto, prepare, provenance
from mien.animation.paper.keymouths import key_mouths
from mien.core.assets import sha256_of_file
from mien.core.device import resolve_device
from mien.core.errors import InputError
from mien.generator.eg3d.checkpoint import load_eg3d
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.official.library import find_model, list_models
from mien.inversion.eg3d.avatar import (
    Eg3dAvatar,
    check_fits,
    load_eg3d_avatar,
    placement_of,
    save_eg3d_avatar,
)
from mien.inversion.eg3d.descent import Kept
from mien.inversion.eg3d.invert import Eg3dInversionConfig, invert_eg3d, person_target
from mien.inversion.eg3d.tuning import tuned_generator, tuned_planes
from mien.io.images import Photo
from mien.morphable.eg3d.alignment import Eg3dAlignment
from mien.morphable.eg3d.crop import CROP_PX
from mien.morphable.eg3d.estimate import align_face
from mien.morphable.model import MorphableModel, load_head_model
from mien.tracking.faces import FaceTracker


class Eg3dKind:
    """Official checkpoints and their like: planes in EG3D's head box, animated in deformed mode."""

    def create(
        self, photo: Photo, options: AvatarOptions, report: Report, kept: Path | None = None
    ) -> Eg3dAvatar:
        """Find the face, align it as EG3D does, cut the person out, invert, tune."""
        assert options.model is not None
        report("face", 0.0)
        path, model = find_model(options.model), load_head_model()
        generator, sha256 = load_eg3d(path), sha256_of_file(path)
        ready = prepare(photo, options)
        with FaceTracker() as tracker:
            alignment = align_face(ready.photo.rgb, ready.full_face, tracker, model=model)
        place = placement_of(alignment, ready.scale)
        target = person_target(alignment.image, np.array(place.crop.sample(ready.alpha, CROP_PX)))
        config = replace(options.eg3d, seed=options.inversion.seed)
        store = None if kept is None else Kept(kept, _job(ready, alignment, config, sha256))
        inversion = invert_eg3d(
            target, place.camera, generator, config=config, kept=store,
            report=lambda stage, share: report(stage, 0.02 + 0.83 * share),
        )  # fmt: skip
        report("background", 0.86)
        tuned = tuned_generator(generator, inversion.tuning)
        with torch.no_grad():
            planes = tuned_planes(tuned, inversion.w, inversion.tuning)
            out = tuned.render(planes, inversion.w, place.camera)
        plate, background = eg3d_plates(ready.rgb, ready.alpha, place, out, _chin_y(model, alignment))
        avatar = Eg3dAvatar(
            inversion=inversion,
            placement=place,
            photo=torch.from_numpy(np.array(ready.rgb)),
            alpha=torch.from_numpy((ready.alpha * 255 + 0.5).astype(np.uint8)),
            plate=torch.from_numpy(np.array(plate)),
            background=torch.from_numpy(np.array(background)),
            provenance=provenance(
                ready, options, generator=path.name, generator_sha256=sha256, tuning=config.tuning.way
            ),
        )
        if config.mouth_steps:
            report("mouth", 0.88)
            actor = make_actor(avatar, generator, model)
            avatar = replace(avatar, mouths=key_mouths(actor, config.mouth_steps, kept=store))
        report("done", 1.0)
        return avatar

    def load(self, path: Path) -> Eg3dAvatar:
        """Read an avatar file."""
        return load_eg3d_avatar(path)

    def save(self, path: Path, avatar: Eg3dAvatar) -> None:
        """Write an avatar."""
        save_eg3d_avatar(path, avatar)

    def stage(self, avatar: Eg3dAvatar, tools: Tools, crop_px: int | None) -> Eg3dStage:
        """The photo's own framing or the aligned crop."""
        actor = actor_of(avatar, tools)
        return photo_stage(actor) if crop_px is None else crop_stage(actor, crop_px)

    def sitter(self, avatar: Eg3dAvatar, tools: Tools, size_px: int, *, plain: bool = False) -> Eg3dSitter:
        """The person, for a camera to go around."""
        return sitter_of(actor_of(avatar, tools), size_px, plain=plain)

    def viewer(self, avatar: Eg3dAvatar, tools: Tools) -> Eg3dViewer:
        """The person, from anywhere."""
        return Eg3dViewer(actor_of(avatar, tools))

    def sheet(self, avatar: Eg3dAvatar, tools: Tools) -> np.ndarray:
        """See `eg3d_sheet`."""
        return eg3d_sheet(actor_of(avatar, tools))

    def closeness(self, avatar: Eg3dAvatar) -> str:
        """The picture's."""
        return f"colours off by {100 * avatar.inversion.error:.1f} % where the person is"

    def describe(self, avatar: Eg3dAvatar) -> dict[str, Any]:
        """What the file holds."""
        place, inversion = avatar.placement, avatar.inversion
        tuned = sum(x.numel() * x.element_size() for x in inversion.tuning.values())
        return {
            "working size": "{1} x {0} px".format(*avatar.size),
            "EG3D's crop": described_crop(place.crop),
            "camera": " ".join(f"{x:.4f}" for x in place.camera.to_label()[:16].tolist()),
            "off the photo by": f"{100 * inversion.error:.1f} % of the range of colours, where the person is",
            "strongest expressions": strongest(place.expression),
            "latent": f"|w| = {float(inversion.w.norm()):.2f}, {inversion.w.shape[1]} dimensions",
            "tuned": f"{', '.join(_groups(inversion.tuning)) or 'nothing'} ({tuned / 2**20:.1f} MiB)",
        }


def actor_of(avatar: Eg3dAvatar, tools: Tools) -> Eg3dActor:
    """The avatar with the generator in which it was made. InputError if that is not here."""
    generator = _generator_of(avatar, tools)
    shapes = {name: tuple(t.shape) for name, t in generator.state_dict().items()}
    backbone = generator.config.backbone
    planes = (1, 3, backbone.plane_channels, backbone.resolution, backbone.resolution)
    check_fits(avatar, shapes, planes)
    return make_actor(avatar, generator)


def _generator_of(avatar: Eg3dAvatar, tools: Tools) -> Eg3dGenerator:
    made, name = avatar.provenance.get("generator_sha256"), str(avatar.provenance.get("generator"))
    photo, device = avatar.provenance.get("photo"), resolve_device(tools.device)
    if tools.model is None:
        for entry in list_models():
            if entry.path.name == name and sha256_of_file(entry.path) == made:
                return load_eg3d(entry.path, device=device)
        raise InputError(
            f"The avatar of {photo} was made with the EG3D model {name} ({str(made)[:12]}), which is not "
            "among the imported models; give its file with --model."
        )
    path = find_model(tools.model)
    if (given := sha256_of_file(path)) != made:
        raise InputError(
            f"The avatar of {photo} was made with the EG3D model {name} ({str(made)[:12]}), but {path} is "
            f"{given[:12]}; give the same one with --model, or invert the photo again."
        )
    return load_eg3d(path, device=device)


def _groups(names: dict[str, Any]) -> list[str]:
    """First parts of dotted names, each once."""
    return sorted({name.split(".")[0] for name in names})


def _chin_y(model: MorphableModel, alignment: Eg3dAlignment) -> float:
    return model.chin_y(model.vertices(alignment.fit.identity, torch.zeros(52)))


def _job(ready: PreparedPhoto, alignment: Eg3dAlignment, config: Eg3dInversionConfig, sha256: str) -> str:
    """Hash of all that an inversion depends on."""
    digest = hashlib.sha256(f"{config} {sha256}".encode())
    for part in (alignment.image, ready.alpha, alignment.camera.to_label().numpy()):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
