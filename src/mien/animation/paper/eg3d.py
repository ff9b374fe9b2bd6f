"""Paper mode in EG3D models: W per key frame by descent, one tuning over all, at the photo's camera."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from mien.animation.eg3d.actor import Eg3dActor
from mien.animation.paper.config import PaperConfig, Passes
from mien.animation.paper.edited import EditedRender, edited_render
from mien.animation.paper.latents import Quadratic, choose_keys, solve_jointly, spread_latents
from mien.animation.paper.layers import PhotoLayers
from mien.animation.paper.targets import filled_target, inpaint_mouth
from mien.generator.eg3d.generator import Eg3dGenerator, unit_image
from mien.inversion.eg3d.cost import Target
from mien.inversion.eg3d.descent import Kept
from mien.inversion.eg3d.latent import LatentConfig, MeanW, Tie, mean_w, search_w
from mien.inversion.eg3d.tuning import (
    RESIDUAL,
    Pivot,
    Tuning,
    TuningConfig,
    tune_to,
    tuned_generator,
    tuned_planes,
)
from mien.morphable.eg3d.crop import CROP_PX

TIE: Final = 0.01
"""Weight of the squared step between two key frames' latents, in deviations of W, while they are searched."""
JOINT: Final = 0.1
"""Weight of steps against the found latents, for key frames `smooth_s` apart, when all are smoothed."""
MEAN_OF: Final = 600


@dataclass(frozen=True, eq=False)
class KeyCrop:
    """An edited render in EG3D's crop, [S, S]."""

    edited: EditedRender
    rgb: Float32[np.ndarray, "side side 3"]
    face: Float32[np.ndarray, "side side"]
    opening: Float32[np.ndarray, "side side"]
    kept: Float32[np.ndarray, "side side"]
    """Where the opening shows the photo's own teeth."""


@dataclass(frozen=True, eq=False)
class Eg3dSequence:
    """A clip in an EG3D model: a latent per frame, one tuning."""

    generator: Eg3dGenerator
    """Tuned."""
    tuning: Tuning
    latents: Float[Tensor, "frame w"]
    keys: list[int]
    passes: Passes

    def planes(self, frame: int) -> Float[Tensor, "1 3 channel y x"]:
        """The tuned planes of a frame."""
        return tuned_planes(self.generator, self.latents[frame, None], self.tuning)


def crop_of(
    actor: Eg3dActor, layers: PhotoLayers, image: np.ndarray, around: np.ndarray
) -> Float32[np.ndarray, "side side *channel"]:
    """A picture of the photo's part [H, W] or [H, W, 3] in EG3D's crop; `around` is the whole working picture
    elsewhere."""
    x0, y0, x1, y1 = layers.source.box_px
    whole = np.array(around, np.float32)
    whole[y0:y1, x0:x1] = image
    crop = actor.place.crop
    if whole.ndim == 2:
        return np.array(crop.sample(whole, CROP_PX), np.float32)
    return np.stack([crop.sample(np.ascontiguousarray(c), CROP_PX) for c in np.moveaxis(whole, -1, 0)], -1)


def key_crop(
    actor: Eg3dActor, layers: PhotoLayers, expression: Float[Tensor, "52"], config: PaperConfig
) -> KeyCrop:
    """The edited render of an expression in the crop."""
    edited = edited_render(layers, layers.source.posed(expression))
    face, opening = inpaint_mouth(edited, layers.source.face_width_px, config)
    kept = edited.shown if config.keeps_seen_mouth else np.zeros_like(face)
    photo = actor.avatar.photo.numpy().astype(np.float32) / 255
    empty = np.zeros(photo.shape[:2], np.float32)
    maps = (crop_of(actor, layers, x, empty) for x in (face, opening, kept))
    return KeyCrop(edited, crop_of(actor, layers, edited.rgb, photo), *maps)


def invert_clip_eg3d(
    actor: Eg3dActor, layers: PhotoLayers, expressions: np.ndarray, time_s: np.ndarray, config: PaperConfig,
    kept_in: Path | None = None,
) -> Eg3dSequence:  # fmt: skip
    """Latents and tuning for expressions float32 [T, 52] at times [T].

    Deterministic. With the folder `kept_in`, killed, the same call goes on where it was, to the same result.
    """
    passes, place, device = Passes(), actor.place, actor.device
    keys = choose_keys(expressions, config.keys)
    crops = [key_crop(actor, layers, torch.from_numpy(expressions[k]), config) for k in keys]
    kept = None if kept_in is None else Kept(kept_in, _job(actor, expressions, time_s, config))
    tuned = config.start == "avatar"
    inversion = actor.avatar.inversion
    start = residual_of(actor) if tuned else {}
    camera = place.camera.to(device)
    mean = mean_w(actor.generator, camera, MEAN_OF)
    first = MeanW(inversion.w.to(device), mean.deviation) if tuned else mean
    found = search_latents(actor, crops, first, start, time_s[keys], config, passes, kept)
    pivots = [
        Pivot(w[None], _target(actor, crop, own_picture(actor, w[None], start, passes), config))
        for w, crop in zip(found, crops, strict=True)
    ]
    tuning = tune_to(
        pivots, actor.generator, camera, start=start, kept=kept,
        config=TuningConfig(
            way="weights" if config.weights else "planes", steps=config.tuning_steps,
            whole=config.tuning_steps if config.weights else min(8, config.tuning_steps),
            side_px=config.side_px, samples=config.samples, weight_rate=config.tuning_rate, cost=config.cost,
        ),
    )  # fmt: skip
    passes.tuning += config.tuning_steps
    latents = found
    if len(keys) < len(expressions):
        latents = spread_latents(expressions[keys], found, expressions)
    return Eg3dSequence(tuned_generator(actor.generator, tuning), tuning, latents, keys, passes)


