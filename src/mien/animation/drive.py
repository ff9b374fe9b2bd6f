"""Rendering an avatar's frames: the head moves on a still chest, composited over the photo's own plate."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from mien.animation.cover import draw_cover
from mien.animation.detail import (
    PhotoDetail,
    Places,
    add_detail,
    body_share,
    carried_of,
    eye_share,
    make_detail,
    moving_share,
    outline_share,
    places_of,
)
from mien.animation.fastlayer import fast_layer
from mien.animation.glasses import draw_glasses
from mien.animation.layer import Layer, without_gaps
from mien.animation.plate import moving_weight
from mien.animation.wornlayer import WornLayer, WornPhoto, moved, over_layer, over_render, worn_photo
from mien.core.camera import Camera
from mien.core.compiled import has_numba
from mien.core.geometry import axis_angle_to_matrix
from mien.generator.bodycolours import tabulate_body
from mien.generator.fastrays import can_be_fast
from mien.generator.model import Generator
from mien.generator.planes import Planes
from mien.generator.posed import all_vertices, carrying, tabulated
from mien.generator.render import (
    HairShell,
    PosedHead,
    RenderOutput,
    make_hair_shell,
    over_background,
    pose_head,
    render,
)
from mien.inversion.avatar import Avatar, frame_size
from mien.inversion.evidence import region_camera
from mien.morphable.beard import Beard, make_beard
from mien.morphable.carry import Carrier, HeadMotion, make_carrier
from mien.morphable.fit import FaceFit, orbit_camera
from mien.morphable.lids import folded_at
from mien.morphable.model import MorphableModel, load_head_model, neck_weight
from mien.morphable.pixels import first_hits
from mien.morphable.worn import hidden_share

BOX_MARGIN_PX: Final = 3
STILL_WEIGHT: Final = (0.1, 0.32)
"""Neck weights between which the render takes over from the photo's own pixels."""


@dataclass(frozen=True, eq=False)
class Puppet:
    """An avatar ready to move: its planes, geometry and accelerators, made once."""

    avatar: Avatar
    generator: Generator
    model: MorphableModel
    planes: Planes
    carrier: Carrier
    shell: HairShell | None
    chin_y: float
    moving_body: Int[Tensor, " moving"]
    """Vertices that the neck moves enough to be drawn."""
    moving_shell: Int[Tensor, " moving_too"]
    """The same of the hair's shell."""
    neck: Float[Tensor, " vertex"]
    """How far the neck moves each vertex of the body."""
    detail: PhotoDetail | None = None
    """What the photo shows beyond the render; None draws the plain render."""
    beard: Beard | None = None
    """One that stands off the skin."""

    @cached_property
    def glasses_photo(self) -> WornPhoto | None:
        """The photo's pixels that show the glasses; None without any."""
        return None if self.avatar.glasses is None else worn_photo(self.avatar, self.avatar.glasses.mask)

    @cached_property
    def cover_photo(self) -> WornPhoto | None:
        """Those that show what is held before the face."""
        return None if self.avatar.cover is None else worn_photo(self.avatar, self.avatar.cover.mask)


def make_puppet(
    avatar: Avatar, generator: Generator, model: MorphableModel | None = None, *, detail: bool = True
) -> Puppet:
    """Prepare an avatar for rendering, with the photo's detail or without."""
    model = model or load_head_model()
    fit = avatar.fit
    with torch.no_grad():
        neutral = fit.neutral(model)
        carrier = make_carrier(model, neutral)
        planes = avatar.inversion.planes(generator, fit.expression)
        shell = make_hair_shell(generator, planes, model, carrier)
        if shell is not None:
            shell = tabulated(shell, generator, planes, carrier)
        if can_be_fast(planes, shell):
            planes = replace(planes, body=tabulate_body(generator, planes, model))
    chin_y = model.chin_y(neutral)
    moving_shell = torch.zeros(0, dtype=torch.long)
    if shell is not None:
        used = torch.from_numpy(np.unique(shell.shell.faces)).long()
        moving_shell = used[moves(shell.vertices_head[used], chin_y)]
    neck = moving_weight(neutral - fit.torso, chin_y)
    moving_body = torch.nonzero(moves(neutral, chin_y))[:, 0]
    beard = None if fit.beard is None else make_beard(model, fit.beard)
    puppet = Puppet(
        avatar, generator, model, planes, carrier, shell, chin_y, moving_body, moving_shell, neck, beard=beard
    )
    return replace(puppet, detail=photo_detail(puppet)) if detail else puppet


