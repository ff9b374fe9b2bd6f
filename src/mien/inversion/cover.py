"""Whether hands or things hide parts of a face in a photo, which pixels they take, on what sheet they lie."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor

from mien.inversion.evidence import polygon_mask
from mien.morphable.covercrop import COVER_PX, cover_crop
from mien.morphable.covernet import COVER, load_cover_net
from mien.morphable.facecrop import FaceCrop, cut_crop
from mien.morphable.fit import FaceFit
from mien.morphable.landmarks import FACE_OVAL, landmark_model
from mien.morphable.model import MorphableModel
from mien.morphable.partsnet import PartsNet
from mien.morphable.raster import RayScene
from mien.morphable.worn import FaceCover

HELD: Final = 0.8
"""Least probability of anything being there."""
LEAST_SHARE: Final = 0.012
"""Share of the face that one thing must hide at least."""
SURE: Final = 0.73
"""Least probability of its pixels over the face, on average."""
SURE_ALL: Final = 0.75
"""The same of all its pixels. How many hands and how many bare faces pass both: docs/covers.md."""
EDGE: Final = 0.012
"""Width of the soft edge of what was found, in sides of the square: a guided filter's radius."""
FADE: Final = 0.06
"""Width of the rim of the square in which what goes on beyond it fades, in sides."""
STEP: Final = 0.008
"""Distance between the sheet's vertices, in sides of the square."""
BEFORE: Final = 0.006
"""How far the sheet lies before the face, EG3D units (3 mm)."""
LEVEL: Final = (0.03, 0.05)
"""The sheet is as near as the nearest point within the first, and smooth over the second, in sides."""
LEAST_MASK: Final = 6
"""Of 255: less is nothing."""


@dataclass(frozen=True, eq=False)
class SeenCover:
    """What the network says of a photo."""

    crop: FaceCrop
    probability: Float32[np.ndarray, "rows columns"]
    """On the square."""
    held: float
    """Probability of there being anything, in [0, 1]."""


def look_for_cover(
    rgb: UInt8[np.ndarray, "height width 3"],
    points: Float[Tensor, "478 3"],
    model: MorphableModel,
    network: PartsNet,
) -> SeenCover:
    """Mean answer to the square around a face and its mirror image; points as `crop_for` wants them."""
    crop = cover_crop(points, landmark_model(model))
    square = cut_crop(rgb, crop, COVER_PX)[0]
    with torch.no_grad():
        answer = network(torch.stack([square, square.flip(2)]))
    parts = answer.parts.softmax(1)[:, COVER]
    mean = (parts[0] + parts[1].flip(1)) / 2
    return SeenCover(crop, mean.numpy(), float(torch.sigmoid(answer.worn).mean()))


def cover_mask(
    rgb: UInt8[np.ndarray, "height width 3"], points: Float[Tensor, "478 3"], model: MorphableModel,
    network: PartsNet | None = None,
) -> UInt8[np.ndarray, "height width"] | None:  # fmt: skip
    """Share of each pixel that hands or things before the face take; None if none are seen for certain.

    The bundled network unless another is given. Deterministic.
    """
    network = network or load_cover_net()
    if network is None:
        return None
    seen = look_for_cover(rgb, points, model, network)
    kept = sure_things(seen, points)
    return None if kept is None else in_photo(rgb, seen.probability * kept, seen.crop)


