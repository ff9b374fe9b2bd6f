"""Fitting neck, shoulders and clothes to the person's outline in the photo.

Gauss-Newton over the factors of `mien.morphable.torso`: where the mesh's outline below the chin lies in the
matte, and the prior for the face. What the photo does not show, and the depth that no outline shows, is what
the prior expects with it.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from scipy.ndimage import distance_transform_edt, map_coordinates
from torch import Tensor

from mien.core.camera import FFHQ_FOCAL, ORBIT_RADIUS, Camera
from mien.morphable.fit import FaceFit
from mien.morphable.model import CHIN_LANDMARK, MorphableModel
from mien.morphable.raster import RayScene
from mien.morphable.torso import TorsoModel, load_torso_model

BLUR_PX: Final = 2.0
MARGIN_PX: Final = 4 * BLUR_PX
"""Beyond the chin, where the mesh is drawn too, so that its outline has a direction there."""


@dataclass(frozen=True)
class TorsoConfig:
    """How the outline is fitted."""

    side_px: float = 160.0
    """Side of the crop in the picture that the outline is taken from; smaller photos are not enlarged."""
    patience: tuple[float, ...] = (4.0, 2.0, 1.5, 1.0, 1.0, 1.0)
    """For each step, how much further than at last a point may be off (graduated non-convexity)."""
    outline_sd: float = 0.008
    """Error of the outline, EG3D units (4 mm)."""
    redundancy: float = 0.1
    """Length of outline that errs alike, EG3D units: it counts as one point."""
    covered: float = 0.02
    """Distance by which the person may reach beyond the mesh until the point counts half: hair does."""
    empty: float = 0.15
    """The same where the mesh reaches beyond the person."""
    farthest: float = 0.4
    """Points further off than this do not count, EG3D units."""


@dataclass(frozen=True, eq=False)
class Matte:
    """The person's matte, ready to be asked how far from its edge a point is. H x W pixels."""

    distance: Float32[np.ndarray, "height width"]
    """From the person's edge, positive outside, EG3D units at the head's distance."""
    slope: Float32[np.ndarray, "2 height width"]
    """Its change per pixel along columns and rows."""
    unit: float
    """EG3D units per pixel at the head's distance."""
    camera: Camera
    directions: Float32[np.ndarray, "height width 3"]
    """Unit rays of the pixels in the head frame."""
    below_chin_px: Float32[np.ndarray, "height width"]
    """How far below the chin the pixels are, along the line from the face's middle to the chin."""


@dataclass(frozen=True, eq=False)
class Rows:
    """What N points of the mesh's outline say about F factors."""

    distance: Float[Tensor, " point"]
    """From the person's edge, in expected errors."""
    slope: Float[Tensor, "point factor"]
    weight: Float[Tensor, " point"]


def fit_torso(
    fit: FaceFit,
    alpha: Float32[np.ndarray, "height width"],
    model: MorphableModel,
    *,
    torso: TorsoModel | None = None,
    config: TorsoConfig | None = None,
) -> FaceFit:
    """The fit with neck, shoulders and clothes; `alpha` is the person's matte. The face stays as it is."""
    config = config or TorsoConfig()
    torso = torso or load_torso_model(model)
    bare = model.vertices(fit.identity, fit.expression)
    expected = torso.expected(fit.identity)
    matte = make_matte(fit, alpha, config)
    moves = torso.factor_moves(len(bare))
    factors = torch.zeros(torso.spread.shape[1])
    for patience in config.patience:
        moved = torso.displacement(expected + torso.spread @ factors, len(bare))
        rows = outline_rows(bare + moved, moves, matte, model, config, patience)
        weighted = rows.slope.T * rows.weight
        H = weighted @ rows.slope + torch.eye(len(factors))
        factors = torch.linalg.solve(H, weighted @ (rows.slope @ factors - rows.distance))
    return replace(fit, torso=torso.displacement(expected + torso.spread @ factors, len(bare)))


def make_matte(fit: FaceFit, alpha: Float32[np.ndarray, "height width"], config: TorsoConfig) -> Matte:
    """Signed distances from the person's edge, at the size that the torso is fitted at."""
    full = np.array([alpha.shape[1], alpha.shape[0]])
    scale = min(1.0, config.side_px / fit.crop.side_px)
    width, height = (max(round(float(side) * scale), 8) for side in full)
    small = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)
    unit = ORBIT_RADIUS / (FFHQ_FOCAL * fit.crop.side_px * width / full[0])
    distance = signed_distance(small > 0.5, far_px=2 * config.farthest / unit) * np.float32(unit)
    smooth = cv2.GaussianBlur(distance, (0, 0), 1.0)
    slope = np.stack([np.gradient(smooth, axis=1), np.gradient(smooth, axis=0)])
    landmarks = fit.landmarks_px.numpy() * np.array([width, height]) / full
    chin = landmarks[CHIN_LANDMARK]
    down = (chin - landmarks.mean(0)) / max(float(np.linalg.norm(chin - landmarks.mean(0))), 1e-6)
    row, column = np.mgrid[:height, :width] + 0.5
    below = (column - chin[0]) * down[0] + (row - chin[1]) * down[1]
    camera = fit.photo_camera(int(full[0]), int(full[1]))
    directions = camera.rays(height, width).directions.numpy()
    return Matte(distance, slope, unit, camera, directions, below.astype(np.float32))