def photo_detail(puppet: Puppet) -> PhotoDetail:
    """The photo's detail, from a render of its own pose and expression."""
    canvas, avatar = photo_canvas(puppet.avatar), puppet.avatar
    height, width = frame_size(avatar)
    head = posed(puppet, avatar.fit.expression, None)
    head = carrying(head, carried_of(canvas.camera, torch.from_numpy(all_vertices(head))))
    out = render(
        puppet.generator,
        puppet.planes,
        head,
        canvas.camera,
        height,
        width,
        shell=puppet.shell,
        antialias=True,
    )
    photo, alpha = avatar.photo.float() / 255, avatar.alpha.float() / 255
    hidden = hidden_share(avatar.glasses, avatar.cover)
    share = None if hidden is None else torch.from_numpy(hidden).float() / 255
    chest = None if avatar.chest is None else avatar.chest.float() / 255
    return make_detail(
        photo, alpha, canvas.plate, canvas.camera, head, out, puppet.chin_y,
        hidden=share, folded=_folded(puppet, head, canvas.camera, (height, width)), chest=chest,
        eyes=eye_share(avatar.fit.landmarks_px, (height, width)),
    )  # fmt: skip


def _folded(
    puppet: Puppet, head: PosedHead, camera: Camera, size: tuple[int, int]
) -> Float[Tensor, "height width"]:
    """How far the skin that the photo's pixels show is folded away."""
    fit, model = puppet.avatar.fit, puppet.model
    pixels = torch.arange(size[0] * size[1])
    hits = first_hits(torch.from_numpy(head.vertices), model.faces, camera, *size, pixels)
    return torch.from_numpy(folded_at(model, fit.identity, fit.expression, hits)).view(size)


def moves(rest: Float[Tensor, "point 3"], chin_y: float) -> Bool[Tensor, " point"]:
    """Whether the neck moves points of the rest pose enough to be drawn."""
    return neck_weight(rest[:, 1], chin_y) > STILL_WEIGHT[0] / 2


def head_motion(
    puppet: Puppet, R_camera_head: Float[Tensor, "3 3"], shift_camera: Float[Tensor, "3"]
) -> HeadMotion:
    """Motion about the neck that turns the head to a pose and moves the head frame's origin by a shift.

    `shift_camera` is in camera axes (x right, y up, z to the viewer), EG3D units.
    """
    R_source = puppet.avatar.fit.R_camera_head
    R = R_source.T @ R_camera_head
    joint = puppet.model.neck_joint
    arc = joint - R @ joint  # where the neck's turn alone carries the head frame's origin
    return HeadMotion(R, R_source.T @ shift_camera - arc, joint, puppet.chin_y)


@dataclass(frozen=True, eq=False)
class Canvas:
    """What is drawn on: a camera, a plate in [0, 1] and the size."""

    camera: Camera
    plate: Float[Tensor, "height width 3"]


def photo_canvas(avatar: Avatar) -> Canvas:
    """The photo's own framing."""
    height, width = frame_size(avatar)
    return Canvas(avatar.fit.photo_camera(width, height), avatar.plate.float() / 255)


def crop_canvas(avatar: Avatar, size_px: int, *, person: bool = True) -> Canvas:
    """The aligned head crop; without `person` the plate is the in-painted background."""
    picture = avatar.plate if person else avatar.background
    plate = torch.from_numpy(np.array(avatar.fit.crop.sample(picture.numpy(), size_px))).float() / 255
    return Canvas(avatar.fit.camera, plate)


def widened(canvas: Canvas, by_px: int) -> Canvas:
    """A canvas with so many more pixels on every side, black on its plate, seen by the same eye."""
    height, width = canvas.plate.shape[:2]
    box = (-by_px, -by_px, width + by_px, height + by_px)
    plate = torch.nn.functional.pad(canvas.plate, (0, 0, by_px, by_px, by_px, by_px))
    return Canvas(region_camera(canvas.camera, (width, height), box), plate)


