"""Rendering one head: body by first hit, hair by volume rendering, reference path and fast path.

The reference casts rays and marches each through the whole box in two passes. The fast path rasterises, knows
from the planes where hair can be (a shell around the decoded height field), puts few samples behind the
shell's surface, and decodes only what is seen.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.camera import Camera
from mien.generator.decoder import Decoded
from mien.generator.model import Generator
from mien.generator.planes import Planes
from mien.generator.posed import HairShell, PosedHead, make_hair_shell, outer_height, pose_head
from mien.generator.shellmarch import FAR, UNSEEN, HairTrace, PixelSurfaces, march_shell, trace_hair
from mien.generator.volume import Field, MarchConfig, march
from mien.morphable import chart
from mien.morphable.raster import RayScene, interpolate, interpolate_corners
from mien.morphable.zbuffer import PixelScene

NEAR: Final = 2.1
CHUNK: Final = 24576


@dataclass(frozen=True, eq=False)
class RenderOutput:
    """An image of H x W pixels; rgb is premultiplied by alpha."""

    rgb: Float[Tensor, "height width 3"]
    alpha: Float[Tensor, "height width"]
    depth: Float[Tensor, "height width"]
    """Expected distance along the ray (EG3D units); 0 where nothing is seen."""
    planes: Float[Tensor, "height width 3"]
    """Plane coordinates of the body hit."""
    hair_alpha: Float[Tensor, "height width"]
    carried: Float[Tensor, "height width channel"]
    """The head's carried numbers at the body hit; no channels if it carries none, 0 where it is missed."""


def render(
    generator: Generator,
    planes: Planes,
    head: PosedHead,
    camera: Camera,
    height_px: int,
    width_px: int,
    *,
    path: Literal["reference", "fast"] = "fast",
    shell: HairShell | None = None,
    march_config: MarchConfig | None = None,
    mask: np.ndarray | None = None,
) -> RenderOutput:
    """Render an image. `mask` (bool [H, W]) limits the rays; the fast path needs `shell` if there is hair."""
    rays = camera.rays(height_px, width_px)
    keep = np.arange(height_px * width_px) if mask is None else np.flatnonzero(mask.reshape(-1))
    kept = torch.from_numpy(keep)
    origins, directions = (t.reshape(-1, 3)[kept] for t in (rays.origins, rays.directions))
    if path == "reference":
        body = RayScene(head.vertices, head.model.faces_np).cast(origins.numpy(), directions.numpy())
    else:
        vertices = torch.from_numpy(head.vertices)
        body = PixelScene(vertices, head.model.faces, camera, height_px, width_px).first_hits().of(keep)
    coords = torch.from_numpy(interpolate_corners(head.model.canonical_corners.numpy(), body)).float()
    depth, hit = torch.from_numpy(body.depth), torch.from_numpy(body.hit)
    hair = torch.zeros(len(depth), 5)
    if path == "reference":
        config = march_config or MarchConfig()
        hair = _march_all(generator, planes, head, origins, directions, depth, config)
    elif shell is not None:
        surfaces = PixelSurfaces(shell, head, camera, height_px, width_px, kept)
        hair = march_shell(generator, planes, head, origins, directions, depth, surfaces, shell.colours)
    columns = [_hair_before_body(generator, planes, coords, depth, hit, hair)]
    if head.carried is not None:
        columns.append(torch.from_numpy(interpolate(head.carried, head.model.faces_np, body)).float())
    found = torch.cat(columns, 1)
    out = torch.zeros(height_px * width_px, found.shape[1])
    out[kept] = found
    out = out.view(height_px, width_px, -1)
    return RenderOutput(out[..., :3], out[..., 3], out[..., 4], out[..., 5:8], out[..., 8], out[..., 9:])


def _hair_before_body(
    generator: Generator, planes: Planes, coords: Tensor, depth: Tensor, hit: Tensor, hair: Tensor
) -> Float[Tensor, "ray 9"]:
    """Columns: premultiplied rgb, alpha, depth, plane coordinates of the body, hair alpha."""
    rest = (1 - hair[:, 3]) * hit
    colour, seen = hair[:, :3].clone(), torch.nonzero(rest > UNSEEN)[:, 0]
    with torch.no_grad():
        colour[seen] += rest[seen, None] * generator.decode(planes, coords[seen][None]).body_rgb[0]
    alpha = hair[:, 3] + rest
    distance = (hair[:, 4] + rest * torch.where(hit, depth, torch.zeros_like(depth))) / alpha.clamp(min=1e-6)
    distance = torch.where(alpha > 1e-3, distance, torch.zeros_like(distance))
    return torch.cat([colour, alpha[:, None], distance[:, None], coords, hair[:, 3:4]], 1)


def hair_field(generator: Generator, planes: Planes, head: PosedHead) -> Field:
    """Decoded outputs and height above the body at points [1, N, 3] of the observed frame."""

    def field(points: Tensor) -> tuple[Decoded, Tensor]:
        rest = points if head.motion is None else head.motion.invert(points)
        q = head.carrier.to_planes(rest)
        return generator.decode(planes, q), chart.height_of(q[..., 2])

    return field


def _march_all(
    generator: Generator,
    planes: Planes,
    head: PosedHead,
    origins: Tensor,
    directions: Tensor,
    depth: Tensor,
    config: MarchConfig,
) -> Float[Tensor, "ray 5"]:
    field, out = hair_field(generator, planes, head), []
    for i in range(0, len(depth), CHUNK // 8):
        part = slice(i, i + CHUNK // 8)
        o, d, far = origins[None, part], directions[None, part], depth[None, part].clamp(max=FAR)
        m = march(field, o, d, torch.full_like(far, NEAR), far, config)
        out.append(torch.cat([m.rgb[0], m.alpha[0, :, None], m.depth[0, :, None]], 1))
    return torch.cat(out)


def over_background(
    out: RenderOutput, background: Float[Tensor, "height width 3"]
) -> Float[Tensor, "height width 3"]:
    """Composite over a background in [0, 1]."""
    return out.rgb + (1 - out.alpha[..., None]) * background


__all__ = [
    "HairShell", "HairTrace", "PosedHead", "RenderOutput", "hair_field", "make_hair_shell", "outer_height",
    "over_background", "pose_head", "render", "trace_hair",
]  # fmt: skip
