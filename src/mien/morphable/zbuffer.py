"""What the pixels of one camera see of a mesh: a rasteriser that finds the hits of `raster.RayScene`.

The ray r (camera axes, z = 1) of a pixel meets a triangle (a, b, c) at r / sum(w), where
w = (b x c, c x a, a x b) r / det(a, b, c). The shares of w are barycentric coordinates, and w is affine in
the pixel's column and row (Olano and Greer 1997, Triangle scan conversion using 2D homogeneous coordinates).

This is the plain way; `mien.morphable.pixels` has the same in compiled loops.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mien.core.camera import Camera
from mien.morphable.raster import MISS_DEPTH, Hits

NEAREST: Final = 0.05
"""Triangles with a corner nearer than this to the camera's plane are left out, EG3D units."""
EDGE_PX: Final = 1e-7
"""Pixels by which a pixel's centre may lie outside of a triangle, so that no ray slips between two."""
NOTHING: Final = 2**63 - 1
FACE_BITS: Final = 2**32 - 1


@dataclass(frozen=True, eq=False)
class Fragments:
    """Meetings of N rays through pixel centres with triangles, in no order."""

    pixel: Int[Tensor, " fragment"]
    face: Int[Tensor, " fragment"]
    distance: Float[Tensor, " fragment"]
    """Along the unit ray, EG3D units."""


class PixelScene:
    """Triangles (vertices [V, 3], faces [F, 3]) as the pixels of a picture see them, or some pixels only."""

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
        self._size = height_px, width_px
        self._wanted: Bool[Tensor, " pixel"] | None = None
        if pixels is not None and len(pixels) < height_px * width_px:
            self._wanted = torch.zeros(height_px * width_px, dtype=torch.bool)
            self._wanted[pixels] = True
        pixel_ray = ray_of_pixel(camera, height_px, width_px)
        xyz = (vertices.double() - camera.position.double()) @ camera.R_world_camera.double()
        px = (xyz / xyz[:, 2:].clamp(min=NEAREST)) @ torch.linalg.inv(pixel_ray).T
        a, b, c = (xyz[index] for index in faces.T)
        normals = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)])
        volume = (a * normals[0]).sum(1)
        self._away: Bool[Tensor, " face"] = volume > 0
        flat = volume.abs() < 1e-14
        scale = torch.where(flat, torch.zeros_like(volume), 1 / volume)
        self._weights = ((normals @ pixel_ray) * scale[:, None]).permute(0, 2, 1).contiguous()
        """[corner, (column, row, 1), face]: what gives a pixel's w."""
        self._ray_length = _ray_lengths(pixel_ray, height_px, width_px)
        seen = torch.stack([p[:, 2] for p in (a, b, c)]).amin(0) > NEAREST
        self.fragments = self._fragments(px[:, :2].T[:, faces.T], seen & ~flat)

    def _fragments(self, px: Float[Tensor, "2 3 face"], seen: Bool[Tensor, " face"]) -> Fragments:
        """Scan the rows of each triangle; of a row, the columns where all three weights are positive."""
        height, width = self._size
        low, high = px.amin(1), px.amax(1)
        top, bottom = low[1].ceil().clamp(min=0), high[1].floor().clamp(max=height - 1)
        left, right = low[0].ceil().clamp(min=0), high[0].floor().clamp(max=width - 1)
        kept = torch.nonzero(seen & (bottom >= top) & (right >= left))[:, 0]
        which, row = _expand(top[kept].long(), (bottom - top)[kept].long() + 1)
        face = kept[which]
        first, last = left[face], right[face]
        total, slope = (
            torch.zeros(len(face), dtype=torch.float64),
            torch.zeros(len(face), dtype=torch.float64),
        )
        for of_column, of_row, constant in self._weights:
            w, step = of_row[face] * row + constant[face], of_column[face]
            total, slope = total + w, slope + step
            edge = -w / step  # infinite or nan where the edge is level
            first = torch.where(step > 0, torch.maximum(first, edge - EDGE_PX), first)
            last = torch.where(step < 0, torch.minimum(last, edge + EDGE_PX), last)
            last = torch.where((step == 0) & (w < 0), first - 2, last)
        first, last = first.ceil().long(), last.floor().long()
        kept = torch.nonzero((last >= first) & self._any_wanted(row * width + first, row * width + last))[
            :, 0
        ]
        first = first[kept]
        which, column = _expand(first, last[kept] - first + 1)
        pixel = (row[kept] * width)[which] + column
        if self._wanted is not None:
            some = torch.nonzero(self._wanted[pixel])[:, 0]
            which, column, pixel = which[some], column[some], pixel[some]
        span = kept[which]
        depth = total.float()[span] + slope.float()[span] * column
        return Fragments(pixel, face[span], self._ray_length[pixel] / depth)

    def _any_wanted(
        self, first: Int[Tensor, " span"], last: Int[Tensor, " span"]
    ) -> Bool[Tensor, " span"] | bool:
        """Whether any pixel from the first to the last is wanted."""
        if self._wanted is None:
            return True
        before = torch.cat([torch.zeros(1, dtype=torch.long), torch.cumsum(self._wanted, 0)])
        end = len(self._wanted)
        return before[(last + 1).clamp(0, end)] > before[first.clamp(0, end)]

    def first_hits(self) -> Hits:
        """First hits of the rays of all pixels."""
        pixels = self._size[0] * self._size[1]
        nearest = self._nearest(self.fragments)
        hit = torch.nonzero(nearest != NOTHING)[:, 0]
        found = nearest[hit] & FACE_BITS
        face = torch.full((pixels,), -1, dtype=torch.int32)
        depth, barycentric = torch.full((pixels,), MISS_DEPTH), torch.zeros(pixels, 3)
        face[hit] = found.int()
        depth[hit] = _distance(nearest[hit])
        barycentric[hit] = self._barycentric(found, hit)
        return Hits(face.numpy(), barycentric.numpy(), depth.numpy())

    def next_surface(
        self, pixels: Int[Tensor, " active"], start: Float[Tensor, " active"]
    ) -> tuple[Float[Tensor, " active"], Bool[Tensor, " active"]]:
        """Distances of what the rays of some pixels meet behind `start` (`MISS_DEPTH` if nothing), and
        whether they meet it from behind, so that they leave the surface there."""
        f = self.fragments
        after = torch.full((self._size[0] * self._size[1],), torch.inf)
        after[pixels] = start
        keep = torch.nonzero(f.distance > after[f.pixel])[:, 0]
        nearest = self._nearest(Fragments(f.pixel[keep], f.face[keep], f.distance[keep]))[pixels]
        hit = nearest != NOTHING
        distance = torch.where(hit, _distance(nearest), torch.full_like(start, MISS_DEPTH))
        return distance, hit & self._away[torch.where(hit, nearest & FACE_BITS, 0)]

    def _nearest(self, f: Fragments) -> Int[Tensor, " pixel"]:
        """Bits of each pixel's smallest distance, then the triangle (of equal ones the first); or `NOTHING`.

        Positive floats are ordered like their bits.
        """
        key = (f.distance.view(torch.int32).long() << 32) | f.face
        empty = torch.full((self._size[0] * self._size[1],), NOTHING)
        return empty.scatter_reduce(0, f.pixel, key, "amin")

    def _barycentric(self, face: Int[Tensor, " hit"], pixel: Int[Tensor, " hit"]) -> Float[Tensor, "hit 3"]:
        row = torch.div(pixel, self._size[1], rounding_mode="floor")
        column = pixel - row * self._size[1]
        u, v, w = (m[0][face] * column + m[1][face] * row + m[2][face] for m in self._weights)
        return (torch.stack([u, v, w], 1) / (u + v + w)[:, None]).clamp(0, 1).float()


