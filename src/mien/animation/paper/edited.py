"""Edited renders (Lin et al. 2022, section 3.1): the photo with another expression, at its own pose.

The photo's pixels are the texture of the fitted mesh. A target pixel meets the mesh with the new expression;
the same point of the mesh with the photo's expression says where in the photo it is, if nothing hides it
there. From back to front:

1. what is behind the face: the photo itself, carried with neck and chest, and in-painted where the face was;
2. the face, and a ring around it as wide as a fit may be off, which takes the photo's own contour along;
3. what lies in front, where it was.

With the photo's own expression the result is the photo, to the bit.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from mien.animation.eg3d.mouth import COLOURS, FADE
from mien.animation.paper.layers import PhotoLayers, first_hits, ring_share
from mien.animation.paper.regions import face_parts
from mien.animation.plate import nearest_index
from mien.core.curves import smoothstep
from mien.generator.planes import lookup
from mien.morphable.model import PARTS
from mien.morphable.raster import Hits, interpolate, interpolate_corners
from mien.morphable.regions import region_faces

SEEN_WITHIN: Final = 4e-3
"""The photo shows a point if nothing is this far before it, EG3D units."""
CONTOUR: Final = 0.08
"""How much farther plain skin may lie behind other skin: at the face's own contour the photo shows the same
skin. Lips and lids may not, as teeth and eyeballs lie close behind them."""
MOVED_PX: Final = (0.1, 0.6)
"""Steps in the photo between which a point counts as moved: then its pixel must be trusted."""
DARKEST_LIP: Final = 0.5
EDGE_BLUR_PX: Final = 0.7
MASK_BLUR: Final = 0.008
"""Softness of the masks, as a share of the face's width."""


@dataclass(frozen=True, eq=False)
class EditedRender:
    """One expression, at the photo's pose and size."""

    rgb: Float32[np.ndarray, "height width 3"]
    face: Float32[np.ndarray, "height width"]
    """The face mask, with a hole where the mouth is open and where something lies in front."""
    opening: Float32[np.ndarray, "height width"]
    """The mouth's opening."""
    region: Float32[np.ndarray, "height width"]
    """All that the edit can change: the face as it is now and as it was, with their rings, holes included."""
    shown: Float32[np.ndarray, "height width"]
    """How far the photo is known to show a pixel's point: what a texture may be learnt from. Where nothing
    moves the colours are the photo's even if mesh and photo disagree there on what is lip and what tooth."""
    distance: Float32[np.ndarray, "height width"]
    """To the mesh along the ray, EG3D units; `MISS_DEPTH` where it is not met."""