def render_moving(
    puppet: Puppet, canvas: Canvas, expression: Float[Tensor, "52"], motion: HeadMotion
) -> UInt8[np.ndarray, "height width 3"]:
    """One frame with a still chest: what the neck does not move keeps the plate's pixels."""
    image = canvas.plate.clone()
    layer = moving_layer(puppet, canvas, expression, motion)
    if layer is not None:
        (x0, y0), (height, width) = layer.corner_px, layer.cover.shape
        part = image[y0 : y0 + height, x0 : x0 + width]
        rgb, cover = torch.from_numpy(layer.rgb), torch.from_numpy(layer.cover)
        image[y0 : y0 + height, x0 : x0 + width] = rgb + (1 - cover[..., None]) * part
    return to_uint8(image)


def moving_layer(
    puppet: Puppet, canvas: Canvas, expression: Float[Tensor, "52"], motion: HeadMotion
) -> Layer | None:
    """What the neck moves of one frame, without the plate; None if it is out of the picture."""
    head = posed(puppet, expression, motion)
    shell = None if puppet.shell is None else puppet.shell.at(head)
    box = moving_box(puppet, canvas, head, shell)
    if box is None:
        return None
    x0, y0, x1, y1 = box
    height, width = canvas.plate.shape[:2]
    camera = region_camera(canvas.camera, (width, height), box)
    out = render(
        puppet.generator,
        puppet.planes,
        head,
        camera,
        y1 - y0,
        x1 - x0,
        shell=shell,
        antialias=True,
        outline=outline_share(puppet.detail, camera, motion),
    )
    if puppet.detail is not None and has_numba():
        layer = fast_layer(puppet.detail, out, camera, motion, (x0, y0), STILL_WEIGHT)
    else:
        layer = plain_layer(puppet, out, camera, motion, (x0, y0))
    if puppet.detail is not None:
        layer = without_gaps(layer, (body_share(out) > 0.5).numpy())
    return with_worn(puppet, layer, head, camera, out)


def worn_layers(puppet: Puppet, head: PosedHead, camera: Camera, out: RenderOutput) -> list[WornLayer]:
    """Glasses and what is held before the face, as far as they are seen before the head's render `out`, from
    back to front."""
    glasses, cover = puppet.avatar.glasses, puppet.avatar.cover
    held = puppet.cover_photo
    layers = [
        None if glasses is None else draw_glasses(glasses, head, camera, out, puppet.glasses_photo),
        None if cover is None or held is None else draw_cover(cover, head, camera, out, held),
    ]
    return [layer for layer in layers if layer is not None]


def with_worn(puppet: Puppet, layer: Layer, head: PosedHead, camera: Camera, out: RenderOutput) -> Layer:
    """A moving head's layer with glasses and what is held before it."""
    for worn in worn_layers(puppet, head, camera, out):
        layer = over_layer(layer, worn)
    return layer


def plain_layer(
    puppet: Puppet, out: RenderOutput, camera: Camera, motion: HeadMotion, corner_px: tuple[int, int]
) -> Layer:
    """What a render, seen by `camera`, shows of the head, with the photo's detail if there is any."""
    places = _places(puppet, out, camera, motion)
    share = moving_share(puppet.detail, out, places, camera, motion.chin_y, STILL_WEIGHT)
    if puppet.detail is not None:
        out = add_detail(puppet.detail, out, places, camera, motion)
    return Layer(corner_px, (out.rgb * share[..., None]).numpy(), (out.alpha * share).numpy())


def moving_box(
    puppet: Puppet, canvas: Canvas, head: PosedHead, shell: HairShell | None = None
) -> tuple[int, int, int, int] | None:
    """Pixels that anything moved by the neck can fall on: x0, y0, x1, y1; None if out of the picture.

    `shell`: the puppet's, or that `HairShell.at` the head.
    """
    shell = shell or puppet.shell
    points = [torch.from_numpy(head.vertices)[puppet.moving_body]]
    if head.beard is not None:
        points.append(torch.from_numpy(head.beard.layers[-1]))
    if shell is not None:
        points.append(shell.posed_vertices(head)[puppet.moving_shell])
    worn = (puppet.avatar.glasses, puppet.avatar.cover)
    points += [moved(thing, head) for thing in worn if thing is not None]
    uv = canvas.camera.project(torch.cat(points)).uv
    height, width = canvas.plate.shape[:2]
    px = uv * torch.tensor([width, height])
    margin = torch.full((2,), float(BOX_MARGIN_PX))
    if puppet.detail is not None:
        focal_px = canvas.camera.intrinsics.diagonal()[:2] * torch.tensor([width, height])
        margin = margin + puppet.detail.beyond * focal_px
    low, high = px.amin(0) - margin, px.amax(0) + margin
    x0, y0 = max(int(low[0]), 0), max(int(low[1]), 0)
    x1, y1 = min(int(high[0]) + 1, width), min(int(high[1]) + 1, height)
    return (x0, y0, x1, y1) if x1 - x0 > 1 and y1 - y0 > 1 else None


