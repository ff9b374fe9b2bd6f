"""What pixels see of a mesh, by the fastest way that there is: `zbuffer.PixelScene`, or compiled loops."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mien.core.camera import Camera
from mien.core.compiled import has_numba
from mien.morphable.raster import MISS_DEPTH, Hits
from mien.morphable.zbuffer import EDGE_PX, NEAREST, PixelScene, ray_of_pixel

FRAGMENTS: Final = 4
"""Fragments of a pixel for which there is room at first."""


@dataclass(frozen=True, eq=False)
class _Sight:
    """Triangles in a camera's axes and on its pixels, for compiled loops."""

    px: Float[np.ndarray, "vertex 2"]
    xyz: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]
    pixel_ray: Float[np.ndarray, "3 3"]
    size: tuple[int, int]
    """Width and height."""
    wanted: Bool[np.ndarray, " pixel"]
    """Empty for all."""
    sums: Int[np.ndarray, "row column"]
    """How many are wanted above and left of a pixel's corner; empty for all."""


def _sight(
    vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"], camera: Camera, height_px: int,
    width_px: int, pixels: Int[Tensor, " kept"] | None,
) -> _Sight:  # fmt: skip
    from mien.morphable.kernels.scan import sum_wanted

    pixel_ray = ray_of_pixel(camera, height_px, width_px).numpy()
    xyz = (vertices.double() - camera.position.double()) @ camera.R_world_camera.double()
    seen = xyz.numpy()
    px = ((seen / np.maximum(seen[:, 2:], NEAREST)) @ np.linalg.inv(pixel_ray).T)[:, :2]
    count, wanted, sums = height_px * width_px, np.zeros(0, np.bool_), np.zeros((0, 0), np.int32)
    if pixels is not None and len(pixels) < count:
        wanted = np.zeros(count, np.bool_)
        wanted[pixels.numpy()] = True
        sums = np.empty((height_px + 1, width_px + 1), np.int32)
        sum_wanted(wanted.reshape(height_px, width_px), sums)
    size = width_px, height_px
    return _Sight(np.ascontiguousarray(px), seen, faces.numpy(), pixel_ray, size, wanted, sums)


class CompiledPixelScene:
    """`PixelScene` in compiled loops; needs numba. A pixel's fragments are chained, in no order."""

    def __init__(
        self,
        vertices: Float[Tensor, "vertex 3"],
        faces: Int[Tensor, "face 3"],
        camera: Camera,
        height_px: int,
        width_px: int,
        *,
        pixels: Int[Tensor, " kept"] | None = None,
    ) -> None:
        from mien.morphable.kernels.scan import scan

        self._sight = s = _sight(vertices, faces, camera, height_px, width_px, pixels)
        self.newest = np.empty(height_px * width_px, np.int32)
        """[P] the first of the pixel's chain of fragments; -1 if it has none."""
        self.away = np.zeros(len(faces), np.bool_)
        """[F] triangles that are met from behind."""
        count = room = FRAGMENTS * (len(self.newest) if pixels is None else len(pixels))
        while count >= room:
            room = max(count, room) + 1
            self.before, self.face = np.empty(room, np.int32), np.empty(room, np.int32)
            self.distance = np.empty(room, np.float32)
            picture = s.px, s.xyz, s.faces, s.pixel_ray, NEAREST, *s.size, s.wanted, s.sums, EDGE_PX
            count = scan(*picture, self.newest, self.away, self.before, self.face, self.distance)
        self.count: int = count
        """How many fragments there are: before (the next of the chain), face and distance have more room."""

    @property
    def picture(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, int]:
        """For compiled loops: vertices in the camera's axes, triangles, a pixel's ray, the nearest z that is
        seen, pixels in a row."""
        return self._sight.xyz, self._sight.faces, self._sight.pixel_ray, NEAREST, self._sight.size[0]

    def first_hits(self) -> Hits:
        """First hits of the rays of all pixels."""
        from mien.morphable.kernels.scan import hits_of

        s, pixels = self._sight, np.arange(len(self.newest))
        face, depth = self._nearest(pixels, np.full(len(pixels), -np.inf, np.float32))
        barycentric = np.empty((len(pixels), 3), np.float32)
        hits_of(
            pixels, s.size[0], s.xyz, s.faces, s.pixel_ray, NEAREST, face.copy(), face, barycentric, depth
        )
        return Hits(face, barycentric, depth)

    def next_surface(
        self, pixels: Int[Tensor, " active"], start: Float[Tensor, " active"]
    ) -> tuple[Float[Tensor, " active"], Bool[Tensor, " active"]]:
        """See `PixelScene.next_surface`."""
        face, distance = self._nearest(pixels.numpy(), start.numpy())
        return torch.from_numpy(distance), torch.from_numpy((face >= 0) & self.away[face])

    def _nearest(self, pixels: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from mien.morphable.kernels.scan import nearest_fragments

        face, distance = np.empty(len(pixels), np.int32), np.full(len(pixels), MISS_DEPTH, np.float32)
        nearest_fragments(pixels, after, self.newest, self.before, self.face, self.distance, face, distance)
        return face, distance


def pixel_scene(
    vertices: Float[Tensor, "vertex 3"],
    faces: Int[Tensor, "face 3"],
    camera: Camera,
    height_px: int,
    width_px: int,
    *,
    pixels: Int[Tensor, " kept"] | None = None,
) -> PixelScene | CompiledPixelScene:
    """The fastest scene that there is here."""
    scene = CompiledPixelScene if has_numba() else PixelScene
    return scene(vertices, faces, camera, height_px, width_px, pixels=pixels)


def first_hits(
    vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"], camera: Camera, height_px: int,
    width_px: int, pixels: Int[Tensor, " kept"],
) -> Hits:  # fmt: skip
    """First hits of the rays of some pixels, which needs no fragments where numba is."""
    if not has_numba():
        scene = PixelScene(vertices, faces, camera, height_px, width_px, pixels=pixels)
        return scene.first_hits().of(pixels.numpy())
    from mien.morphable.kernels.scan import hits_of, scan_first

    s = _sight(vertices, faces, camera, height_px, width_px, pixels)
    face_of, inverse_of = np.empty(height_px * width_px, np.int32), np.empty(height_px * width_px, np.float32)
    scan_first(
        s.px, s.xyz, s.faces, s.pixel_ray, NEAREST, *s.size, s.wanted, s.sums, EDGE_PX, face_of, inverse_of
    )
    face, barycentric = np.empty(len(pixels), np.int32), np.empty((len(pixels), 3), np.float32)
    distance = np.full(len(pixels), MISS_DEPTH, np.float32)
    hits_of(
        pixels.numpy(), width_px, s.xyz, s.faces, s.pixel_ray, NEAREST, face_of, face, barycentric, distance
    )
    return Hits(face, barycentric, distance)
