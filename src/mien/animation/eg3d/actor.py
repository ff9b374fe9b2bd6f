"""An EG3D avatar ready to be drawn: bent to an expression and turned on its neck, seen by the photo's camera.

The camera stays and the points that are sampled are carried instead: back along the neck (`HeadMotion`, so
that the chest stays still), then from the frame's expression to the photo's (`Bend`), then into the planes.
For all that is above the chin this is the same picture as that of a camera moved around the head.

What belongs to the person is known in the photo only, from its matte. So is detail that the generator does
not have. Both are carried along: a pixel's surface point is followed to where the photo shows it.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.animation.eg3d.keymouths import KeyMouth
from mien.animation.eg3d.mouth import MouthPainter
from mien.animation.plate import moving_weight, nearest_index
from mien.core.camera import Camera
from mien.core.curves import smoothstep
from mien.generator.eg3d.generator import Eg3dGenerator, Eg3dRender, unit_image
from mien.generator.eg3d.renderer import Eg3dRenderer, eg3d_renderer
from mien.inversion.eg3d.avatar import Eg3dAvatar, Placement
from mien.inversion.eg3d.tuning import tuned_generator, tuned_planes
from mien.morphable.bend import make_bend
from mien.morphable.carry import HeadMotion
from mien.morphable.model import MorphableModel, load_head_model
from mien.morphable.warp import HeadWarp

STILL_WEIGHT: Final = (0.1, 0.32)
"""Neck weights between which the render takes over from the photo's own pixels."""
THICK: Final = (0.3, 0.4)
"""What lies farther behind the photo's first surface (EG3D units) is no part of the person but a wall."""
SAME: Final = (0.015, 0.05)
"""Distances (EG3D units) between which a point counts no longer as the one that the photo shows."""
STRETCH: Final = (0.25, 0.6)
"""Photo pixels per frame pixel between which detail may be shown: what is smeared is left out."""
SOLID: Final = (0.3, 0.7)
"""Coverage between which a ray counts as meeting something."""
SKIN_GREY: Final = 0.6
"""Brightness of skin for which the mouth's colours are made."""


@dataclass(frozen=True, eq=False)
class SourceView:
    """What the photo's camera sees of the inversion, and the photo itself, in the crop."""

    distance: Float[Tensor, "side side"]
    """Along the rays, EG3D units."""
    matte: Float[Tensor, "size size"]
    detail: Float[Tensor, "size size 3"]
    """Photo minus picture where the person is."""


@dataclass(frozen=True, eq=False)
class Eg3dActor:
    """An avatar with its planes, made once."""

    avatar: Eg3dAvatar
    generator: Eg3dGenerator
    planes: Float[Tensor, "1 3 channel y x"]
    renderer: Eg3dRenderer
    model: MorphableModel
    chin_y: float
    source: SourceView
    mouth: MouthPainter

    @property
    def place(self) -> Placement:
        """Of the head."""
        return self.avatar.placement

    @property
    def device(self) -> torch.device:
        """Of the generator."""
        return self.planes.device


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture of the crop."""

    rgb: Float[Tensor, "size size 3"]
    alpha: Float[Tensor, "size size"]
    """Of the person."""
    share: Float[Tensor, "size size"]
    """How far the picture, and not the photo's still chest, is to be shown."""
    out: Eg3dRender


def make_actor(
    avatar: Eg3dAvatar, generator: Eg3dGenerator, model: MorphableModel | None = None
) -> Eg3dActor:
    """Prepare an avatar; `generator` is the one in which it was made and stays as it is."""
    model, place = model or load_head_model(), avatar.placement
    inversion = avatar.inversion
    tuned = tuned_generator(generator, inversion.tuning)
    device = next(generator.parameters()).device
    w = inversion.w.to(device)
    planes = tuned_planes(tuned, w, inversion.tuning)
    renderer = eg3d_renderer(tuned, tuned.backbone.layered(w), planes)
    source, brightness = _source_view(avatar, renderer.render(place.camera.to(device)))
    neutral = model.vertices(place.identity, torch.zeros(52))
    mouth = MouthPainter(
        model, model.vertices(place.identity, place.expression), place.head_camera.position, brightness,
        _key_mouths(avatar, model),
    )  # fmt: skip
    return Eg3dActor(avatar, tuned, planes, renderer, model, model.chin_y(neutral), source, mouth)


def _key_mouths(avatar: Eg3dAvatar, model: MorphableModel) -> list[KeyMouth]:
    """The avatar's in-painted mouths on the mesh."""
    keys, place = avatar.mouths, avatar.placement
    if keys is None:
        return []
    return [
        KeyMouth(
            model, model.vertices(place.identity, expression), place.head_camera,
            picture.numpy().astype(np.float32) / 255, opening.numpy().astype(np.float32) / 255,
        )
        for expression, picture, opening in zip(keys.expression, keys.picture, keys.opening, strict=True)
    ]  # fmt: skip


def neck_motion(
    actor: Eg3dActor, R_camera_head: Float[Tensor, "3 3"], shift_camera: Float[Tensor, "3"]
) -> HeadMotion | None:
    """Motion about the neck to a pose, and a shift of the head frame's origin; None if there is none.

    `shift_camera` is in camera axes (x right, y up, z to the viewer), head units.
    """
    R_source = actor.place.R_camera_head
    R = R_source.T @ R_camera_head
    if torch.allclose(R, torch.eye(3), atol=1e-6) and not bool(shift_camera.any()):
        return None
    joint = actor.model.neck_joint
    arc = joint - R @ joint  # where the neck's turn alone carries the origin
    return HeadMotion(R, R_source.T @ shift_camera - arc, joint, actor.chin_y)