def edited_render(layers: PhotoLayers, vertices: Float[Tensor, "vertex 3"]) -> EditedRender:
    """The photo with the mesh at `vertices` in place of `layers.source.vertices`."""
    source = layers.source
    hits = first_hits(source, vertices)
    found = _looked_up(layers, hits)
    parts, index = face_parts(source.model), np.maximum(hits.face, 0)
    on_face, opening = ((part[index] & hits.hit).reshape(source.shape) for part in (parts.face, parts.inside))
    own = found.seen * (1 - _smoothstep(_length(found.step_px), *MOVED_PX) * (1 - found.trust))
    own = np.minimum(own, cv2.GaussianBlur(own.astype(np.float32), (0, 0), EDGE_BLUR_PX))
    filled = _chart_colours(layers, hits)
    filled *= _lip_shade(layers, hits)
    filled[opening] = _mouth_colours(layers, hits, vertices)[opening]
    colours = _mixed(filled, found.colours, own)
    colours = _smooth_edges(colours, [opening, (parts.eyes[index] & hits.hit).reshape(source.shape)], found)
    near, share = _with_ring(layers, colours, found, on_face | opening)
    far, was = _far(layers, found, hits, on_face | opening, vertices)
    picture = _mixed(_mixed(far, near, share), layers.photo, layers.front)
    blur = max(MASK_BLUR * layers.source.face_width_px, 0.5)
    soft = [cv2.GaussianBlur(mask.astype(np.float32), (0, 0), blur) for mask in (on_face, opening)]
    return EditedRender(
        rgb=picture.clip(0, 1), face=soft[0] * (1 - layers.front), opening=soft[1],
        region=np.maximum(share, was) * (1 - layers.front),
        shown=(found.seen * found.trust * (on_face | opening) * (1 - layers.front)).astype(np.float32),
        distance=hits.depth.reshape(source.shape),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class FaceView:
    """Where the photo's camera sees the face with an expression, without its colours."""

    face: Float32[np.ndarray, "height width"]
    """The face and the mouth's opening; not what lies in front."""
    distance: Float32[np.ndarray, "height width"]
    """To the mesh along the ray, EG3D units; `MISS_DEPTH` where it is not met."""


def face_view(layers: PhotoLayers, vertices: Float[Tensor, "vertex 3"]) -> FaceView:
    """The masks of an edited render alone, which are much less work."""
    source, parts = layers.source, face_parts(layers.source.model)
    hits = first_hits(source, vertices)
    on_face = ((parts.face | parts.inside)[np.maximum(hits.face, 0)] & hits.hit).reshape(source.shape)
    blur = max(MASK_BLUR * source.face_width_px, 0.5)
    soft = cv2.GaussianBlur(on_face.astype(np.float32), (0, 0), blur)
    return FaceView((soft * (1 - layers.front)).astype(np.float32), hits.depth.reshape(source.shape))


@dataclass(frozen=True, eq=False)
class _Found:
    """Where in the photo the pixels' points are, [H, W, ...]; nothing moves where the mesh is not met."""

    step_px: np.ndarray
    """From the pixel to its place in the photo, x and y."""
    seen: np.ndarray
    """1 where the photo shows the point."""
    colours: np.ndarray
    trust: np.ndarray


def _looked_up(layers: PhotoLayers, hits: Hits) -> _Found:
    source = layers.source
    height, width = source.shape
    index = np.flatnonzero(hits.hit)
    points = interpolate(source.vertices.numpy(), source.model.faces_np, hits.of(index)).astype(np.float32)
    uv = source.camera.project(torch.from_numpy(points)).uv.numpy()
    away = points - source.camera.position.numpy()
    distance = np.linalg.norm(away, axis=1)
    first = layers.scene.cast(source.camera.position.numpy(), (away / distance[:, None]).astype(np.float32))
    step, seen = np.zeros((height * width, 2), np.float32), np.ones(height * width, np.float32)
    pixel = np.stack([index % width + 0.5, index // width + 0.5], 1)
    step[index] = uv * np.array([width, height]) - pixel
    plain = face_parts(source.model).plain[hits.face[index]]
    hidden = _smoothstep((distance - first.depth).astype(np.float32), SEEN_WITHIN, SEEN_WITHIN + CONTOUR)
    seen[index] = np.where(plain, 1 - hidden, distance - first.depth < SEEN_WITHIN)
    steps = step.reshape(height, width, 2)
    return _Found(steps, seen.reshape(height, width), moved_picture(layers.photo, steps),
                  moved_picture(layers.trust, steps))  # fmt: skip


def moved_picture(image: np.ndarray, step_px: Float32[np.ndarray, "height width 2"]) -> np.ndarray:
    """The picture looked up at every pixel plus its step; the picture itself, to the bit, where that is 0."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    x, y = columns + step_px[..., 0], rows + step_px[..., 1]
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _smooth_edges(
    colours: Float32[np.ndarray, "height width 3"], masks: list[np.ndarray], found: _Found
) -> Float32[np.ndarray, "height width 3"]:
    """Soft where lips and lids end, as in a photo, if they have moved: a pixel there has one ray only."""
    edge: np.ndarray = np.zeros(masks[0].shape, np.uint8)
    for mask in masks:
        around = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        edge = np.maximum(edge, around)
    share = edge * _smoothstep(_length(found.step_px), *MOVED_PX)
    return _mixed(colours, cv2.GaussianBlur(colours, (0, 0), EDGE_BLUR_PX), share)


def _with_ring(
    layers: PhotoLayers, colours: np.ndarray, found: _Found, mask: Bool[np.ndarray, "height width"]
) -> tuple[np.ndarray, np.ndarray]:
    """The face's colours and share; beside it the photo's own contour goes with the nearest point of it."""
    if not mask.any():
        return colours, np.zeros(mask.shape, np.float32)
    row, column = (t.numpy() for t in nearest_index(torch.from_numpy(mask)))
    step = found.step_px[row, column]
    carried = np.where(mask[..., None], colours, moved_picture(layers.photo, step))
    person = np.where(found.seen[row, column] > 0, moved_picture(layers.source.alpha, step), 1.0)
    hidden = moved_picture(layers.front, step) * ~mask  # nothing in front is taken along
    return carried, (ring_share(mask, layers.ring_px) * person * (1 - hidden)).astype(np.float32)


def _far(
    layers: PhotoLayers, found: _Found, hits: Hits, near: Bool[np.ndarray, "height width"],
    vertices: Float[Tensor, "vertex 3"],
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """What is behind the face, and where the face was that is now elsewhere."""
    source = layers.source
    now = source.camera.project(
        torch.from_numpy(interpolate(vertices.numpy(), source.model.faces_np, layers.hits).astype(np.float32))
    ).uv.numpy()
    height, width = source.shape
    rows, columns = np.mgrid[:height, :width]
    pixel = np.stack([columns + 0.5, rows + 0.5], -1)
    gone = (now.reshape(height, width, 2) * np.array([width, height]) - pixel) * (layers.face_part)[..., None]
    row, column = (t.numpy() for t in nearest_index(torch.from_numpy(layers.face_part)))
    moved = _smoothstep(_length(gone[row, column]), *MOVED_PX)
    was = layers.face * moved
    step = np.where(near[..., None], 0.0, found.step_px).astype(np.float32)
    hidden = cv2.GaussianBlur(np.where(near, 0.0, 1 - found.seen).astype(np.float32), (0, 0), 1.0)
    lost = np.maximum(moved_picture(was.astype(np.float32), step), hidden)
    on_mesh = (hits.hit.reshape(source.shape) & ~near).astype(np.float32)
    behind = _mixed(layers.behind, layers.neck, cv2.GaussianBlur(on_mesh, (0, 0), 0.7))
    return _mixed(moved_picture(layers.photo, step), behind, lost), was.astype(np.float32)


def _chart_colours(layers: PhotoLayers, hits: Hits) -> Float32[np.ndarray, "height width 3"]:
    """Colours of the unwrapped texture."""
    corners = layers.source.model.canonical_corners.numpy()
    uv = torch.from_numpy(interpolate_corners(corners, hits)[:, :2].astype(np.float32))
    found = lookup(layers.texture[None], uv[None, :, 0], uv[None, :, 1])[0]
    return found.numpy().reshape(*layers.source.shape, 3)


def _lip_shade(layers: PhotoLayers, hits: Hits) -> Float32[np.ndarray, "height width 1"]:
    """Lips that the photo does not show lie deep between others: as dark as the mean head's are there."""
    model = layers.source.model
    lips = region_faces(model)["lips"].numpy()[np.maximum(hits.face, 0)] & hits.hit
    exposure = interpolate(model.exposure[:, None].numpy(), model.faces_np, hits)[:, 0]
    usual = float(np.median(exposure[lips])) if lips.any() else 1.0
    shade = np.where(lips, np.clip(exposure / max(usual, 1e-3), DARKEST_LIP, 1.0), 1.0)
    return cv2.GaussianBlur(shade.astype(np.float32).reshape(layers.source.shape), (0, 0), 0.7)[..., None]


def _mouth_colours(
    layers: PhotoLayers, hits: Hits, vertices: Float[Tensor, "vertex 3"]
) -> Float32[np.ndarray, "height width 3"]:
    """Plain colours of what the mouth holds, darker the farther behind the lips."""
    source = layers.source
    table = np.array([COLOURS.get(name, (0.0, 0.0, 0.0)) for name in PARTS], np.float32)
    part = source.model.part_of_face.numpy()[np.maximum(hits.face, 0)]
    lips = source.model.landmarks(vertices)[[13, 14]].mean(0)
    deep = hits.depth - float((lips - source.camera.position).norm())
    light = layers.brightness * np.exp(-np.clip(deep, 0, 1) / FADE)
    return (table[part] * light[:, None]).clip(0, 1).astype(np.float32).reshape(*source.shape, 3)


def _mixed(one: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """`other` where the share is 1, `one` where it is 0; exactly their value where they are equal."""
    return np.asarray(one + share[..., None].astype(np.float32) * (other - one))


def _length(step: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(step, axis=-1))


def _smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    return smoothstep(torch.from_numpy(np.ascontiguousarray(x)), low, high).numpy()
