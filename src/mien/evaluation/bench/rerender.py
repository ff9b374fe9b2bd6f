"""The 3DMM re-render: the fitted mesh textured with the photo, and nothing else.

A point of the turned mesh takes the photo's colour where the photo shows it: the ray from the photo's camera
meets it first, it does not lie at a grazing angle, and the matte has the person there. Elsewhere the colour
is that of the mirrored side, and where that is hidden too, of the nearest point of the head's chart that has
one. The mesh has no hair, so hair is painted on the scalp.
"""

from functools import cached_property
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from mien.animation.viewer import FittedFace, Seen
from mien.core.curves import smoothstep
from mien.evaluation.bench.frames import turned_camera
from mien.evaluation.bench.subjects import Pose, mesh_pose
from mien.generator.planes import lookup
from mien.generator.texels import borrow_from_mirror, fill_chart, island_rows, splat
from mien.morphable.model import MorphableModel
from mien.morphable.raster import Hits, RayScene, interpolate, interpolate_corners, vertex_normals
from mien.tracking.colors import foreground_colors

TEXTURE_PX: Final = 512
HIDDEN: Final = 6e-3
"""A point is shown if nothing is this far before it, EG3D units."""
FACING: Final = (0.12, 0.35)
"""Cosines between surface and the photo's view between which the photo is trusted."""
INSIDE: Final = (0.5, 0.95)
"""Mattes between which a pixel counts as the person's."""
LEAST_WEIGHT: Final = 0.02
"""Evidence from which on a texel has a colour."""
RAYS_PER_SIDE: Final = 2


