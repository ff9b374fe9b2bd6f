"""A photo taken apart for edited renders: skin as a texture, what lies in front of it, what lies behind."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from mien.animation.eg3d.actor import SKIN_GREY
from mien.animation.paper.front import FrontConfig, front_of
from mien.animation.paper.regions import face_parts
from mien.animation.paper.source import PaperSource
from mien.generator.texels import fill_chart, splat
from mien.inversion.evidence import INSIDE_ALPHA, interior_weight, polygon_mask
from mien.morphable.landmarks import EYELIDS_LEFT, EYELIDS_RIGHT, LIPS_INNER
from mien.morphable.raster import Hits, RayScene, interpolate, interpolate_corners, vertex_normals
from mien.morphable.zbuffer import PixelScene
from mien.tracking.background import smooth_fill

TEXELS: Final = 512
"""Side of the texture on the chart that serves where the photo does not show a point."""
RING: Final = 0.05
"""Width of the ring around the face's contour that goes with it, as a share of the face's width: as far as a
fit may be off. What the face uncovers is in-painted from beyond it."""


FRONT_HOLE: Final = 0.2
LEAST_KNOWN: Final = 0.005


@dataclass(frozen=True, eq=False)
class PhotoLayers:
    """Made once per photo; pictures are float32 in [0, 1] of the photo's size."""

    source: PaperSource
    photo: Float32[np.ndarray, "height width 3"]
    front: Float32[np.ndarray, "height width"]
    """What lies before the face, see `front_of`; it stays where it is."""
    behind: Float32[np.ndarray, "height width 3"]
    """The photo with its face in-painted from what is around it: hair, background."""
    neck: Float32[np.ndarray, "height width 3"]
    """The same from the person's skin and clothes around the face only; the mesh tells where they are."""
    trust: Float32[np.ndarray, "height width"]
    """1 where the photo can show the mesh's point under a pixel; 0 in front of it, and where mesh and seen
    landmarks disagree on what is lid, eyeball or lip."""
    face: Float32[np.ndarray, "height width"]
    """1 on the face, falling to 0 over a ring around it."""
    texture: Float[Tensor, "3 v u"]
    """The skin unwrapped over the chart, by pixels that show it, filled (and mirrored) where none does."""
    scene: RayScene
    """The mesh with the photo's expression."""
    hits: Hits
    """What the photo's pixels see of it."""
    face_part: Bool[np.ndarray, "height width"]
    """Where that is the face, the mouth's inside included."""
    ring_px: float
    brightness: float
    """Of the skin, against plain colours."""


def layers_of(source: PaperSource, config: FrontConfig | None = None) -> PhotoLayers:
    """Take a photo apart."""
    hits = first_hits(source, source.vertices)
    directions = source.camera.rays(*source.shape).directions.reshape(-1, 3).numpy()
    scene = RayScene(source.vertices.numpy(), source.model.faces_np)
    front = front_of(source, hits, config)
    ring_px = max(RING * source.face_width_px, 2.0)
    parts = face_parts(source.model)
    on_face = (hits.hit & (parts.face | parts.inside)[np.maximum(hits.face, 0)]).reshape(source.shape)
    trust = _trust(source, hits)
    trust = np.minimum(trust, cv2.GaussianBlur(trust, (0, 0), 0.7)) * (1 - front)
    photo = source.rgb.astype(np.float32) / 255
    behind, neck = _behind(source, photo, hits, on_face, front, ring_px)
    bright = float(np.median(photo[on_face])) if on_face.any() else SKIN_GREY
    return PhotoLayers(
        source=source, photo=photo, front=front, behind=behind, neck=neck,
        trust=trust, face=ring_share(on_face, ring_px),
        texture=_texture(source, photo, hits, directions, trust), scene=scene, hits=hits,
        face_part=on_face, ring_px=ring_px, brightness=min(max(bright / SKIN_GREY, 0.3), 1.2),
    )  # fmt: skip


def first_hits(source: PaperSource, vertices: Float[Tensor, "vertex 3"]) -> Hits:
    """What the photo's pixels see of a mesh, row by row."""
    picture = PixelScene(vertices, source.model.faces, source.camera, *source.shape)
    return picture.first_hits()


def ring_share(mask: np.ndarray, ring_px: float) -> Float32[np.ndarray, "height width"]:
    """1 on a mask and up to half a ring around it, falling to 0 at the ring's end."""
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    t = np.clip(2 - 2 * away / ring_px, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _behind(
    source: PaperSource, photo: np.ndarray, hits: Hits, face: np.ndarray, front: np.ndarray, ring_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """Both pictures that the face uncovers, filled smoothly; what lies in front has no part, as it stays."""
    hole = (ring_share(face, ring_px) > 0) | (front > FRONT_HOLE)
    body = (hits.hit & face_parts(source.model).body[np.maximum(hits.face, 0)]).reshape(source.shape)
    body &= source.alpha > INSIDE_ALPHA
    behind = smooth_fill(photo, hole | body) if (~(hole | body)).mean() > LEAST_KNOWN else photo
    return behind, smooth_fill(photo, hole | ~body) if (~hole & body).mean() > LEAST_KNOWN else behind


def _trust(source: PaperSource, hits: Hits) -> Float32[np.ndarray, "height width"]:
    """Whether mesh and landmarks agree on what each pixel shows."""
    parts, shape = face_parts(source.model), source.shape
    face = np.maximum(hits.face, 0)
    is_eye, is_inside, is_body = (
        (part[face] & hits.hit).reshape(shape) for part in (parts.eyes, parts.inside, parts.body)
    )
    points = source.landmarks_px
    eyes = polygon_mask(shape, points[list(EYELIDS_LEFT)]) | polygon_mask(shape, points[list(EYELIDS_RIGHT)])
    mouth = polygon_mask(shape, points[list(LIPS_INNER)])
    opening = cv2.dilate(mouth.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    wrong = (is_body & (eyes | opening)) | (is_eye & ~eyes) | (is_inside & ~mouth) | ~hits.hit.reshape(shape)
    return np.where(wrong, 0.0, np.clip(source.alpha * 4 - 3, 0, 1)).astype(np.float32)


def _texture(
    source: PaperSource, photo: np.ndarray, hits: Hits, directions: np.ndarray, trust: np.ndarray
) -> Float[Tensor, "3 v u"]:
    model, vertices = source.model, source.vertices.numpy()
    normal = interpolate(vertex_normals(vertices, model.faces_np), model.faces_np, hits)
    facing = np.abs((normal * directions).sum(1)) * hits.hit
    interior = interior_weight(source.alpha, hits.depth.reshape(source.shape), source.fit.crop.side_px)
    weight = torch.from_numpy((trust * interior).reshape(-1) * facing).float()
    planes = torch.from_numpy(interpolate_corners(model.canonical_corners.numpy(), hits)).float()
    colours = torch.from_numpy(photo.reshape(-1, 3))
    used = weight > 0.05
    mean = (weight[used, None] * colours[used]).sum(0) / weight[used].sum().clamp(min=1e-6)
    filled = fill_chart(*splat(planes[used, :2], colours[used] - mean, weight[used], TEXELS))
    return (filled + mean[:, None, None]).clamp(0, 1)
