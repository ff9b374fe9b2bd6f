"""The surface of a head of mien-base as one coloured mesh: the body, and the outer surface of the hair.

The volume of hair becomes the surface at which half of the light that comes straight down has been stopped.
Where hair is thin, both surfaces take the colour that rendering straight down gives: hairlines stay soft.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.generator.model import Generator
from mien.generator.planes import Planes
from mien.generator.posed import EMPTY_HEIGHT, PosedHead, hair_coordinates, outer_height
from mien.generator.view import MeshConfig
from mien.generator.volume import SIGMA, SOFTNESS
from mien.io.mesh import Mesh
from mien.morphable import chart
from mien.morphable.carry import chart_grid, sample_chart
from mien.morphable.model import PARTS, MorphableModel
from mien.morphable.raster import MISS_DEPTH, RayScene, cast_rays, interpolate_corners, vertex_normals
from mien.morphable.shell import height_shell

HALF_DEPTH: Final = SOFTNESS * math.log(math.expm1(math.log(2) / (SIGMA * SOFTNESS)))
"""How far below the outer height half of the light is stopped by the densest hair, EG3D units."""
LEAST_DENSITY: Final = 0.01
GRAZING: Final = 0.01
"""How far outside of that surface a ray that grazes thick hair is half stopped, as it runs through much of
it: thick hair grows by this, so that the outline is the rendered one."""
THICK: Final = 0.04
"""Thickness from which on hair grows by all of it, EG3D units."""
CHUNK: Final = 65536


def solid_height(planes: Planes, outer: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """Outer height of the densest hair in which half of the light gets as deep as in that of tuned planes."""
    if planes.hair_density is None:
        return outer
    density = F.interpolate(planes.hair_density.cpu(), outer.shape, mode="bilinear")[0, 0]
    depth = math.log(2) / (SIGMA * SOFTNESS * density.clamp(min=LEAST_DENSITY))
    # log(exp(x) - 1) without overflow
    return outer + HALF_DEPTH - SOFTNESS * (depth + torch.log(-torch.expm1(-depth)))


@dataclass(frozen=True, eq=False)
class FineBody:
    """The body's triangles, split."""

    vertices: np.ndarray  # float64 [V, 3]
    faces: np.ndarray  # int64 [F, 3]
    corners: np.ndarray  # float32 [F, 3, 3], plane coordinates
    part: np.ndarray  # int64 [F], index into `PARTS`


