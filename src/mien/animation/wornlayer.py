"""A part of a picture that shows what is worn or held before a head, and how it is laid over the head."""

from dataclasses import dataclass, replace
from typing import Final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.animation.layer import Layer
from mien.core.camera import Camera
from mien.generator.render import PosedHead, RenderOutput
from mien.inversion.avatar import Avatar, frame_size
from mien.morphable.worn import FaceCover, WornGlasses

MARGIN_PX: Final = 4


@dataclass(frozen=True, eq=False)
class WornPhoto:
    """The photo's pixels that show something that is worn, looked up in every frame."""

    camera: Camera
    """Of the photo, in the frame of the head at rest."""
    rgba: Float[Tensor, "1 4 height width"]
    """In [0, 1], premultiplied."""


def worn_photo(avatar: Avatar, mask: UInt8[Tensor, "height width"]) -> WornPhoto:
    """The avatar's own pixels, each as far as the mask says (of 255)."""
    height, width = frame_size(avatar)
    share = mask.float()[..., None] / 255
    rgba = torch.cat([avatar.photo.float() / 255 * share, share], -1).permute(2, 0, 1)[None]
    return WornPhoto(avatar.fit.photo_camera(width, height), rgba)


def moved(worn: WornGlasses | FaceCover, head: PosedHead) -> Float[Tensor, "vertex 3"]:
    """Vertices where the head has moved them."""
    return worn.vertices if head.motion is None else head.motion.apply(worn.vertices)


def box_of(
    camera: Camera, vertices: Float[Tensor, "vertex 3"], size: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """Pixels x0, y0, x1, y1 that points can fall on in a picture of (height, width); None if none can."""
    height, width = size
    px = camera.project(vertices).uv * torch.tensor([width, height])
    low, high = px.amin(0) - MARGIN_PX, px.amax(0) + MARGIN_PX
    x0, y0 = max(int(low[0]), 0), max(int(low[1]), 0)
    x1, y1 = min(int(high[0]) + 1, width), min(int(high[1]) + 1, height)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


@dataclass(frozen=True, eq=False)
class WornLayer:
    """What a part of a picture shows of glasses, or of what is held before the face."""

    box_px: tuple[int, int, int, int]
    """x0, y0, x1, y1 of the part."""
    rgb: Float[Tensor, "height width 3"]
    """Premultiplied."""
    alpha: Float[Tensor, "height width"]
    depth: Float[Tensor, "height width"]
    """Along the rays, EG3D units; 0 where there are none."""


def over_layer(layer: Layer, worn: WornLayer | None) -> Layer:
    """A moving head's layer with what is worn before it; both of one picture."""
    if worn is None:
        return layer
    x0, y0, x1, y1 = worn.box_px
    rgb, cover = layer.rgb.copy(), layer.cover.copy()
    rest = 1 - worn.alpha.numpy()
    rgb[y0:y1, x0:x1] = worn.rgb.numpy() + rest[..., None] * rgb[y0:y1, x0:x1]
    cover[y0:y1, x0:x1] = worn.alpha.numpy() + rest * cover[y0:y1, x0:x1]
    return Layer(layer.corner_px, rgb, cover)


def over_render(out: RenderOutput, worn: WornLayer | None) -> RenderOutput:
    """A render with what is worn before it."""
    if worn is None:
        return out
    x0, y0, x1, y1 = worn.box_px
    rgb, alpha, depth = out.rgb.clone(), out.alpha.clone(), out.depth.clone()
    rest = 1 - worn.alpha
    rgb[y0:y1, x0:x1] = worn.rgb + rest[..., None] * rgb[y0:y1, x0:x1]
    mixed = worn.alpha + rest * alpha[y0:y1, x0:x1]
    behind = rest * alpha[y0:y1, x0:x1] * depth[y0:y1, x0:x1]
    mean = (worn.alpha * worn.depth + behind) / mixed.clamp(min=1e-6)
    depth[y0:y1, x0:x1] = torch.where(worn.alpha > 0, mean, depth[y0:y1, x0:x1])
    alpha[y0:y1, x0:x1] = mixed
    return replace(out, rgb=rgb, alpha=alpha, depth=depth)