def sure_things(seen: SeenCover, points: Float[Tensor, "478 3"]) -> Bool[np.ndarray, "rows columns"] | None:
    """Where on the square things surely hide enough of the face, with a margin; None if none do."""
    if seen.held < HELD:
        return None
    oval = ((seen.crop.from_photo(points[None, :, :2])[0] + 0.5) * COVER_PX).numpy()[list(FACE_OVAL)]
    inside = polygon_mask(seen.probability.shape, oval)
    count, labels = cv2.connectedComponents((seen.probability > 0.5).astype(np.uint8))
    over = np.bincount(labels[inside], minlength=count)
    weight = np.bincount(labels[inside], seen.probability[inside], minlength=count)
    area = np.bincount(labels.ravel(), minlength=count)
    total = np.bincount(labels.ravel(), seen.probability.ravel(), minlength=count)
    kept = (over > LEAST_SHARE * inside.sum()) & (weight > SURE * over) & (total > SURE_ALL * area)
    kept[0] = False
    if not kept.any():
        return None
    return np.asarray(cv2.dilate(kept[labels].astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)


def in_photo(
    rgb: UInt8[np.ndarray, "height width 3"], share: Float32[np.ndarray, "rows columns"], crop: FaceCrop
) -> UInt8[np.ndarray, "height width"]:
    """What was found on the square as pixels of the photo, along the photo's own edges (He et al. 2013)."""
    height, width = rgb.shape[:2]
    y, x = np.mgrid[:height, :width] + 0.5
    pixels = torch.from_numpy(np.stack([x.ravel(), y.ravel()], 1))
    at = crop.from_photo(pixels[None])[0].numpy().reshape(height, width, 2)
    places = ((at + 0.5) * COVER_PX - 0.5).astype(np.float32)
    found = cv2.remap(
        share.astype(np.float32), places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderValue=0.0
    )
    side = float(crop.side_px[0])
    guide = rgb.astype(np.float32) / 255
    found = cv2.ximgproc.guidedFilter(guide, found, max(round(EDGE * side), 1), 1e-3)
    rim = np.clip((0.5 - np.abs(at).max(2)) / FADE, 0, 1)
    sharp = np.clip((found - 0.25) * 2, 0, 1) * rim
    return (sharp * 255 + 0.5).astype(np.uint8)


def uncovered(
    rgb: UInt8[np.ndarray, "height width 3"], alpha: Float32[np.ndarray, "height width"],
    mask: UInt8[np.ndarray, "height width"],
) -> tuple[UInt8[np.ndarray, "height width 3"], Float32[np.ndarray, "height width"]]:  # fmt: skip
    """Photo and matte with what is around carried into what is hidden (Telea 2004): enough to tell skin
    from hair and the person from the background."""
    hole = cv2.dilate((mask > LEAST_MASK).astype(np.uint8), np.ones((3, 3), np.uint8))
    matte = cv2.inpaint((alpha * 255 + 0.5).astype(np.uint8), hole, 3, cv2.INPAINT_TELEA)
    photo = cv2.inpaint(rgb, hole, 3, cv2.INPAINT_TELEA)
    kept = np.where(hole > 0, matte.astype(np.float32) / 255, alpha)
    return np.asarray(photo), kept.astype(np.float32)


def make_cover(
    mask: UInt8[np.ndarray, "height width"],
    points: Float[Tensor, "478 3"],
    fit: FaceFit,
    model: MorphableModel,
) -> FaceCover:
    """The sheet: a grid of the photo's pixels, each as far away as the face near it, a little before it."""
    height, width = mask.shape
    side = float(cover_crop(points, landmark_model(model)).side_px[0])
    step = max(STEP * side, 1.0)
    rows, columns = max(round(height / step), 2), max(round(width / step), 2)
    camera = fit.photo_camera(width, height)
    rays = camera.rays(rows, columns)
    origins, directions = rays.origins.reshape(-1, 3).numpy(), rays.directions.reshape(-1, 3).numpy()
    hits = RayScene(fit.vertices(model).numpy(), model.faces_np).cast(origins, directions)
    depth = np.where(hits.hit, hits.depth, np.inf).reshape(rows, columns)
    depth = level(depth, LEVEL[0] * side / step, LEVEL[1] * side / step) - BEFORE
    sheet = origins + directions * depth.reshape(-1, 1)
    small = cv2.resize((mask > LEAST_MASK).astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    wanted = cv2.dilate((small > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    i, j = np.nonzero(wanted[:-1, :-1] & wanted[1:, :-1] & wanted[:-1, 1:] & wanted[1:, 1:])
    first = i * columns + j
    faces = np.concatenate(
        [np.stack([first, first + columns, first + 1], 1),
         np.stack([first + 1, first + columns, first + columns + 1], 1)]
    )  # fmt: skip
    used, corners = np.unique(faces, return_inverse=True)
    uv = np.stack([(used % columns + 0.5) / columns, (used // columns + 0.5) / rows], 1)
    return FaceCover(
        torch.from_numpy(sheet[used].astype(np.float32)), torch.from_numpy(corners.reshape(-1, 3)),
        torch.from_numpy(uv.astype(np.float32)), torch.from_numpy(mask),
    )  # fmt: skip


def level(depth: np.ndarray, reach: float, smooth: float) -> np.ndarray:
    """Depths [H, W] (inf where there is nothing) of a smooth sheet before all that is near."""
    size = 2 * max(round(reach), 1) + 1
    known = np.isfinite(depth)
    nearest = cv2.erode(
        np.where(known, depth, 1e3).astype(np.float32),
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)),
    )
    there = nearest < 1e2
    sigma = max(smooth, 0.5)
    value, weight = np.where(there, nearest, 0.0).astype(np.float32), there.astype(np.float32)
    out, total = np.zeros_like(value), np.zeros_like(value)
    for scale, share in ((1.0, 1.0), (4.0, 1e-3), (16.0, 1e-6)):
        total += share * cv2.GaussianBlur(weight, (0, 0), scale * sigma)
        out += share * cv2.GaussianBlur(value, (0, 0), scale * sigma)
    usual = float(np.median(nearest[there])) if there.any() else 1.0
    return np.asarray((out + 1e-9 * usual) / (total + 1e-9))