def head_mesh(
    generator: Generator, planes: Planes, head: PosedHead, config: MeshConfig | None = None
) -> Mesh:
    """Body and hair of a head that the neck has not moved.

    The resolution is that of the hair over the chart; from 128 on, each doubling splits the body once more.
    """
    config = config or MeshConfig()
    body = split_body(head.model, head.vertices, max(round(math.log2(config.resolution / 64)), 0))
    outer = solid_height(planes, outer_height(generator, planes, config.resolution))
    with torch.no_grad():
        body_colours = _body_colours(generator, planes, head, body, outer)
        hair, hair_faces, hair_colours = _hair(generator, planes, head, outer)
    vertices = np.concatenate([body.vertices, hair])
    faces = np.concatenate([body.faces, hair_faces + len(body.vertices)])
    rgb = torch.cat([body_colours, hair_colours])
    return Mesh(
        vertices=vertices.astype(np.float32),
        faces=faces.astype(np.int32),
        normals=vertex_normals(vertices, faces).astype(np.float32),
        colours=(rgb.clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy(),
    )


def split_body(model: MorphableModel, vertices: np.ndarray, times: int) -> FineBody:
    """The body, each triangle split into 4^times. The surface itself stays."""
    points, faces = vertices.astype(np.float64), model.faces_np.astype(np.int64)
    corners, part = model.canonical_corners.numpy(), model.part_of_face.numpy()
    for _ in range(times):
        edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1)
        unique, number = np.unique(edges, axis=0, return_inverse=True)
        m = number.reshape(-1, 3) + len(points)
        points = np.concatenate([points, points[unique].mean(1)])
        a, b, c = corners.swapaxes(0, 1)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        corners = np.concatenate(
            [np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        )
        p, q, r = faces.T
        x, y, z = m.T
        faces = np.concatenate([np.stack(t, 1) for t in ((p, x, z), (x, q, y), (z, y, r), (x, y, z))])
        part = np.tile(part, 4)
    return FineBody(points, faces, corners, part)


def _body_colours(
    generator: Generator, planes: Planes, head: PosedHead, body: FineBody, outer: Float[Tensor, "n n"]
) -> Float[Tensor, "vertex 3"]:
    """Of the vertices, through the hair above them."""
    _, first = np.unique(body.faces.ravel(), return_index=True)
    own = torch.from_numpy(body.corners.reshape(-1, 3)[first]).float()
    skin = _decoded(generator, planes, own, "body_rgb")
    above = hair_coordinates(head, torch.from_numpy(body.vertices).float())
    top = sample_chart(outer[None], above[:, :2])[:, 0]
    cover = straight_alpha(top - chart.height_of(above[:, 2]))
    outside = np.repeat(body.part == PARTS.index("body"), 3)[first]
    cover = cover * torch.from_numpy(outside) * (above[:, 1] > chart.V_BODY[0])
    tips = torch.cat([above[:, :2], chart.height_coordinate(top - HALF_DEPTH)[:, None]], 1)
    hair = _decoded(generator, planes, tips, "hair_rgb")
    return torch.lerp(skin, hair, cover[:, None])


def _hair(
    generator: Generator, planes: Planes, head: PosedHead, outer: Float[Tensor, "n n"]
) -> tuple[np.ndarray, np.ndarray, Float[Tensor, "grid 3"]]:
    """Vertices, triangles and colours of the hair's surface; the body shows through where it is thin."""
    shell = height_shell(head.model, outer - HALF_DEPTH, EMPTY_HEIGHT)
    if len(shell.faces) == 0:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64), torch.zeros(0, 3)
    n = len(outer)
    faces = np.concatenate([shell.faces.astype(np.int64), _crown(n, shell.faces)])
    points = _with_crown(head.carrier.to_head(shell.vertices), n).double().numpy()
    hits = cast_rays(head.vertices, head.model.faces_np, points, -vertex_normals(points, faces))
    gap = torch.from_numpy(np.where(hits.hit, hits.depth, MISS_DEPTH)).float() + HALF_DEPTH
    gap[torch.from_numpy(_buried(head, points))] = 0.0
    skin_at = torch.from_numpy(interpolate_corners(head.model.canonical_corners.numpy(), hits)).float()
    skin = _decoded(generator, planes, skin_at, "body_rgb")
    at = torch.cat([chart_grid(n), chart.height_coordinate(outer - HALF_DEPTH)[..., None]], -1).view(-1, 3)
    hair = _with_crown(_decoded(generator, planes, at, "hair_rgb"), n)
    raised = height_shell(
        head.model, outer - HALF_DEPTH + GRAZING * _thick(gap[:-1]).view(n, n), EMPTY_HEIGHT
    )
    points = _with_crown(head.carrier.to_head(raised.vertices), n).double().numpy()
    used, number = np.unique(faces, return_inverse=True)
    rgb = torch.lerp(skin, hair, straight_alpha(gap)[:, None])
    return points[used], number.reshape(-1, 3), rgb[torch.from_numpy(used)]


def _with_crown(values: Float[Tensor, "grid channel"], n: int) -> Float[Tensor, "grid2 channel"]:
    """Values of the grid and of one more vertex, the mean of the topmost row."""
    return torch.cat([values, values[-n:].mean(0, keepdim=True)])


def _crown(n: int, faces: np.ndarray) -> np.ndarray:
    """Triangles that close the chart's upper end, if the surface reaches it."""
    row = (n - 1) * n + np.arange(n)
    fan = np.stack([row, np.roll(row, -1), np.full(n, n * n)], 1)
    return fan if (faces >= (n - 1) * n).any() else fan[:0]


def _buried(head: PosedHead, points: np.ndarray) -> np.ndarray:
    """Bool [N]: whether points lie inside of the body, seen from the chart's axis outwards."""
    axis = np.array([0.0, 0.0, chart.AXIS_Z])
    outward = points - axis
    outward[:, 1] = np.maximum(points[:, 1] - chart.CENTRE_Y, 0)
    length = np.linalg.norm(outward, axis=1, keepdims=True)
    scene = RayScene(head.vertices, head.model.faces_np)
    outward = outward / np.maximum(length, 1e-9)
    return scene.leaving(scene.cast(points, outward), outward)


def _thick(gap: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    t = (gap / THICK).clamp(0, 1)
    return t * t * (3 - 2 * t)


def straight_alpha(gap: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Alpha of hair whose outer height is `gap` (EG3D units) above what lies under it, seen straight down:
    1 - exp(-integral of `volume.density`)."""
    return 1 - torch.exp(-SIGMA * SOFTNESS * F.softplus(gap / SOFTNESS))


def _decoded(
    generator: Generator, planes: Planes, points: Float[Tensor, "point 3"], what: str
) -> Float[Tensor, "point 3"]:
    parts = [getattr(generator.decode(planes, part[None]), what)[0] for part in points.split(CHUNK)]
    return torch.cat(parts)
