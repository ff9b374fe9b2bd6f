"""What one photo says about a head: per pixel its ray, colour, body point, and whether it shows hair.

Hair is told from skin and clothes by colour: hair is learnt from the person's pixels that no part of the
fitted head explains (above the chin), skin from the face below the brows.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter
from torch import Tensor

from mien.core.camera import Camera
from mien.inversion.rims import outline_distance, rim_weight
from mien.morphable.fit import FaceFit
from mien.morphable.landmarks import (
    BROW_LEFT,
    BROW_RIGHT,
    EYELIDS_LEFT,
    EYELIDS_RIGHT,
    FACE_OVAL,
    LIPS_INNER,
    LIPS_OUTER,
)
from mien.morphable.lids import folded_at
from mien.morphable.model import CHIN_LANDMARK, PARTS, MorphableModel
from mien.morphable.raster import MISS_DEPTH, RayScene, interpolate, interpolate_corners, vertex_normals
from mien.tracking.colors import foreground_colors

ROI_MARGIN: Final = 0.22  # of the crop's side, on each side
FRONT_U: Final = 0.42  # throat and chest within about 50 degrees of the front are not taken for hair
HISTOGRAM_BINS: Final = 40
LEAST_TOOTH: Final = 0.6
"""Lightness of teeth over that of the face, at least."""
MOST_RED_TOOTH: Final = 0.85
"""Redness of teeth over that of the face, at most: what is redder are lips or gums."""
LEAST_RED_LIP: Final = 0.7
"""Redness of lips over that of the face, at least: what is paler and light are teeth beside the fitted lips.
On 14 photos 5 % of the lips' pixels at most are less red."""
LIGHT_TOOTH: Final = 0.8
"""Lightness over the face's from which on such pixels are taken for teeth."""
MOUTH_BLUR: Final = 0.02
"""How far teeth are smeared over lips, as a share of the mouth's width; a pixel at least."""
INSIDE_ALPHA: Final = 0.9
OUTLINE_STEP: Final = 0.02  # EG3D units between neighbouring pixels
RIM_WIDTH: Final = 0.016  # of the crop's side
RIM_WEIGHT: Final = 0.02
LEAST_ALIKE: Final = 0.1
"""Share of the hair's pixels above the chin whose colours are rarer than those that it may have below."""
THIN: Final = 0.008
"""Half width of a line that connects nothing, in sides of the region."""
GLASSES_SHARE: Final = 12
"""Of 255: pixels that glasses hide by more are not looked at."""
MIN_HAIR_SHARE: Final = 0.02  # of the face's area; less is no hair


@dataclass(frozen=True, eq=False)
class PhotoEvidence:
    """N pixels of the region of interest, row major over H x W."""

    box_px: tuple[int, int, int, int]
    """x0, y0, x1, y1 of the region in the photo."""
    camera: Camera
    """Of the region of interest."""
    origins: Float[Tensor, "pixel 3"]
    directions: Float[Tensor, "pixel 3"]
    rgb: Float[Tensor, "pixel 3"]
    """Foreground colours in [0, 1], not premultiplied."""
    alpha: Float[Tensor, " pixel"]
    body_hit: Tensor  # bool [pixel]
    body_depth: Float[Tensor, " pixel"]
    body_planes: Float[Tensor, "pixel 3"]
    facing: Float[Tensor, " pixel"]
    """Cosine between the body's normal and the view."""
    folded: Float[Tensor, " pixel"]
    """How far the skin under the pixel is folded away, see `folded_lids`; its colour is not trusted."""
    hair: Float[Tensor, " pixel"]
    """Share of hair (or of anything worn on the head or shoulders) in the pixel."""
    worn: Float[Tensor, " pixel"]
    """1 where that is below the chin and not of the hair's colours: clothes that stand off the body."""
    locks: Float[Tensor, " pixel"]
    """1 where what counts as hair has the hair's colours: no ear beyond the fitted one, no clothes."""
    colour_weight: Float[Tensor, " pixel"]
    """How far the pixel's colour may be trusted for the body point under it, if no hair is in front."""
    interior: Float[Tensor, " pixel"]
    """1 inside of what is seen; `RIM_WEIGHT` next to an outline, where a pixel may show what is behind it."""

    @property
    def shape(self) -> tuple[int, int]:
        """H, W."""
        x0, y0, x1, y1 = self.box_px
        return y1 - y0, x1 - x0