def draw(
    actor: Eg3dActor,
    *,
    camera: Camera | None = None,
    expression: Float[Tensor, "52"] | None = None,
    motion: HeadMotion | None = None,
) -> Drawn:
    """The person with an expression (None: the photo's) and a motion, through a camera of EG3D's world (None:
    the photo's)."""
    place = actor.place
    camera = camera or place.camera
    expression = place.expression if expression is None else expression
    rest = actor.model.vertices(place.identity, expression)
    warp = _carry(actor, camera, rest, motion)
    with torch.no_grad():
        out = actor.renderer.render(camera.to(actor.device), warp=None if warp.still else warp)
        drawn = _resolve(actor, camera, out, warp)
    if torch.equal(rest, actor.mouth.source):
        return drawn
    posed = rest if motion is None else motion.apply(rest)
    inside = actor.mouth.paint(posed, place.in_head(camera), drawn.rgb.shape[0])
    if inside is None:
        return drawn
    return replace(drawn, rgb=drawn.rgb * (1 - inside[..., 3:]) + inside[..., :3])


def _carry(
    actor: Eg3dActor, camera: Camera, rest: Float[Tensor, "vertex 3"], motion: HeadMotion | None
) -> HeadWarp:
    """From a frame's world points to the photo's."""
    place = actor.place
    eye = place.to_head(camera.position)
    if motion is not None:
        eye = (eye - (motion.joint + motion.translation)) @ motion.R_chest_head + motion.joint
    bend = make_bend(actor.model, rest, actor.mouth.source, seen_from=eye)
    return HeadWarp(place.world_scale, place.world_shift, motion, bend)


def _resolve(actor: Eg3dActor, camera: Camera, out: Eg3dRender, warp: HeadWarp) -> Drawn:
    """What of a render is the person, and with the photo's detail."""
    size, source = out.image.shape[-1], actor.source
    distance, met = out.depth[0, 0].cpu(), out.alpha[0, 0].cpu()
    rays = camera.rays(*distance.shape)
    points = rays.origins + rays.directions * distance[..., None]
    before = points if warp.still else warp(points)
    uv = actor.place.camera.project(before).uv
    behind = (before - actor.place.camera.position).norm(dim=-1) - _lookup(source.distance, uv)
    person = smoothstep(met, *SOLID) * (1 - smoothstep(behind, *THICK))
    uv = uv[nearest_index(person > 0.5)]
    same = (1 - smoothstep(behind.abs(), *SAME)) * smoothstep(_stretch(uv), *STRETCH)
    weight = moving_weight(warp.to_rest(points), actor.chin_y)
    large = _enlarge(torch.cat([uv, torch.stack([person, same, weight], -1)], -1), size)
    uv, (person, same, weight) = large[..., :2], large[..., 2:].unbind(-1)
    rgb = unit_image(out.image[0]).permute(1, 2, 0).cpu()
    matte = _lookup(source.matte, uv)
    rgb = rgb + _lookup(source.detail, uv) * (same * person)[..., None]
    return Drawn(
        rgb.clamp(0, 1), matte * smoothstep(person, 0.25, 0.75), smoothstep(weight, *STILL_WEIGHT), out
    )


def _source_view(avatar: Eg3dAvatar, out: Eg3dRender) -> tuple[SourceView, float]:
    """The photo's own view, and how bright the middle of the face is."""
    size = out.image.shape[-1]
    crop = avatar.placement.crop
    photo = torch.from_numpy(crop.sample(avatar.photo.numpy(), size).copy()).float() / 255
    matte = torch.from_numpy(crop.sample((avatar.alpha.float() / 255).numpy(), size).copy())
    picture = unit_image(out.image[0]).permute(1, 2, 0).cpu()
    detail = (photo - picture) * matte[..., None]
    middle = photo[int(0.35 * size) : int(0.65 * size), int(0.35 * size) : int(0.65 * size)]
    brightness = float(middle.mean()) / SKIN_GREY
    return SourceView(out.depth[0, 0].cpu(), matte, detail), min(max(brightness, 0.3), 1.2)


def _stretch(uv: Float[Tensor, "side side 2"]) -> Float[Tensor, "side side"]:
    """Photo pixels per frame pixel, in the direction in which they are fewest."""
    side = uv.shape[0]
    padded = F.pad(uv.permute(2, 0, 1)[None], (1, 1, 1, 1), mode="replicate")[0]
    across = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]).norm(dim=0) / 2 * side
    down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]).norm(dim=0) / 2 * side
    return torch.minimum(across, down)


def _lookup(image: Tensor, uv: Float[Tensor, "height width 2"]) -> Tensor:
    """Bilinear values of an image [H, W] or [H, W, C] at coordinates in [0, 1]; at its edge, clamped."""
    planar = image[None, None] if image.ndim == 2 else image.permute(2, 0, 1)[None]
    found = F.grid_sample(
        planar, (uv * 2 - 1)[None], mode="bilinear", padding_mode="border", align_corners=False
    )[0]
    return found[0] if image.ndim == 2 else found.permute(1, 2, 0)


def _enlarge(maps: Float[Tensor, "side side channel"], size: int) -> Float[Tensor, "size size channel"]:
    planar = maps.permute(2, 0, 1)[None]
    return F.interpolate(planar, size=(size, size), mode="bilinear", align_corners=False)[0].permute(1, 2, 0)