def residual_of(actor: Eg3dActor) -> Tuning:
    """What the avatar's tuning adds to the planes; weights are tuned in the actor's generator already."""
    tuning = actor.avatar.inversion.tuning
    return {RESIDUAL: tuning[RESIDUAL]} if RESIDUAL in tuning else {}


def search_latents(
    actor: Eg3dActor, crops: list[KeyCrop], first: MeanW, start: Tuning, time_s: np.ndarray,
    config: PaperConfig, passes: Passes, kept: Kept | None, name: str = "latent",
) -> Float[Tensor, "key w"]:  # fmt: skip
    """The first from `first`, each further one from the one before; then, if joint, all smoothed together."""
    found: list[Tensor] = []
    gaps = np.diff(time_s) / config.smooth_s
    for k, crop in enumerate(crops):
        steps = config.first_steps if k == 0 else config.frame_steps
        begin = first if k == 0 else MeanW(found[-1], first.deviation)
        tie = Tie(found[-1], TIE / max(float(gaps[k - 1]), 1e-6)) if k > 0 and config.joint else None
        search = LatentConfig(
            steps=steps, rate=config.rate, side_px=config.side_px, samples=config.samples,
            noise=config.noise if k == 0 else 0.0, cost=config.cost,
        )  # fmt: skip
        target = Target(_signed(crop.rgb), torch.from_numpy(crop.face)[None].clamp(0, 1))
        found.append(search_w(
            actor.generator, _on(target, actor.device), actor.place.camera.to(actor.device), begin,
            config=search, residual=start.get(RESIDUAL), tie=tie, name=f"{name}-{k:04d}", kept=kept,
        ))  # fmt: skip
        passes.latent += steps
    all_ = torch.cat(found)
    if not config.joint or len(found) < 2:
        return all_
    unit = torch.eye(all_.shape[1], device=all_.device)
    return solve_jointly([Quadratic(unit, w) for w in all_], gaps, JOINT * unit)


def own_picture(
    actor: Eg3dActor, w: Float[Tensor, "1 w"], start: Tuning, passes: Passes
) -> Float32[np.ndarray, "side side 3"]:
    """The latent's own picture before the tuning, whose mouth fills the target."""
    passes.mouth += 1
    with torch.no_grad():
        planes = tuned_planes(actor.generator, w, start)
        image = actor.generator.render(planes, w, actor.place.camera.to(actor.device)).image
    large = torch.nn.functional.interpolate(image, size=CROP_PX, mode="bilinear", align_corners=False)
    return unit_image(large[0]).permute(1, 2, 0).cpu().numpy()


def _target(actor: Eg3dActor, crop: KeyCrop, own: np.ndarray, config: PaperConfig) -> Target:
    """The whole person as edited; the mouth as the latent has it."""
    filled = filled_target(crop.rgb, own, crop.opening, crop.kept)
    alpha = actor.place.crop.sample((actor.avatar.alpha.float() / 255).numpy(), CROP_PX)
    mask = np.maximum(np.array(alpha), crop.face)
    return _on(Target(_signed(filled), torch.from_numpy(mask)[None].clamp(0, 1)), actor.device)


def _signed(rgb: np.ndarray) -> Float[Tensor, "3 side side"]:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(rgb, -1, 0))).float() * 2 - 1


def _on(target: Target, device: torch.device) -> Target:
    return Target(target.image.to(device), target.mask.to(device))


def _job(actor: Eg3dActor, expressions: np.ndarray, time_s: np.ndarray, config: PaperConfig) -> str:
    """Hash of all that the inversion of a clip depends on."""
    avatar = actor.avatar
    digest = hashlib.sha256(f"{config} {avatar.provenance.get('generator_sha256')}".encode())
    for part in (avatar.inversion.w, avatar.photo, avatar.alpha, expressions, time_s,
                 *avatar.inversion.tuning.values()):  # fmt: skip
        digest.update(np.ascontiguousarray(np.asarray(part)).tobytes())
    return digest.hexdigest()
