"""The inside of a mouth that is open in the frame and shut in the photo: drawn from the head model.

Bending the photo's expression stretches lips over the gap, as the generator holds nothing behind them. There
the head model's teeth, tongue and throat are drawn: with the colours of open mouths that the generator has
in-painted where there are any (`KeyMouth`), else in plain colours, as bright as the person's skin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.animation.eg3d.keymouths import KeyMouth, lip_gap, mixed_mouths, shown_from
from mien.core.camera import Camera
from mien.morphable.model import PARTS, MorphableModel
from mien.morphable.raster import Hits, RayScene, interpolate, vertex_normals

COLOURS: Final = {
    "teeth_upper": (0.86, 0.82, 0.76),
    "teeth_lower": (0.76, 0.72, 0.66),
    "tongue": (0.62, 0.30, 0.29),
    "mouth": (0.34, 0.13, 0.12),
}
FADE: Final = 0.03
"""Light falls to a third over this way into the mouth (head units)."""
SUPERSAMPLING: Final = 2


@dataclass(frozen=True, eq=False)
class MouthPainter:
    """What is needed of a photo to draw what it does not show of the mouth."""

    model: MorphableModel
    source: Float[Tensor, "vertex 3"]
    """The photo's mesh, in the head's frame."""
    eye: Float[Tensor, "3"]
    """The photo's camera centre, in the head's frame."""
    brightness: float
    """Of the person's skin, against the colours above."""
    keys: Sequence[KeyMouth] = ()
    """Open mouths that the generator has in-painted."""

    @cached_property
    def _scene(self) -> RayScene:
        return RayScene(self.source.numpy(), self.model.faces_np)

    def paint(
        self, posed: Float[Tensor, "vertex 3"], camera: Camera, size_px: int
    ) -> Float[Tensor, "size size 4"] | None:
        """Premultiplied RGBA of the mouth's inside where the photo does not show it; None if nothing is seen.

        `posed` is the frame's mesh, with the head's motion; `camera` is in the head's frame.
        """
        box = self._box(posed, camera, size_px)
        if box is None:
            return None
        x0, y0, x1, y1 = box
        n = SUPERSAMPLING
        u = (torch.arange(x0 * n, x1 * n) + 0.5) / (size_px * n)
        v = (torch.arange(y0 * n, y1 * n) + 0.5) / (size_px * n)
        uv = torch.stack(torch.meshgrid(v, u, indexing="ij"), -1).flip(-1)
        rays = camera.rays_at(uv.reshape(-1, 2))
        directions = rays.directions.numpy()
        hits = RayScene(posed.numpy(), self.model.faces_np).cast(camera.position.numpy(), directions)
        part = self.model.part_of_face.numpy()[np.maximum(hits.face, 0)]
        inside = np.isin(part, [PARTS.index(name) for name in COLOURS]) & hits.hit
        inside[inside] = ~self._shown(hits.of(np.flatnonzero(inside)))
        if not inside.any():
            return None
        chosen = np.flatnonzero(inside)
        rgba = np.zeros((len(directions), 4), np.float32)
        rgba[chosen, :3] = self._coloured(posed, hits.of(chosen), part[chosen], directions[chosen], camera)
        rgba[chosen, 3] = 1
        small = rgba.reshape(y1 - y0, n, x1 - x0, n, 4).mean((1, 3))
        out = np.zeros((size_px, size_px, 4), np.float32)
        out[y0:y1, x0:x1] = cv2.GaussianBlur(small, (0, 0), max(size_px / 512, 0.4))
        return torch.from_numpy(out)

    def _box(self, posed: Tensor, camera: Camera, size_px: int) -> tuple[int, int, int, int] | None:
        """Pixels that the mouth's parts can fall on."""
        vertices = torch.cat([posed[self.model.part_vertices(name)] for name in COLOURS])
        px = camera.project(vertices).uv * size_px
        low, high = px.amin(0) - 2, px.amax(0) + 3
        x0, y0 = (max(int(t), 0) for t in low)
        x1, y1 = (min(int(t), size_px) for t in high)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    def _shown(self, hits: Hits) -> np.ndarray:
        """Whether the photo shows each hit."""
        points = interpolate(self.source.numpy(), self.model.faces_np, hits)
        return shown_from(self.eye, self._scene, points)

    def _coloured(
        self, posed: Tensor, hits: Hits, part: np.ndarray, directions: np.ndarray, camera: Camera
    ) -> np.ndarray:
        """Colours [N, 3]: the in-painted ones where a key mouth shows the point, else plain ones."""
        plain = self._shaded(posed.numpy(), hits, part, directions, camera)
        if not self.keys:
            return plain
        colours, known = mixed_mouths(self.keys, hits, lip_gap(self.model, posed))
        return np.asarray(plain + known[:, None] * (colours - plain))

    def _shaded(
        self, posed: np.ndarray, hits: Hits, part: np.ndarray, directions: np.ndarray, camera: Camera
    ) -> np.ndarray:
        """Colours [N, 3]: lit from the viewer, darker the farther behind the lips."""
        table = np.array([COLOURS.get(name, (0.0, 0.0, 0.0)) for name in PARTS], np.float32)
        normal = interpolate(vertex_normals(posed, self.model.faces_np), self.model.faces_np, hits)
        facing = np.abs((normal * directions).sum(1)) / (np.linalg.norm(normal, axis=1) + 1e-9)
        lips = self.model.landmarks(torch.from_numpy(posed))[[13, 14]].mean(0)
        deep = hits.depth - float((lips - camera.position).norm())
        light = np.exp(-np.maximum(deep, 0) / FADE) * (0.5 + 0.5 * facing)
        return np.clip(table[part] * (self.brightness * light)[:, None], 0, 1)
