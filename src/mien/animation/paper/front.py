"""What lies in front of the face in a photo and must not slide with its skin: hair, glasses, things held.

Hair comes from the photo's evidence (colours learnt outside of the face). Hands, of the skin's own colour,
and large things are found by a network (`mien.inversion.cover`). Of the rest, what is quite unlike the skin
around it within the face, and no feature of it, lies in front: frames of glasses, a strand. Below the nose
that counts only if the other side of the face does not look so too, or a beard would stay behind when its
chin moves.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32

from mien.animation.paper.source import PaperSource
from mien.generator.planes import lookup
from mien.generator.texels import blurred, mirror, splat
from mien.inversion.evidence import polygon_mask
from mien.morphable.chart import V_BODY
from mien.morphable.landmarks import (
    BROW_LEFT,
    BROW_RIGHT,
    EYELIDS_LEFT,
    EYELIDS_RIGHT,
    FACE_OVAL,
    LIPS_OUTER,
)
from mien.morphable.raster import Hits, interpolate_corners
from mien.morphable.regions import landmark_uv

CHART: Final = 128
"""Side of the chart on which the face is compared with its mirror image."""
NOSTRILS: Final = (48, 115, 220, 45, 4, 275, 440, 344, 278, 294, 327, 2, 98, 64)
"""MediaPipe's points around the tip and wings of the nose."""

NOSE_WINGS: Final = (98, 327)
"""Lowest points of the nose's wings."""


@dataclass(frozen=True)
class FrontConfig:
    """Lengths are shares of the face's width, colours are distances in Lab (0 to 255)."""

    hair: float = 0.35
    """Share of hair from which a pixel counts as hair in front."""
    unlike: tuple[float, float] = (22.0, 34.0)
    """Distances from the skin around between which a pixel becomes something else."""
    around: float = 0.16
    """Width of the surroundings that a pixel is compared with."""
    least: float = 0.004
    """Area of the smallest thing, in squares of the face's width."""
    grow: float = 0.012
    """How far its soft edge reaches."""
    mirrored: float = 0.6
    """A thing on the lower face is the face's own (a beard, a shadow under the lip) if at least this share of
    its mirror image is unlike the skin too."""


def front_of(
    source: PaperSource, hits: Hits, config: FrontConfig | None = None
) -> Float32[np.ndarray, "height width"]:
    """How far each pixel of the photo shows something before the face's skin, in [0, 1].

    `hits` are those of the photo's camera on its mesh.
    """
    config = config or FrontConfig()
    points, width_px, hair = source.landmarks_px, source.face_width_px, source.hair
    face = polygon_mask(source.shape, points[list(FACE_OVAL)])
    thing = strange(source, hits, face & (hair < config.hair), width_px, config)
    thing |= hair >= config.hair
    radius = max(config.grow * width_px, 0.7)
    size = 2 * round(radius) + 1
    grown = cv2.dilate(thing.astype(np.float32), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    soft = cv2.GaussianBlur(grown, (0, 0), max(radius / 2, 0.5))
    front = np.maximum(soft, np.clip(hair * 1.5 - 0.25, 0, 1)).astype(np.float32)
    return front if source.held is None else np.maximum(front, source.held)


def features_of(points: np.ndarray, shape: tuple[int, int], width_px: float) -> Bool[np.ndarray, "h w"]:
    """Brows, eyes, lips and nostrils, with a margin: where a face is unlike its skin by itself."""
    mask = np.zeros(shape, bool)
    for ring in (EYELIDS_LEFT, EYELIDS_RIGHT, LIPS_OUTER, NOSTRILS):
        mask |= polygon_mask(shape, points[list(ring)])
    for brow in (BROW_LEFT, BROW_RIGHT):
        mask |= polygon_mask(shape, cv2.convexHull(points[list(brow)].astype(np.float32))[:, 0])
    size = 2 * max(round(0.035 * width_px), 1) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0


def strange(
    source: PaperSource, hits: Hits, face: Bool[np.ndarray, "h w"], width_px: float, config: FrontConfig
) -> Bool[np.ndarray, "h w"]:
    """Pixels of the face that are quite unlike the skin around them and belong to nothing of its own."""
    features = features_of(source.landmarks_px, source.shape, width_px)
    lab = cv2.cvtColor(source.rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    skin = skin_around(lab, face & ~features, config.around * width_px)
    away = np.linalg.norm((lab - skin) * np.array([0.7, 1.0, 1.0], np.float32), axis=2)
    seed = (away > config.unlike[1]) & face & ~features
    weak = (away > config.unlike[0]) & face & ~features
    found = _grown_from(weak, seed, config.least * width_px**2)
    return found & ~_own(found, away > config.unlike[0], hits, source, config)


def skin_around(
    lab: Float32[np.ndarray, "h w 3"], skin: Bool[np.ndarray, "h w"], radius_px: float
) -> Float32[np.ndarray, "h w 3"]:
    """The usual colour of the skin around every pixel: means in which outliers come to count less."""
    usual = np.median(lab[skin], 0) if skin.any() else np.zeros(3)
    smooth = np.broadcast_to(usual, lab.shape).astype(np.float32)
    for scale in (3.0, 1.5, 1.0, 1.0):
        off = np.linalg.norm(lab - smooth, axis=2)
        weight = skin / (1 + (off / 12) ** 4)
        sigma = max(scale * radius_px, 1.0)
        total = cv2.GaussianBlur(weight.astype(np.float32), (0, 0), sigma)[..., None]
        mean = cv2.GaussianBlur((weight[..., None] * lab).astype(np.float32), (0, 0), sigma)
        smooth = (mean + 1e-3 * smooth) / (total + 1e-3)
    return smooth


def _grown_from(weak: np.ndarray, seed: np.ndarray, least_px: float) -> np.ndarray:
    """Connected parts of `weak` that hold a seed and are large enough."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(weak.astype(np.uint8), connectivity=8)
    kept = np.bincount(labels[seed], minlength=count) > 0
    kept &= stats[:, cv2.CC_STAT_AREA] >= least_px
    kept[0] = False
    return kept[labels]


def _own(
    found: np.ndarray, unlike: np.ndarray, hits: Hits, source: PaperSource, config: FrontConfig
) -> np.ndarray:
    """Things below the nose whose mirror image is unlike the skin as well: beards, folds, shade."""
    model = source.model
    uv = torch.from_numpy(interpolate_corners(model.canonical_corners.numpy(), hits)[:, :2]).float()
    skin = torch.from_numpy(hits.hit & (uv[:, 1] > V_BODY[0]).numpy()).float()
    values = torch.from_numpy(unlike.reshape(-1, 1).astype(np.float32))
    total, weight = splat(uv, values, skin, CHART)
    other = mirror(blurred(total, 5))[0] / mirror(blurred(weight[None], 5))[0].clamp(min=1e-3)
    near = lookup(other[None, None], uv[None, :, 0], uv[None, :, 1])[0, :, 0].view(found.shape).numpy()
    nose_v = landmark_uv(model, NOSE_WINGS)[:, 1].mean()
    low = ((uv[:, 1] < nose_v) & (skin > 0)).view(found.shape).numpy()
    count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    area = np.maximum(np.bincount(labels.ravel(), minlength=count), 1)
    is_low = np.bincount(labels.ravel(), low.ravel(), minlength=count) > 0.6 * area
    is_twin = np.bincount(labels.ravel(), near.ravel(), minlength=count) > config.mirrored * area
    own = is_low & is_twin
    own[0] = False
    return own[labels]
