"""What paper mode needs of a photo, whichever generator its person lives in: pictures, matte, fitted mesh."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from mien.core.camera import Camera
from mien.core.errors import NoFaceError
from mien.inversion.avatar import Avatar
from mien.inversion.cover import cover_mask, uncovered
from mien.inversion.eg3d.avatar import Eg3dAvatar, Placement
from mien.inversion.evidence import gather_evidence, region_camera
from mien.morphable.facecrop import observed_points
from mien.morphable.fit import FaceFit
from mien.morphable.landmarks import FACE_OVAL
from mien.morphable.model import MorphableModel
from mien.tracking.faces import FaceObservation, find_faces

MARGIN = (0.3, 0.3, 0.3, 0.45)
"""What is looked at beyond the landmarks to the left, above, to the right and below, as a share of the face's
longer side: an open jaw and its surroundings."""
NEAREST_SHARE = 0.15
"""A face that the tracker sees farther than this from the fitted one (share of the crop) is another one."""


@dataclass(frozen=True, eq=False)
class PaperSource:
    """The part of a photo around its face and the mesh that lies over it. Pixels are those of the part."""

    rgb: UInt8[np.ndarray, "height width 3"]
    alpha: Float32[np.ndarray, "height width"]
    """Of the person."""
    hair: Float32[np.ndarray, "height width"]
    """Share of hair, or of what is worn."""
    landmarks_px: Float32[np.ndarray, "478 2"]
    """As the tracker sees them, where it sees the face; else the mesh's own."""
    camera: Camera
    """Of the part, in the frame of the head at rest."""
    fit: FaceFit
    model: MorphableModel
    box_px: tuple[int, int, int, int]
    """x0, y0, x1, y1 of the part in the working picture."""
    held: Float32[np.ndarray, "height width"] | None = None
    """Share of each pixel that hands or things before the face take; None if there are none."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.rgb.shape[0]), int(self.rgb.shape[1])

    @property
    def face_width_px(self) -> float:
        """Width of the face's outline."""
        return float(np.ptp(self.landmarks_px[list(FACE_OVAL), 0]))

    @cached_property
    def vertices(self) -> Float[Tensor, "vertex 3"]:
        """The mesh with the photo's expression."""
        return self.fit.vertices(self.model)

    def posed(self, expression: Float[Tensor, "52"]) -> Float[Tensor, "vertex 3"]:
        """The mesh with another expression, at the photo's pose."""
        return self.model.vertices(self.fit.identity, expression) + self.fit.torso


def source_of(avatar: Avatar | Eg3dAvatar, model: MorphableModel) -> PaperSource:
    """The photo of an avatar of either kind."""
    rgb, alpha = avatar.photo.numpy(), avatar.alpha.numpy().astype(np.float32) / 255
    fit = avatar.fit if isinstance(avatar, Avatar) else _fit_of(avatar.placement, avatar.size, model)
    return make_source(rgb, alpha, fit, model)


def make_source(
    rgb: UInt8[np.ndarray, "height width 3"], alpha: Float32[np.ndarray, "height width"], fit: FaceFit,
    model: MorphableModel,
) -> PaperSource:  # fmt: skip
    """The part of a working picture around the fitted face."""
    seen = _face_seen(rgb, fit)
    mask = None
    if seen is not None:
        fit = replace(fit, landmarks_px=torch.from_numpy(np.array(seen.landmarks_px, np.float32)))
        mask = cover_mask(rgb, observed_points(seen), model)
    box = face_box(fit.landmarks_px.numpy(), rgb.shape)
    x0, y0, x1, y1 = box
    size = (rgb.shape[1], rgb.shape[0])
    return PaperSource(
        rgb=np.ascontiguousarray(rgb[y0:y1, x0:x1]), alpha=np.ascontiguousarray(alpha[y0:y1, x0:x1]),
        hair=np.ascontiguousarray(_hair(rgb, alpha, fit, model, mask)[y0:y1, x0:x1]),
        landmarks_px=fit.landmarks_px.numpy() - np.array([x0, y0], np.float32),
        camera=region_camera(fit.photo_camera(*size), size, box), fit=fit, model=model, box_px=box,
        held=None if mask is None else np.ascontiguousarray(mask[y0:y1, x0:x1].astype(np.float32) / 255),
    )  # fmt: skip


def face_box(points_px: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The landmarks' box with its margins, inside the picture."""
    low, high = points_px.min(0), points_px.max(0)
    side = float((high - low).max())
    left, top, right, bottom = (share * side for share in MARGIN)
    return (
        max(int(low[0] - left), 0), max(int(low[1] - top), 0),
        min(int(np.ceil(high[0] + right)), shape[1]), min(int(np.ceil(high[1] + bottom)), shape[0]),
    )  # fmt: skip


def _hair(
    rgb: np.ndarray, alpha: np.ndarray, fit: FaceFit, model: MorphableModel, mask: np.ndarray | None
) -> Float32[np.ndarray, "height width"]:
    seen, matte = (rgb, alpha) if mask is None else uncovered(rgb, alpha, mask)
    evidence = gather_evidence(seen, matte, fit, model, mask)
    x0, y0, x1, y1 = evidence.box_px
    out = np.zeros(alpha.shape, np.float32)
    out[y0:y1, x0:x1] = evidence.hair.view(*evidence.shape).numpy()
    return out


def _fit_of(place: Placement, size: tuple[int, int], model: MorphableModel) -> FaceFit:
    """An EG3D avatar's placement as a fit."""
    height, width = size
    fit = FaceFit(
        identity=place.identity, expression=place.expression, R_camera_head=place.R_camera_head,
        camera=place.head_camera, crop=place.crop, residual=0.0, landmarks_px=torch.zeros(478, 2),
    )  # fmt: skip
    uv = fit.photo_camera(width, height).project(model.landmarks(fit.vertices(model))).uv
    return replace(fit, landmarks_px=(uv * torch.tensor([float(width), float(height)])).float())


def _face_seen(rgb: np.ndarray, fit: FaceFit) -> FaceObservation | None:
    """The fitted face as the tracker sees it; None if it does not."""
    try:
        faces = find_faces(rgb)
    except NoFaceError:
        return None
    centre, limit = fit.landmarks_px.mean(0).numpy(), NEAREST_SHARE * fit.crop.side_px
    near = [f for f in faces if np.linalg.norm(f.landmarks_px.mean(0) - centre) < limit]
    return near[0] if near else None
