"""Ears that stand off as far, as high and as large as a photo shows them.

No landmark of a face tells where its ears are, so a fitted head has average ones. What a photo shows of ears
beyond those would count as hair, and be missing or torn once the head turns. Skin that is seen beside the
head at the height of the ears is theirs: they are turned about their roots, scaled and shifted until they
cover it.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

from mien.core.camera import Camera
from mien.inversion.evidence import HISTOGRAM_BINS, PhotoEvidence, log_likelihood, touching
from mien.morphable.fit import FaceFit
from mien.morphable.landmarks import BROW_LEFT, BROW_RIGHT
from mien.morphable.model import MorphableModel
from mien.morphable.regions import on_face, region_faces

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SIDES: Final = (1, -1)
"""Sign of x of the left and the right ear."""
RINGS: Final = 3
"""Rings of vertices around an ear that follow it partly."""
WHOLLY: Final = 0.9
"""How far the corners of a triangle follow an ear that count as part of it."""
SWEEPS: Final = 40
WINDOW: Final = (0.5, 0.4, 0.9)
"""How far above, below and outwards of a fitted ear the photo is looked at, in its heights."""
THIN: Final = 0.05
"""Half width of rims beside a head that are no ear, in heights of an ear."""
LEAST_SEEN: Final = 0.05
"""Skin beside the head, in squares of an ear's height, from which on it is an ear."""
LEAST_COVER: Final = 0.5
"""Intersection over union with that skin of ears that are taken."""
LEAST_GAIN: Final = 0.05
SHADES: Final = (0.5, 0.65, 0.8, 1.0, 1.1)
REDNESS: Final = (0, 7, 14)
"""Lightness of ears over the face's, and how much higher their a* of CIELAB may be, in bytes."""
MOST_SAMPLES: Final = 4000
LEAST_HAIR: Final = 0.02
"""Pixels of hair per pixel of the face below which there is none."""
BORDER: Final = 0.5
"""Of a matte beyond the picture: it tells nothing."""
TALL: Final = 64
"""Height of a fitted ear in the window that is searched, pixels."""
REACH: Final = 0.15
"""How far from a fitted ear what is seen of it begins at most, in its heights."""
MOST_BARE: Final = 0.15
"""Share of an ear before the background from which on it would be seen."""
SHOWN: Final = (0.4, 0.6)
"""Matte below which a pixel shows no ear, and from which on its colour counts."""
STEPS: Final = np.array([np.radians(12.0), 0.12, 0.012, 0.012])
"""First steps of the search: turn, logarithm of the size, shifts up and to the front in EG3D units."""
HALVINGS: Final = 5
LOWEST: Final = np.array([np.radians(-15.0), np.log(0.8), -0.03, -0.03])
HIGHEST: Final = np.array([np.radians(60.0), np.log(1.5), 0.03, 0.03])
SPREAD: Final = np.array([np.radians(30.0), 0.3, 0.03, 0.005])
"""Standard deviations of ears, with which the search is drawn to the average ear's; how far to the front
they are hardly shows."""
AVERAGE: Final = np.zeros(4)
DOUBT: Final = 0.02
"""Intersection over union that is worth a standard deviation."""


@dataclass(frozen=True, eq=False)
class _Ear:
    """One ear of the head model."""

    weight: Float[np.ndarray, " vertex"]
    """How far each vertex follows it."""
    faces: NDArray[np.integer]
    """[F, 3] its triangles."""


def with_seen_ears(fit: FaceFit, evidence: PhotoEvidence, model: MorphableModel) -> FaceFit:
    """The fit with ears as the photo shows them, as part of its `torso`. An ear that is not seen is like the
    other one; both stay average where none is."""
    skin = (model.vertices(fit.identity, fit.expression) + fit.torso).double().numpy()
    seen, ears = skin_beside(evidence, fit), ears_of(model)
    searches = [_Search(ear, side, skin, seen, model) for ear, side in zip(ears, SIDES, strict=True)]
    found = [search.found() for search in searches]
    moved = np.zeros_like(skin)
    for search, own, other in zip(searches, found, found[::-1], strict=True):
        shape = own if own is not None else other
        if shape is not None and (own is not None or search.hides(shape)):
            moved += search.displacement(shape)
    return replace(fit, torso=fit.torso + torch.from_numpy(moved).float()) if moved.any() else fit