def posed(puppet: Puppet, expression: Float[Tensor, "52"], motion: HeadMotion | None) -> PosedHead:
    """A puppet's head, with what its detail needs."""
    fit = puppet.avatar.fit
    head = pose_head(
        puppet.model, fit.identity, expression, puppet.carrier, motion, torso=fit.torso, neck=puppet.neck,
        beard=puppet.beard,
    )  # fmt: skip
    return head if puppet.detail is None else carrying(head, puppet.detail.carried)


def _places(puppet: Puppet, out: RenderOutput, camera: Camera, motion: HeadMotion | None) -> Places:
    height, width = frame_size(puppet.avatar)
    return places_of(puppet.avatar.fit.photo_camera(width, height), out, camera, motion)


def render_orbit(
    puppet: Puppet,
    canvas: Canvas,
    yaw_rad: float | None = None,
    pitch_rad: float = 0.0,
    expression: Tensor | None = None,
) -> tuple[UInt8[np.ndarray, "height width 3"], RenderOutput]:
    """One frame with the camera moved around the whole bust.

    `yaw_rad` is the head's yaw as it is then seen: 0 from the front, whichever way it is turned in the photo;
    None keeps the photo's. `pitch_rad` adds to the photo's pitch.
    """
    fit = puppet.avatar.fit
    camera = turned_camera(fit, canvas, yaw_rad, pitch_rad)
    height, width = canvas.plate.shape[:2]
    out = render_bust(puppet, camera, height, width, expression)
    return to_uint8(over_background(out, canvas.plate)), out


def render_bust(
    puppet: Puppet, camera: Camera, height: int, width: int, expression: Float[Tensor, "52"] | None = None
) -> RenderOutput:
    """The whole bust at rest, seen by any camera of the head's frame; None is the photo's expression."""
    expression = puppet.avatar.fit.expression if expression is None else expression
    head = posed(puppet, expression, None)
    out = render(
        puppet.generator,
        puppet.planes,
        head,
        camera,
        height,
        width,
        shell=puppet.shell,
        antialias=True,
        outline=outline_share(puppet.detail, camera, None),
    )
    shown = out
    if puppet.detail is not None:
        shown = add_detail(puppet.detail, out, _places(puppet, out, camera, None), camera, None)
    for worn in worn_layers(puppet, head, camera, out):
        shown = over_render(shown, worn)
    return shown


def turned_camera(
    fit: FaceFit, canvas: Canvas, yaw_rad: float | None = None, pitch_rad: float = 0.0
) -> Camera:
    """The canvas's camera moved around the head, see `render_orbit`."""
    own = facing_yaw(fit.R_camera_head)
    away, nod, back = (
        axis_angle_to_matrix(torch.tensor(axis))
        for axis in (
            [0.0, own if yaw_rad is None else float(yaw_rad), 0.0],
            [float(pitch_rad), 0.0, 0.0],
            [0.0, -own, 0.0],
        )
    )
    turned = orbit_camera(away @ nod @ back @ fit.R_camera_head)
    return replace(canvas.camera, T_world_camera=turned.T_world_camera)


def facing_yaw(R_camera_head: Float[Tensor, "3 3"]) -> float:
    """Yaw in rad of the direction a head looks in: 0 towards the camera, positive to the image's right."""
    forward = R_camera_head[:, 2]
    return math.atan2(float(forward[0]), float(forward[2]))


def to_uint8(image: Float[Tensor, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
    """[0, 1] to 8 bit."""
    return (image.clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy()
