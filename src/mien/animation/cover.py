"""Hands and things before a face: the photo's own pixels on a sheet that moves with the head, not its skin.

The sheet lies on the face (`mien.inversion.cover`), turns and bends with the neck as the head does, and
knows no expression: what is behind it speaks and smiles, it does not slide. It is drawn over all else, but
where it is far behind what the head shows: beyond a nose that hides it, say.
"""

from typing import Final

import numpy as np
import torch
from torch.nn import functional as F

from mien.animation.wornlayer import WornLayer, WornPhoto, box_of, moved
from mien.core.camera import Camera
from mien.core.curves import smoothstep
from mien.generator.render import PosedHead, RenderOutput
from mien.inversion.evidence import region_camera
from mien.morphable.pixels import first_hits
from mien.morphable.raster import interpolate
from mien.morphable.worn import FaceCover

SUNK: Final = (0.05, 0.08)
"""Distances behind what the head shows between which a sheet vanishes, EG3D units: a face that moves may
bulge through the sheet."""


def draw_cover(
    cover: FaceCover, head: PosedHead, camera: Camera, out: RenderOutput, photo: WornPhoto
) -> WornLayer | None:
    """The sheet before `out`, the camera's render of the head; None if it is out of the picture."""
    height, width = out.alpha.shape
    vertices = moved(cover, head)
    box = box_of(camera, vertices, (height, width))
    if box is None:
        return None
    x0, y0, x1, y1 = box
    part = region_camera(camera, (width, height), box)
    rows, columns = y1 - y0, x1 - x0
    hits = first_hits(vertices, cover.faces, part, rows, columns, torch.arange(rows * columns))
    hit = torch.from_numpy(hits.hit).view(rows, columns)
    uv = torch.from_numpy(interpolate(cover.uv.numpy(), cover.faces.numpy(), hits).astype(np.float32))
    depth = torch.where(hit, torch.from_numpy(hits.depth).view(rows, columns), torch.zeros(rows, columns))
    at = (uv.view(1, rows, columns, 2) * 2 - 1).clamp(-2, 2)
    rgba = F.grid_sample(photo.rgba, at, align_corners=False, padding_mode="border")[0] * hit
    head_depth, head_alpha = out.depth[y0:y1, x0:x1], out.alpha[y0:y1, x0:x1]
    behind = smoothstep(depth - head_depth, *SUNK) * (head_alpha > 0.5)
    rgba = rgba * (1 - behind)
    return WornLayer(box, rgba[:3].permute(1, 2, 0), rgba[3], depth * (rgba[3] > 0))