class MeshRerender:
    """The baseline, made from a photo, its matte and the fit."""

    def __init__(
        self,
        rgb: UInt8[np.ndarray, "height width 3"],
        alpha: Float32[np.ndarray, "height width"],
        face: FittedFace,
        model: MorphableModel,
    ) -> None:
        self.face, self.model = face, model
        self._colours = foreground_colors(rgb, alpha).astype(np.float32) / 255
        self._alpha = alpha
        self._source = model.vertices(face.identity, face.expression).numpy()
        self._scene = RayScene(self._source, model.faces_np)
        self._normals = vertex_normals(self._source, model.faces_np)
        self._posed: dict[bytes, RayScene] = {}

    def see(self, turn: Float[Tensor, "3 3"], expression: Float[Tensor, "52"], size_px: int) -> Seen:
        """The textured mesh, four rays a pixel; its distance is the nearest of them."""
        camera, n = turned_camera(self.face.camera, turn), RAYS_PER_SIDE
        rays = camera.rays(size_px * n, size_px * n)
        directions = rays.directions.reshape(-1, 3).numpy()
        hits = self._scene_of(expression).cast(camera.position.numpy(), directions)
        found = np.flatnonzero(hits.hit)
        rgba = np.zeros((len(directions), 4), np.float32)
        rgba[found, :3], rgba[found, 3] = self._textured(hits.of(found)), 1
        small = torch.from_numpy(rgba.reshape(size_px, n, size_px, n, 4).mean((1, 3)))
        first = torch.from_numpy(np.where(hits.hit, hits.depth, np.inf).reshape(size_px, n, size_px, n))
        nearest = first.amin((1, 3)).float()
        return Seen(small[..., :3], small[..., 3], torch.where(nearest.isfinite(), nearest, 0.0))

    def pose(self, turn: Float[Tensor, "3 3"], expression: Float[Tensor, "52"]) -> Pose:
        """Of the fitted mesh: the same as a mien-base avatar's, which lives on this very mesh."""
        return mesh_pose(self.model, self.face, turned_camera(self.face.camera, turn), expression)

    def _scene_of(self, expression: Float[Tensor, "52"]) -> RayScene:
        """The mesh in an expression; kept, for cameras go around each."""
        key = expression.numpy().tobytes()
        if key not in self._posed:
            vertices = self.model.vertices(self.face.identity, expression).numpy()
            self._posed[key] = RayScene(vertices, self.model.faces_np)
        return self._posed[key]

    def _textured(self, hits: Hits) -> np.ndarray:
        """Colours [N, 3]. The chart is only asked where the photo is not trusted wholly."""
        colours, trust = self._from_photo(hits)
        rest = np.flatnonzero(trust < 1)
        share = trust[rest, None]
        colours[rest] = share * colours[rest] + (1 - share) * self._from_chart(hits.of(rest))
        return colours

    def _from_photo(self, hits: Hits) -> tuple[np.ndarray, np.ndarray]:
        """What the photo shows of the hits' points, and how far it is to be trusted."""
        points = interpolate(self._source, self.model.faces_np, hits)
        eye = self.face.camera.position.numpy()
        away = points - eye
        distance = np.linalg.norm(away, axis=1)
        directions = (away / distance[:, None]).astype(np.float32)
        first = self._scene.cast(eye, directions)
        normal = interpolate(self._normals, self.model.faces_np, hits)
        facing = -(normal * directions).sum(1)
        uv = self.face.camera.project(torch.from_numpy(points).float()).uv.numpy()
        layers = _bilinear(np.dstack([self._colours, self._alpha]), uv)
        shown = (first.depth > distance - HIDDEN) & (np.abs(uv - 0.5) < 0.5).all(1)
        facing, inside = (
            smoothstep(torch.from_numpy(values), *limits).numpy()
            for values, limits in ((facing, FACING), (layers[:, 3], INSIDE))
        )
        return layers[:, :3], (shown * facing * inside).astype(np.float32)

    def _from_chart(self, hits: Hits) -> np.ndarray:
        texture = self._texture
        at = torch.from_numpy(interpolate_corners(self.model.canonical_corners.numpy(), hits)).float()
        return lookup(texture[None], at[None, :, 0], at[None, :, 1])[0].numpy()

    @cached_property
    def _texture(self) -> Float[Tensor, "3 v u"]:
        """The photo's colours on the chart, with mirrored and near ones where it shows nothing."""
        height, width = self._alpha.shape
        directions = self.face.camera.rays(height, width).directions.reshape(-1, 3).numpy()
        hits = self._scene.cast(self.face.camera.position.numpy(), directions)
        hits = hits.of(np.flatnonzero(hits.hit))
        colours, trust = (torch.from_numpy(t) for t in self._from_photo(hits))
        at = torch.from_numpy(interpolate_corners(self.model.canonical_corners.numpy(), hits)).float()
        mean = (colours * trust[:, None]).sum(0) / trust.sum().clamp(min=1e-6)
        evidence = splat(at[:, :2], colours - mean, trust, TEXTURE_PX)
        islands = fill_chart(*evidence)[:, : island_rows(TEXTURE_PX)]
        total, weight = borrow_from_mirror(*evidence)
        rows = slice(island_rows(TEXTURE_PX), None)
        body = nearest_filled(total[:, rows], weight[rows])
        return (torch.cat([islands, body], 1) + mean[:, None, None]).clamp(0, 1)


def nearest_filled(
    total: Float[Tensor, "channel v u"], weight: Float[Tensor, "v u"]
) -> Float[Tensor, "channel v u"]:
    """Colours of the texels with evidence, and everywhere else of the nearest such texel; u wraps."""
    width = weight.shape[1]
    known = (weight > LEAST_WEIGHT).numpy()
    if not known.any():
        return torch.zeros_like(total)
    at = distance_transform_edt(~np.tile(known, 3), return_distances=False, return_indices=True)
    row, column = (torch.from_numpy(index[:, width : 2 * width]).long() for index in at)
    colours = total / weight.clamp(min=LEAST_WEIGHT)
    return colours[:, row, column % width]


def _bilinear(image: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Values [N, C] of an image at coordinates in [0, 1], its edge beyond it."""
    planar = torch.from_numpy(image).permute(2, 0, 1)[None]
    at = torch.from_numpy(uv).float() * 2 - 1
    return lookup(planar, at[None, :, 0], at[None, :, 1])[0].numpy()