def signed_distance(
    mask: Bool[np.ndarray, "height width"], far_px: float
) -> Float32[np.ndarray, "height width"]:
    """Distance in pixels from the mask's edge, negative inside; a picture's border is no edge."""
    if mask.all() or not mask.any():
        return np.full(mask.shape, -far_px if mask.all() else far_px, np.float32)
    outside, inside = (distance_transform_edt(m) - 0.5 for m in (~mask, mask))
    return np.where(mask, -inside, outside).astype(np.float32)


def outline_rows(
    vertices: Float[Tensor, "vertex 3"],
    moves: Float[Tensor, "vertex factor 3"],
    matte: Matte,
    model: MorphableModel,
    config: TorsoConfig,
    patience: float = 1.0,
) -> Rows:
    """Where the mesh's outline below the chin lies in the matte; `patience` widens what counts."""
    shape = matte.distance.shape
    looked = matte.below_chin_px > -MARGIN_PX
    scene = RayScene(vertices.numpy(), model.faces_np)
    hits = scene.cast(matte.camera.position.numpy(), matte.directions[looked])
    ray = np.full(shape, -1)
    ray[looked] = np.where(hits.hit, np.arange(len(hits.face)), -1)
    outline, normals = mask_outline(ray >= 0)
    outline &= (matte.below_chin_px > 0) & (np.abs(matte.distance) < config.farthest)
    outline[outline] = ~open_vertices(model).numpy()[model.faces_np[hits.face[ray[outline]]]].any(1)
    row, column = np.nonzero(outline)
    seen = hits.of(ray[outline])
    corners = torch.from_numpy(model.faces_np[seen.face]).long()
    share = torch.from_numpy(seen.barycentric)
    normal = normals[:, row, column]
    at = np.stack([row, column]) + 0.5 * normal[::-1]  # the outline runs half a pixel beyond the last hit
    distance = torch.from_numpy(map_coordinates(matte.distance, at, order=1, mode="nearest"))
    slope = torch.from_numpy(matte.slope[:, row, column])
    unit = slope / slope.norm(dim=0).clamp(min=1e-9)
    aligned = (unit * torch.from_numpy(normal)).sum(0).clamp(0, 1)
    per_point = torch.einsum("nc,ncfx->nfx", share, moves[corners])
    point = torch.einsum("nc,ncx->nx", share, vertices[corners])
    change = torch.einsum("nx,nfx->nf", _along_camera(point, slope, matte.camera, shape), per_point)
    limit = torch.where(distance < 0, config.covered, config.empty)
    robust = 1 / (1 + (distance / (patience * limit)) ** 2) ** 2
    weight = robust * aligned**2 * (matte.unit / config.redundancy)
    return Rows(distance / config.outline_sd, change / config.outline_sd, weight)


def mask_outline(
    mask: Bool[np.ndarray, "height width"],
) -> tuple[Bool[np.ndarray, "height width"], Float32[np.ndarray, "2 height width"]]:
    """The mask's last pixels before its edge (the picture's border is none), and outward unit normals."""
    solid = mask.astype(np.uint8)
    inner = cv2.erode(solid, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), BLUR_PX, borderType=cv2.BORDER_REPLICATE)
    normal = -np.stack([np.gradient(soft, axis=1), np.gradient(soft, axis=0)])
    length = np.linalg.norm(normal, axis=0)
    return mask & (inner == 0) & (length > 1e-3), (normal / np.maximum(length, 1e-9)).astype(np.float32)


@lru_cache(maxsize=2)
def open_vertices(model: MorphableModel) -> Bool[Tensor, " vertex"]:
    """Vertices next to the hole where the mesh ends, below: its rim is nobody's outline."""
    faces = model.faces
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
    single, count = torch.unique(edges, dim=0, return_counts=True)
    rim = torch.zeros(len(model.mean), dtype=torch.bool)
    rim[single[count == 1].flatten()] = True
    rim &= model.mean[:, 1] < model.chin_y(model.mean)
    rim[faces[rim[faces].any(1)].flatten()] = True
    return rim


def _along_camera(
    point: Float[Tensor, "point 3"], slope: Float[Tensor, "2 point"], camera: Camera, shape: tuple[int, int]
) -> Float[Tensor, "point 3"]:
    """Change of the matte's distance with a point's place in the head frame, from that per pixel."""
    x, y, z = ((point - camera.position) @ camera.R_world_camera).unbind(-1)
    across = slope[0] * camera.intrinsics[0, 0] * shape[1] / z
    down = slope[1] * camera.intrinsics[1, 1] * shape[0] / z
    return torch.stack([across, down, -(across * x + down * y) / z], -1) @ camera.R_world_camera.T