class _Search:
    """Looks for the shape [4] of an ear, see `STEPS`, in a window of the photo around it."""

    def __init__(self, ear: _Ear, side: int, skin: Array, seen: "SkinBeside", model: MorphableModel) -> None:
        self.side, self.weight = side, ear.weight
        self.skin, self.seen = skin, seen
        self.own, self.faces = np.unique(ear.faces, return_inverse=True)
        self.faces = self.faces.reshape(ear.faces.shape)
        at = skin[self.own]
        front = at[at[:, 2] >= np.quantile(at[:, 2], 0.9)]
        self.root = np.array([np.abs(front[:, 0]).min(), at[:, 1].mean(), front[:, 2].mean()])
        px = seen.project(at)
        outwards = float(np.sign(px[:, 0].mean() - seen.project(skin)[:, 0].mean()))
        height = float(np.ptp(px[:, 1]))
        self.scale = TALL / max(height, 1.0)
        above, below, out = WINDOW
        middle = px[:, 0].mean()
        x = sorted((middle - outwards * height / 2, middle + outwards * out * height))
        y = (px[:, 1].min() - above * height, px[:, 1].max() + below * height)
        self.corner = np.array([x[0], y[0]])
        self.size = (round((y[1] - y[0]) * self.scale), round((x[1] - x[0]) * self.scale))
        body = self._drawn(seen.project(skin), model.faces_np[_besides(model)])
        alpha, likely = self._window(seen.alpha), self._window(seen.skin)
        shown = (alpha > SHOWN[1]) & (likely > 0.5) & ~body
        around = cv2.dilate(self._drawn(px, self.faces).astype(np.uint8), _ball(REACH)) > 0
        opened = cv2.morphologyEx(shown.astype(np.uint8), cv2.MORPH_OPEN, _ball(THIN)) > 0
        self.shown = touching(opened, around & opened)
        self.counts = ~body & (self.shown | (alpha < SHOWN[0]))

    def found(self) -> Array | None:
        """The shape; None where no ear is seen, or none that looks like one."""
        if self.shown.sum() < LEAST_SEEN * TALL**2:
            return None
        best, first = AVERAGE, self.covered(AVERAGE)
        value, step = first, STEPS.copy()
        for _ in range(HALVINGS):
            is_better = True
            while is_better:
                is_better = False
                for k, sign in product(range(len(STEPS)), (1, -1)):
                    tried = best.copy()
                    tried[k] = np.clip(tried[k] + sign * step[k], LOWEST[k], HIGHEST[k])
                    other = self.covered(tried)
                    if other > value + 1e-6:
                        best, value, is_better = tried, other, True
            step /= 2
        if max(first, value) < LEAST_COVER:
            return None
        return best if value >= first + LEAST_GAIN else AVERAGE

    def covered(self, shape: Array) -> float:
        """Intersection over union of an ear with what is seen of it, less what makes it unusual."""
        drawn = self._drawn_as(shape)
        both, either = drawn & self.shown, (drawn & self.counts) | self.shown
        return float(both.sum() / max(either.sum(), 1) - DOUBT * ((shape / SPREAD) ** 2).sum() / 2)

    def hides(self, shape: Array) -> bool:
        """Whether an ear of this shape may be there unseen: behind hair, or the head."""
        drawn = self._drawn_as(shape)
        return bool((drawn & self.counts & ~self.shown).sum() <= MOST_BARE * drawn.sum())

    def displacement(self, shape: Array, vertices: NDArray[np.integer] | slice = slice(None)) -> Array:
        """Of some of the head's vertices, [N, 3]."""
        turn, size, up, forward = shape
        skin = self.skin[vertices]
        out, height, depth = (skin * [self.side, 1, 1] - self.root).T * np.exp(size)
        outwards = out * np.cos(turn) - depth * np.sin(turn)
        inwards = depth * np.cos(turn) + out * np.sin(turn)
        moved = np.stack([outwards, height + up, inwards + forward], 1) + self.root
        return np.asarray(self.weight[vertices, None] * (moved * [self.side, 1, 1] - skin))

    def _window(self, layer: NDArray[np.float32]) -> NDArray[np.float32]:
        to_window = np.array([[self.scale, 0, 0], [0, self.scale, 0]])
        to_window[:, 2] = -self.scale * self.corner
        return np.asarray(
            cv2.warpAffine(layer, to_window, self.size[::-1], flags=cv2.INTER_LINEAR, borderValue=BORDER),
            np.float32,
        )

    def _drawn_as(self, shape: Array) -> Mask:
        moved = self.skin[self.own] + self.displacement(shape, self.own)
        return self._drawn(self.seen.project(moved), self.faces)

    def _drawn(self, px: Array, faces: NDArray[np.integer]) -> Mask:
        """The pixels of the window that triangles cover."""
        corners = np.round(((px[faces] - self.corner) * self.scale - 0.5) * 16).astype(np.int32)
        near = ((corners.max(1) >= 0) & (corners.min(1) <= 16 * np.array(self.size[::-1]))).all(1)
        image = np.zeros(self.size, np.uint8)
        for triangle in corners[near]:
            cv2.fillConvexPoly(image, triangle, 1, shift=4)
        return image > 0


