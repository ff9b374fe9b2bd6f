"""Rendering one head: body by first hit, hair by volume rendering, reference path and fast path.

The reference casts rays and marches each through the whole box in two passes. The fast path rasterises, knows
from the planes where hair can be (a shell around the decoded height field), puts few samples behind the
shell's surface, and decodes only what is seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mien.core.camera import Camera
from mien.core.compiled import has_numba
from mien.generator.beardlayers import edge_on, lay_beard, layer_casts, layer_hits, strand_share
from mien.generator.decoder import Decoded
from mien.generator.fastrays import MISSED_ALPHA, can_be_fast, fast_hair, fast_rays
from mien.generator.model import Generator
from mien.generator.outline import with_outline
from mien.generator.planes import Planes
from mien.generator.posed import HairShell, PosedHead, make_hair_shell, outer_height, pose_head
from mien.generator.shellmarch import FAR, UNSEEN, HairTrace, PixelSurfaces, march_shell, trace_hair
from mien.generator.volume import Field, MarchConfig, march
from mien.morphable import chart
from mien.morphable.pixels import first_hits
from mien.morphable.raster import RayScene, interpolate, interpolate_corners

NEAR: Final = 2.1
EDGE_ALPHA: Final = 0.1
EDGE_DEPTH: Final = 0.015
"""Steps of alpha, of distance (EG3D units) and of chart coordinates between neighbours that make an edge."""
EDGE_CHART: Final = 0.06
EDGE_BODY: Final = 0.02
"""Share of the body in a pixel from which on it and those around it can be edges: hair alone is soft."""
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
    antialias: bool = False,
    outline: float = 0.0,
) -> RenderOutput:
    """Render an image. `mask` (bool [H, W]) limits the rays; the fast path needs `shell` if there is hair.

    With `antialias`, pixels on edges take the mean colour and alpha of four rays; the rest is of one ray.
    By the share `outline`, hair ends as hair does (`mien.generator.outline`), not as its smooth density.
    """
    size = height_px, width_px
    shell = None if shell is None else shell.at(head)  # edges look at it again
    make = partial(
        _render_rays, generator, planes, head, camera, path=path, shell=shell, march_config=march_config
    )
    keep = torch.arange(height_px * width_px)
    if mask is not None:
        keep = torch.from_numpy(np.flatnonzero(mask.reshape(-1)))
    image = make(size, keep)
    if mask is not None:
        found, image = image, torch.zeros(height_px * width_px, image.shape[1])
        image[keep] = found
    if antialias:
        _antialias(image, size, make, mask)
    if outline > 0:
        with_outline(image, head, camera, size, outline)
    return _output(image.view(height_px, width_px, -1))


def _antialias(
    image: Float[Tensor, "pixel column"], size: tuple[int, int],
    make: Callable[[tuple[int, int], Tensor], Tensor], mask: np.ndarray | None,
) -> None:  # fmt: skip
    """Give pixels on edges the mean of four rays, in place."""
    height_px, width_px = size
    known = None if mask is None else torch.from_numpy(mask)
    if has_numba():
        is_edge = fast_edges(image, width_px, mask)
    else:
        is_edge = edges_of(_output(image.view(height_px, width_px, -1)), known).flatten()
    edges = torch.nonzero(is_edge)[:, 0]
    row, column = torch.div(edges, width_px, rounding_mode="floor"), edges % width_px
    parts = [(2 * row + i) * 2 * width_px + 2 * column + j for i in (0, 1) for j in (0, 1)]
    fine = make((2 * height_px, 2 * width_px), torch.stack(parts, 1).flatten())
    image[edges] = _mean_of_edges(image[edges], fine.view(len(edges), 4, -1))


def _mean_of_edges(
    centre: Float[Tensor, "pixel column"], parts: Float[Tensor, "pixel 4 column"]
) -> Float[Tensor, "pixel column"]:
    """Colour and alpha are means; where the pixel's own ray meets nothing, so is what the parts meet."""
    mean = parts.mean(1)
    out = centre.clone()
    out[:, :4], out[:, 8] = mean[:, :4], mean[:, 8]
    missed = torch.nonzero(centre[:, 3] < MISSED_ALPHA)[:, 0]
    alpha, body = parts[missed, :, 3:4], (parts[missed, :, 3:4] - parts[missed, :, 8:9]).clamp(min=0)
    for columns, weight in ((slice(4, 5), alpha), (slice(5, 8), body), (slice(9, None), body)):
        out[missed, columns] = (weight * parts[missed, :, columns]).sum(1) / weight.sum(1).clamp(min=1e-6)
    return out


def _output(image: Float[Tensor, "height width column"]) -> RenderOutput:
    return RenderOutput(
        image[..., :3], image[..., 3], image[..., 4], image[..., 5:8], image[..., 8], image[..., 9:]
    )