def _distance(nearest: Int[Tensor, " ray"]) -> Float[Tensor, " ray"]:
    return (nearest >> 32).int().view(torch.float32)


def _expand(
    start: Int[Tensor, " range"], count: Int[Tensor, " range"]
) -> tuple[Int[Tensor, " item"], Int[Tensor, " item"]]:
    """The items of ranges of whole numbers, one range after the other: which range, and the number."""
    which = torch.repeat_interleave(torch.arange(len(count)), count)
    shift = start - (torch.cumsum(count, 0) - count)
    return which, torch.arange(len(which)) + shift[which]


def ray_of_pixel(camera: Camera, height_px: int, width_px: int) -> Float[Tensor, "3 3"]:
    """Takes (column, row, 1) of a pixel's centre to its ray at z = 1, in camera axes."""
    size = np.array([[1 / width_px, 0, 0.5 / width_px], [0, 1 / height_px, 0.5 / height_px], [0, 0, 1]])
    return torch.from_numpy(np.linalg.inv(camera.intrinsics.double().numpy()) @ size)


def _ray_lengths(pixel_ray: Tensor, height_px: int, width_px: int) -> Float[Tensor, " pixel"]:
    row, column = torch.meshgrid(torch.arange(height_px), torch.arange(width_px), indexing="ij")
    x, y = (m[0] * column + m[1] * row + m[2] for m in pixel_ray[:2])
    return torch.sqrt(x * x + y * y + 1).float().flatten()