def near_person(evidence: PhotoEvidence, reach: float, *, least_alpha: float = 0.5) -> Tensor:
    """Bool [pixel]: the person, and what lies around within `reach` of the region's larger side."""
    h, w = evidence.shape
    size = 2 * int(reach * max(h, w)) + 1
    image = (evidence.alpha > least_alpha).view(h, w).numpy().astype(np.uint8)
    return torch.from_numpy(cv2.dilate(image, np.ones((size, size), np.uint8))).view(-1) > 0


def region_of_interest(fit: FaceFit, width_px: int, height_px: int) -> tuple[int, int, int, int]:
    """The crop with a margin, clipped to the photo."""
    (x, y), side = fit.crop.corner_px, fit.crop.side_px
    m = ROI_MARGIN * side
    return (
        max(int(x - m), 0), max(int(y - m), 0),
        min(int(np.ceil(x + side + m)), width_px), min(int(np.ceil(y + side + m)), height_px),
    )  # fmt: skip


def region_camera(camera: Camera, size: tuple[int, int], box: tuple[int, int, int, int]) -> Camera:
    """The camera of a box of an image of size (width, height)."""
    K = camera.intrinsics.clone()
    for axis, (low, high) in enumerate(((box[0], box[2]), (box[1], box[3]))):
        K[axis, axis] = K[axis, axis] * size[axis] / (high - low)
        K[axis, 2] = (K[axis, 2] * size[axis] - low) / (high - low)
    return Camera(camera.T_world_camera, K)


def gather_evidence(
    rgb: np.ndarray, alpha: np.ndarray, fit: FaceFit, model: MorphableModel,
    glasses: np.ndarray | None = None,
) -> PhotoEvidence:  # fmt: skip
    """Look at a photo (uint8 [H, W, 3], alpha float32 [H, W]) through the fitted head.

    What `glasses` hide (uint8 [H, W], share of each pixel) says nothing of the head.
    """
    height, width = rgb.shape[:2]
    if glasses is not None:
        rgb = without_glasses(rgb, glasses)
    box = region_of_interest(fit, width, height)
    x0, y0, x1, y1 = box
    camera = region_camera(fit.photo_camera(width, height), (width, height), box)
    crop_alpha = alpha[y0:y1, x0:x1]
    colours = foreground_colors(rgb[y0:y1, x0:x1], crop_alpha)
    rays = camera.rays(y1 - y0, x1 - x0)
    origins, directions = rays.origins.reshape(-1, 3), rays.directions.reshape(-1, 3)
    vertices = fit.vertices(model).numpy()
    hits = RayScene(vertices, model.faces_np).cast(origins.numpy(), directions.numpy())
    normal = interpolate(vertex_normals(vertices, model.faces_np), model.faces_np, hits)
    facing = np.abs((normal * directions.numpy()).sum(1)) * hits.hit
    part = np.where(hits.hit, model.part_of_face.numpy()[np.maximum(hits.face, 0)], -1).reshape(
        y1 - y0, x1 - x0
    )
    landmarks = fit.landmarks_px.numpy() - np.array([x0, y0])
    planes = interpolate_corners(model.canonical_corners.numpy(), hits).astype(np.float32)
    front = (np.abs(planes[:, 0]) < FRONT_U).reshape(part.shape) & (part >= 0)
    hair = hair_share(colours, crop_alpha, part, front, landmarks)
    worn = worn_below(colours, crop_alpha, part, hair, landmarks)
    locks = hair_coloured(colours, crop_alpha, part, hair, landmarks)
    trust = _colour_trust(part, landmarks, crop_alpha, colours)
    interior = interior_weight(crop_alpha, hits.depth.reshape(part.shape), fit.crop.side_px)
    interior = interior * rim_weight(
        colours.astype(np.float32),
        outline_distance(crop_alpha),
        (hair > 0.5, (hair <= 0.5) & (part >= 0)),
        fit.crop.side_px,
    )
    if glasses is not None:
        trust = trust * (1 - glasses[y0:y1, x0:x1].astype(np.float32) / 255)
    folded = folded_at(model, fit.identity, fit.expression, hits)
    trust = trust * (1 - folded.reshape(part.shape))
    flat = torch.from_numpy
    return PhotoEvidence(
        box_px=box, camera=camera, origins=origins, directions=directions,
        rgb=flat(colours.reshape(-1, 3).astype(np.float32) / 255),
        alpha=flat(crop_alpha.reshape(-1).astype(np.float32)),
        body_hit=flat(hits.hit), body_depth=flat(hits.depth),
        body_planes=flat(planes),
        facing=flat(facing.astype(np.float32)), folded=flat(folded), hair=flat(hair.reshape(-1)),
        worn=flat(worn.reshape(-1)), locks=flat(locks.reshape(-1)),
        colour_weight=flat((trust.reshape(-1) * facing * interior.reshape(-1)).astype(np.float32)),
        interior=flat(interior.reshape(-1)),
    )  # fmt: skip