@dataclass(frozen=True, eq=False)
class SkinBeside:
    """Where the region of interest shows skin, whatever the head model says."""

    camera: Camera
    alpha: NDArray[np.float32]
    """[H, W]"""
    skin: NDArray[np.float32]
    """[H, W] 1 where a colour is more like the face's than like the hair's or any."""

    def project(self, vertices: Array) -> Array:
        """Pixels [N, 2] of points [N, 3] in the head frame."""
        h, w = self.alpha.shape
        T, K = (matrix.double().numpy() for matrix in (self.camera.T_world_camera, self.camera.intrinsics))
        rays = (vertices - T[:3, 3]) @ T[:3, :3] @ K.T
        return np.asarray(rays[:, :2] / rays[:, 2:] * [w, h])


def skin_beside(evidence: PhotoEvidence, fit: FaceFit) -> SkinBeside:
    """By histograms of colours: the face's, which ears may exceed in shade and redness, and the hair's above
    the brows."""
    h, w = evidence.shape
    lab = cv2.cvtColor(evidence.rgb.view(h, w, 3).numpy(), cv2.COLOR_RGB2LAB)
    lab = cv2.GaussianBlur(lab * [255 / 100, 1, 1] + [0, 128, 128], (0, 0), 1.0).reshape(-1, 3)
    planes, alpha = evidence.body_planes, evidence.alpha
    face = (evidence.hair < 0.1) & (evidence.colour_weight > 0.3)
    bare = torch.nonzero(face)[:, 0]
    face[bare] = on_face(planes[bare, :2])
    brow = float(fit.landmarks_px[[*BROW_LEFT, *BROW_RIGHT], 1].median()) - evidence.box_px[1]
    hair = (evidence.hair > 0.5) & (alpha > 0.9) & (torch.arange(h * w) < brow * w)
    samples = lab[face.numpy()][:: max(1, int(face.sum()) // MOST_SAMPLES)]
    if not len(samples):
        return SkinBeside(evidence.camera, alpha.view(h, w).numpy(), np.zeros((h, w), np.float32))
    ears = np.concatenate([samples * [shade, 1, 1] + [0, red, 0] for shade, red in product(SHADES, REDNESS)])
    colours = np.concatenate([lab, ears.clip(0, 255)])[None]
    known = np.zeros((1, len(colours[0])), bool)
    known[0, len(lab) :] = True
    likely = log_likelihood(colours, known)[0, : len(lab)]
    other = np.full(len(lab), -np.log(HISTOGRAM_BINS**3), np.float32)
    if int(hair.sum()) >= LEAST_HAIR * int(face.sum()):
        other = np.maximum(other, log_likelihood(lab[None], hair.numpy()[None])[0])
    skin = (likely > other).astype(np.float32).reshape(h, w)
    return SkinBeside(evidence.camera, alpha.view(h, w).numpy(), skin)


def _ball(share: float) -> NDArray[np.uint8]:
    radius = max(1, round(share * TALL))
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2), np.uint8)


@lru_cache(maxsize=2)
def ears_of(model: MorphableModel) -> tuple[_Ear, _Ear]:
    """The left and the right ear: the largest piece that stands out of each side, and what it encloses."""
    faces = model.faces_np[region_faces(model)["ears"].numpy()]
    count = len(model.mean)
    _, piece = connected_components(_graph(faces, count), directed=False)
    x = model.mean[:, 0].numpy()
    ears = []
    for side in SIDES:
        own = np.unique(faces[(side * x[faces] > 0).all(1)])
        core = own[piece[own] == np.bincount(piece[own]).argmax()]
        weight = _following(model, core)
        body = model.faces_np[model.part_faces("body").numpy()]
        ears.append(_Ear(weight, body[(weight[body] > WHOLLY).all(1)]))
    return ears[0], ears[1]


def _following(model: MorphableModel, core: NDArray[np.integer]) -> Array:
    """1 on the core, falling to 0 over `RINGS` rings around it, and smooth within what it encloses."""
    body = model.faces_np[model.part_faces("body").numpy()]
    graph = _graph(body, len(model.mean))
    near = np.zeros(len(model.mean), bool)
    near[core] = True
    free = near.copy()
    for _ in range(RINGS):
        free |= (graph @ free.astype(float)) > 0
    free &= ~near
    weight = near.astype(np.float64)
    degree = np.asarray(graph.sum(1)).ravel()
    for _ in range(SWEEPS):
        mean = (graph @ weight) / np.maximum(degree, 1)
        weight[free] = mean[free]
    return weight


def _graph(faces: NDArray[np.integer], count: int) -> csr_matrix:
    rows, columns = faces.ravel(), np.roll(faces, 1, axis=1).ravel()
    both = coo_matrix((np.ones(2 * len(rows)), (np.r_[rows, columns], np.r_[columns, rows])), (count, count))
    return csr_matrix((both.tocsr() > 0).astype(float))


@lru_cache(maxsize=2)
def _besides(model: MorphableModel) -> NDArray[np.integer]:
    """Indices of all triangles that are of no ear."""
    ears = {tuple(face) for ear in ears_of(model) for face in ear.faces.tolist()}
    return np.array([k for k, face in enumerate(model.faces_np.tolist()) if tuple(face) not in ears])