def edges_of(
    out: RenderOutput, known: Bool[Tensor, "height width"] | None = None
) -> Bool[Tensor, "height width"]:
    """Pixels one of whose neighbours (four of them) shows another surface or another part of the head.

    Not where neither they nor any of the eight around them show the body: hair thins out over more than a
    pixel. Only `known` pixels are compared, or all.
    """
    visible = (1 - out.hair_alpha) > EDGE_ALPHA
    edges = torch.zeros(out.alpha.shape, dtype=torch.bool)
    for axis in (0, 1):
        one, other = (
            [t.narrow(axis, start, t.shape[axis] - 1) for t in (out.alpha, out.depth, out.planes, visible)]
            for start in (0, 1)
        )
        step = (one[2] - other[2])[..., :2].abs()
        step[..., 0] = torch.minimum(step[..., 0], 2 - step[..., 0])  # u wraps
        differ = (one[0] - other[0]).abs() > EDGE_ALPHA
        differ |= ((one[1] - other[1]).abs() > EDGE_DEPTH) & (one[0] > EDGE_ALPHA)
        differ |= (step.amax(-1) > EDGE_CHART) & one[3] & other[3]
        if known is not None:
            count = known.shape[axis] - 1
            differ &= known.narrow(axis, 0, count) & known.narrow(axis, 1, count)
        edges.narrow(axis, 0, differ.shape[axis]).logical_or_(differ)
        edges.narrow(axis, 1, differ.shape[axis]).logical_or_(differ)
    body = (out.alpha - out.hair_alpha > EDGE_BODY).float()[None, None]
    return edges & (torch.nn.functional.max_pool2d(body, 3, 1, 1)[0, 0] > 0)


def fast_edges(
    image: Float[Tensor, "pixel column"], width_px: int, mask: np.ndarray | None
) -> Bool[Tensor, " pixel"]:
    """`edges_of` in compiled loops."""
    from mien.generator.kernels.body import find_edges

    known = np.zeros(0, np.bool_) if mask is None else mask.reshape(-1)
    edges = np.empty(len(image), np.bool_)
    limits = (EDGE_ALPHA, EDGE_DEPTH, EDGE_CHART, EDGE_BODY)
    find_edges(image.numpy(), width_px, known, limits, edges)
    return torch.from_numpy(edges)


def _render_rays(
    generator: Generator, planes: Planes, head: PosedHead, camera: Camera, size: tuple[int, int],
    keep: Int[Tensor, " ray"], *, path: Literal["reference", "fast"], shell: HairShell | None,
    march_config: MarchConfig | None,
) -> Float[Tensor, "ray column"]:  # fmt: skip
    """One ray through the middle of each of some pixels of a picture of `size` (height, width)."""
    if path == "fast" and can_be_fast(planes, shell):
        return fast_rays(generator, planes, head, camera, size, keep, shell)
    height_px, width_px = size
    row, column = torch.div(keep, width_px, rounding_mode="floor"), keep % width_px
    rays = camera.rays_at(torch.stack([(column + 0.5) / width_px, (row + 0.5) / height_px], 1))
    origins, directions = rays.origins, rays.directions
    if path == "reference":
        body = RayScene(head.vertices, head.model.faces_np).cast(origins.numpy(), directions.numpy())
    else:
        vertices = torch.from_numpy(head.vertices)
        body = first_hits(vertices, head.model.faces, camera, height_px, width_px, keep)
    coords = torch.from_numpy(interpolate_corners(head.model.canonical_corners.numpy(), body)).float()
    depth, hit = torch.from_numpy(body.depth), torch.from_numpy(body.hit)
    hair = torch.zeros(len(depth), 5)
    if path == "reference":
        config = march_config or MarchConfig()
        hair = _march_all(generator, planes, head, origins, directions, depth, config)
    elif shell is not None and shell.tables is not None:
        hair = fast_hair(shell, shell.tables, head, camera, size, keep, depth)
    elif shell is not None:
        surfaces = PixelSurfaces(shell, head, camera, height_px, width_px, keep)
        hair = march_shell(generator, planes, head, origins, directions, depth, surfaces, shell.colours)
    columns = [_hair_before_body(generator, planes, coords, depth, hit, hair)]
    if head.carried is not None:
        columns.append(torch.from_numpy(interpolate(head.carried, head.model.faces_np, body)).float())
    seen = torch.cat(columns, 1)
    if head.beard is None:
        return seen
    share = strand_share(head.beard, camera.position)
    beard = edge_on(head.beard, share)
    if path == "reference":
        hits = layer_casts(beard, origins.numpy(), directions.numpy())
    else:
        hits = layer_hits(beard, camera, size, keep)
    return lay_beard(seen, hair, depth, beard, hits, share, partial(body_colours, generator, planes))


def body_colours(
    generator: Generator, planes: Planes, coords: Float[Tensor, "point 3"]
) -> Float[Tensor, "point 3"]:
    """Decoded colours of the body at plane coordinates."""
    with torch.no_grad():
        return generator.decode(planes, coords[None]).body_rgb[0]


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
    distance = torch.where(alpha > MISSED_ALPHA, distance, torch.zeros_like(distance))
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
    "HairShell", "HairTrace", "PosedHead", "RenderOutput", "edges_of", "hair_field", "make_hair_shell",
    "outer_height", "over_background", "pose_head", "render", "trace_hair",
]  # fmt: skip