def without_glasses(rgb: np.ndarray, glasses: np.ndarray) -> np.ndarray:
    """A photo uint8 [H, W, 3] in whose glasses (uint8 [H, W]) the colours around them are carried (Telea
    2004): enough to tell skin from hair."""
    return np.asarray(cv2.inpaint(rgb, (glasses > GLASSES_SHARE).astype(np.uint8), 3, cv2.INPAINT_TELEA))


def interior_weight(alpha: np.ndarray, depth: np.ndarray, side_px: float) -> np.ndarray:
    """Weight float32 [H, W] that falls towards the person's outline and the body's own (steps of depth).

    There the matte mixes in the background, and a fit that is a little off takes one surface for another.
    """
    step = np.maximum(np.abs(np.gradient(depth, axis=0)), np.abs(np.gradient(depth, axis=1)))
    outline = (step > OUTLINE_STEP) & (depth < MISS_DEPTH / 2) | (alpha < INSIDE_ALPHA)
    away = cv2.distanceTransform((~outline).astype(np.uint8), cv2.DIST_L2, 5)
    inside = np.clip(away / max(RIM_WIDTH * side_px, 1.0), 0, 1)
    return (RIM_WEIGHT + (1 - RIM_WEIGHT) * inside**2).astype(np.float32)


def polygon_mask(shape: tuple[int, int], points: np.ndarray) -> np.ndarray:
    """Bool [H, W] inside a polygon (pixels)."""
    image = np.zeros(shape, np.uint8)
    cv2.fillPoly(image, [np.round(points * 16).astype(np.int32)], 1, shift=4)
    return image.astype(bool)


def hair_share(
    rgb: np.ndarray, alpha: np.ndarray, part: np.ndarray, front: np.ndarray, landmarks: np.ndarray
) -> np.ndarray:
    """Share of hair per pixel float32 [H, W], see the module."""
    shape = part.shape
    rows = np.arange(shape[0])[:, None]
    person = alpha > 0.6
    oval = polygon_mask(shape, landmarks[list(FACE_OVAL)])
    brow_row = np.median(landmarks[[*BROW_LEFT, *BROW_RIGHT], 1])
    chin_row = landmarks[CHIN_LANDMARK, 1]
    face = oval & (rows > brow_row)
    unexplained = person & (part < 0)
    outside = unexplained & (rows < chin_row)
    if outside.sum() < MIN_HAIR_SHARE * max(oval.sum(), 1):
        return (np.where(unexplained, alpha, 0)).astype(np.float32)
    lab: np.ndarray = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab = cv2.GaussianBlur(lab, (0, 0), 0.8)
    hair_like = log_likelihood(lab, outside)
    skin_like = log_likelihood(lab, face)
    ratio = cv2.GaussianBlur(
        np.clip(hair_like - skin_like, -8, 8), (0, 0), max(1.0, np.sqrt(oval.sum()) / 90)
    )
    below = rows > chin_row + 0.1 * (chin_row - brow_row)
    bias = np.where(oval, -1.5, 0.5) + np.where(below, -2.0, 0.0)
    guess = (ratio + bias > 0) & person & ~face
    guess |= unexplained
    guess &= ~(face & (part >= 0))
    guess &= ~(front & (rows > chin_row - 0.15 * (chin_row - brow_row)))
    guess = _fill_small_holes(keep_connected(guess, outside), 0.05 * oval.sum())
    soft = cv2.GaussianBlur(guess.astype(np.float32), (0, 0), 1.0)
    return (soft * alpha).astype(np.float32)


def worn_below(
    rgb: np.ndarray, alpha: np.ndarray, part: np.ndarray, hair: np.ndarray, landmarks: np.ndarray
) -> np.ndarray:
    """Float32 [H, W], 1 where hair below the chin is none: not of its colours, or not hanging from above.

    The hair's colours are learnt above the chin.
    """
    below = np.arange(part.shape[0])[:, None] > landmarks[CHIN_LANDMARK, 1]
    shown = (hair > 0.5) & (alpha > 0.6)
    above = shown & ~below
    if above.sum() < MIN_HAIR_SHARE * max(polygon_mask(part.shape, landmarks[list(FACE_OVAL)]).sum(), 1):
        return (below & (hair > 0)).astype(np.float32)
    lab: np.ndarray = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), 1.5)
    likely = log_likelihood(lab, above)
    alike = (likely > np.quantile(likely[above], LEAST_ALIKE)) & shown
    grown = _hanging(alike | above, above, round(THIN * np.sqrt(part.size)))
    return (below & (hair > 0) & ~grown).astype(np.float32)


def _hanging(hair: np.ndarray, seed: np.ndarray, thin_px: int) -> np.ndarray:
    """What is connected with the seed by more than a thin line, such as the rim of a neck beside a collar."""
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * thin_px + 1,) * 2)
    thick = cv2.morphologyEx(hair.astype(np.uint8), cv2.MORPH_OPEN, ball).astype(bool)
    kept = keep_connected(thick, seed).astype(np.uint8)
    around = cv2.dilate(kept, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4 * thin_px + 1,) * 2))
    return keep_connected(hair, seed) & ((around > 0) | seed)


def hair_coloured(
    rgb: np.ndarray, alpha: np.ndarray, part: np.ndarray, hair: np.ndarray, landmarks: np.ndarray
) -> np.ndarray:
    """Float32 [H, W], 1 where a colour is more like the hair above the brows than like the face's skin.

    1 everywhere if there is hardly any hair above the brows.
    """
    rows = np.arange(part.shape[0])[:, None]
    oval = polygon_mask(part.shape, landmarks[list(FACE_OVAL)])
    brow_row = np.median(landmarks[[*BROW_LEFT, *BROW_RIGHT], 1])
    above = (hair > 0.5) & (alpha > 0.9) & (rows < brow_row)
    if above.sum() < MIN_HAIR_SHARE * max(oval.sum(), 1):
        return np.ones(part.shape, np.float32)
    lab: np.ndarray = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), 1.0)
    more = log_likelihood(lab, above) - log_likelihood(lab, oval & (rows > brow_row))
    return (above | (more > 0)).astype(np.float32)


def keep_connected(guess: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Only what touches the seed; small holes closed."""
    closed = cv2.morphologyEx(guess.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return touching(opened > 0, seed)


def ball_of(evidence: PhotoEvidence, share: float) -> np.ndarray:
    """A round kernel whose half width is a share of the region's larger side, and a pixel at least."""
    radius_px = max(round(share * max(evidence.shape)), 1)
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1,) * 2)


def touching(mask: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """The pieces of a mask (bool [H, W]) that hold something of the seed."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8))
    held = np.bincount(labels[seed], minlength=count) > 0
    held[0] = False
    return held[labels]


def _fill_small_holes(mask: np.ndarray, largest: float) -> np.ndarray:
    count, labels = cv2.connectedComponents((~mask).astype(np.uint8))
    small = np.bincount(labels.ravel(), minlength=count) < largest
    return mask | small[labels]


def log_likelihood(lab: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Log likelihood of every pixel's colour [H, W, 3] under the smoothed histogram of a mask's colours."""
    bins = np.minimum((lab / 256 * HISTOGRAM_BINS).astype(int), HISTOGRAM_BINS - 1)
    histogram = np.zeros((HISTOGRAM_BINS,) * 3)
    np.add.at(histogram, tuple(bins[mask].T), 1.0)
    histogram = gaussian_filter(histogram, (1.2, 0.8, 0.8))
    density = histogram / histogram.sum() + 1e-6
    return np.log(density)[tuple(bins.reshape(-1, 3).T)].reshape(mask.shape).astype(np.float32)


def _mean_of(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _colour_trust(part: np.ndarray, landmarks: np.ndarray, alpha: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """1 where the pixel can show the body point under it; 0 where mesh and landmarks disagree, where what is
    seen between the lips is too dark or too red for teeth, or where teeth are seen on the lips."""
    shape = part.shape
    mouth = polygon_mask(shape, landmarks[list(LIPS_INNER)])
    eyes = polygon_mask(shape, landmarks[list(EYELIDS_LEFT)]) | polygon_mask(
        shape, landmarks[list(EYELIDS_RIGHT)]
    )
    body = part == PARTS.index("body")
    eyeball = (part == PARTS.index("eye_left")) | (part == PARTS.index("eye_right"))
    teeth = (part == PARTS.index("teeth_upper")) | (part == PARTS.index("teeth_lower"))
    inside = part > PARTS.index(
        "eye_right"
    )  # tongue and cavity: the photo's teeth must not be painted on them
    face = body & polygon_mask(shape, landmarks[list(FACE_OVAL)]) & ~mouth & ~eyes
    light = rgb.mean(2)
    red = (rgb[..., 0].astype(np.float32) - rgb[..., 1]) / np.maximum(3 * light, 1)
    none = (light < LEAST_TOOTH * _mean_of(light[face])) | (red > MOST_RED_TOOTH * _mean_of(red[face]))
    wrong = (teeth & none) | (mouth & body) | (eyes & body) | (eyeball & ~eyes) | (inside & ~(teeth & mouth))
    lips = body & polygon_mask(shape, landmarks[list(LIPS_OUTER)])
    pale = (light > LIGHT_TOOTH * _mean_of(light[face])) & (red < LEAST_RED_LIP * _mean_of(red[face]))
    beside = ((mouth & body) | (lips & pale)).astype(np.uint8)
    blurred = 2 * max(1, round(MOUTH_BLUR * float(np.linalg.norm(landmarks[61] - landmarks[291])))) + 1
    wide = cv2.dilate(beside, np.ones((blurred, blurred), np.uint8)).astype(bool) & body
    trust = np.where(wrong | wide, 0.0, 1.0) * (part >= 0) * np.clip(alpha * 3 - 2, 0, 1)
    return trust.astype(np.float32)
