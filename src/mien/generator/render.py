"""Rendering one head: body by first hit, hair by volume rendering, reference path and fast path.

The reference marches every ray through the whole box in two passes. The fast path knows from the planes where
hair can be (a shell around the decoded height field) and puts few samples behind the shell's surface.
"""

from collections.abc import Callable
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
from mien.generator.volume import MISSED, SOFTNESS, Field, MarchConfig, composite, density, march, stratified
from mien.morphable import chart
from mien.morphable.carry import Carrier, HeadMotion, chart_grid
from mien.morphable.model import MorphableModel
from mien.morphable.raster import Hits, RayScene, interpolate_corners
from mien.morphable.shell import Shell, height_shell

NEAR, FAR = 2.1, 3.3
CHUNK: Final = 24576
SHELL_SIZE: Final = 112
SHELL_MARGIN: Final = 4 * SOFTNESS
EMPTY_HEIGHT: Final = -0.035
INTERVAL: Final = 0.045  # EG3D units behind the shell that the fast path looks at per round
FAST_SAMPLES: Final = 6
FAST_ROUNDS: Final = 3
NECK_STEPS: Final = 3
OPAQUE: Final = 0.02  # a ray stops when less than this passes


@dataclass(frozen=True, eq=False)
class PosedHead:
    """Geometry of one frame: body vertices where they are seen, and how hair is carried there."""

    model: MorphableModel
    vertices: np.ndarray  # float32 [V, 3], moved pose
    carrier: Carrier
    motion: HeadMotion | None = None


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


@dataclass(frozen=True, eq=False)
class HairShell:
    """The accelerator of one avatar: surface around its hair, on the template head and in its head frame."""

    shell: Shell
    vertices_head: Float[Tensor, "grid 3"]


def pose_head(
    model: MorphableModel,
    identity: Float[Tensor, " component"],
    expression: Float[Tensor, "52"],
    carrier: Carrier,
    motion: HeadMotion | None = None,
) -> PosedHead:
    """Vertices for identity and expression, moved along the neck."""
    vertices = model.vertices(identity, expression)
    if motion is not None:
        vertices = motion.apply(vertices)
    return PosedHead(model, vertices.numpy().astype(np.float32), carrier, motion)


def outer_height(
    generator: Generator, planes: Planes, size: int = SHELL_SIZE, steps: int = 24
) -> Float[Tensor, "n n"]:
    """Largest height at which there is hair, per chart texel; `HEIGHT_RANGE[0]` where there is none."""
    if planes.hair_height is not None:
        own = planes.hair_height.cpu()
        return torch.nn.functional.interpolate(own, (size, size), mode="bilinear")[0, 0]
    low, high = chart.HEIGHT_RANGE
    heights = torch.linspace(low, high - 1e-3, steps)
    uv = chart_grid(size).view(1, -1, 2)
    outer = torch.full((size * size,), low)
    with torch.no_grad():
        for h in heights:
            third = chart.height_coordinate(h).expand(1, uv.shape[1], 1)
            decoded = generator.decode(planes, torch.cat([uv, third], -1)).hair_height[0]
            outer = torch.where(
                decoded >= h - (high - low) / steps / 2,
                torch.maximum(outer, torch.minimum(decoded, h + 0.02)),
                outer,
            )
    return outer.view(size, size)


def make_hair_shell(
    generator: Generator, planes: Planes, model: MorphableModel, carrier: Carrier
) -> HairShell | None:
    """Shell around all hair, or None for a head without hair."""
    height = outer_height(generator, planes)
    grown = torch.nn.functional.max_pool2d(
        torch.cat([height[:, -2:], height, height[:, :2]], 1)[None, None], 5, 1, 2
    )
    grown = grown[0, 0, :, 2:-2] + SHELL_MARGIN
    shell = height_shell(model, grown, EMPTY_HEIGHT + SHELL_MARGIN)
    if len(shell.faces) == 0:
        return None
    return HairShell(shell, carrier.to_head(shell.vertices))


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
    origins, directions = (t.reshape(-1, 3)[torch.from_numpy(keep)] for t in (rays.origins, rays.directions))
    out = torch.zeros(height_px * width_px, 9)
    parts = render_rays(
        generator, planes, head, origins, directions, path, shell, march_config or MarchConfig()
    )
    out[torch.from_numpy(keep)] = parts
    out = out.view(height_px, width_px, 9)
    return RenderOutput(out[..., :3], out[..., 3], out[..., 4], out[..., 5:8], out[..., 8])


def render_rays(
    generator: Generator,
    planes: Planes,
    head: PosedHead,
    origins: Float[Tensor, "ray 3"],
    directions: Float[Tensor, "ray 3"],
    path: str,
    shell: HairShell | None,
    config: MarchConfig,
) -> Float[Tensor, "ray 9"]:
    """Columns: premultiplied rgb, alpha, depth, plane coordinates of the body, hair alpha."""
    scene = RayScene(head.vertices, head.model.faces_np)
    body = scene.cast(origins.numpy(), directions.numpy())
    coords = torch.from_numpy(interpolate_corners(head.model.canonical_corners.numpy(), body)).float()
    depth, hit = torch.from_numpy(body.depth), torch.from_numpy(body.hit)
    with torch.no_grad():
        rgb = torch.zeros(len(depth), 3)
        rgb[hit] = generator.decode(planes, coords[hit][None]).body_rgb[0]
        if path == "reference":
            hair = _march_all(generator, planes, head, origins, directions, depth, config)
        else:
            hair = _march_shell(generator, planes, head, origins, directions, depth, shell)
    rest = (1 - hair[:, 3]) * hit
    colour = hair[:, :3] + rest[:, None] * rgb
    alpha = hair[:, 3] + rest
    distance = (hair[:, 4] + rest * torch.where(hit, depth, torch.zeros_like(depth))) / alpha.clamp(min=1e-6)
    distance = torch.where(alpha > 1e-3, distance, torch.zeros_like(distance))
    return torch.cat([colour, alpha[:, None], distance[:, None], coords, hair[:, 3:4]], 1)


def hair_field(generator: Generator, planes: Planes, head: PosedHead) -> Field:
    """Decoded outputs and height above the body at points [1, N, 3] of the observed frame."""

    def field(points: Tensor) -> tuple[Decoded, Tensor]:
        q, height = _hair_coordinates(head, points)
        return generator.decode(planes, q), height

    return field


def _hair_coordinates(head: PosedHead, points: Tensor) -> tuple[Tensor, Tensor]:
    rest = points if head.motion is None else head.motion.invert(points, steps=NECK_STEPS)
    q = head.carrier.to_planes(rest)
    return q, chart.height_of(q[..., 2])


def _interval_coordinates(
    head: PosedHead, origins: Tensor, directions: Tensor, begin: Tensor, end: Tensor
) -> tuple[Tensor, Tensor]:
    """Plane coordinates [1, N * S, 3] and heights of stratified samples of short intervals.

    The way to the planes is smooth, so only the ends of an interval are carried; samples lie between.
    """
    ends = torch.stack([begin, end], 1)
    points = origins[:, None] + directions[:, None] * ends[..., None]
    q, _ = _hair_coordinates(head, points)
    step = q[:, 1] - q[:, 0]
    step = torch.cat([torch.remainder(step[:, :1] + 1, 2) - 1, step[:, 1:]], 1)  # the short way round
    share = (torch.arange(FAST_SAMPLES) + 0.5) / FAST_SAMPLES
    q = (q[:, :1] + share[:, None] * step[:, None]).flatten(0, 1)[None]
    return q, chart.height_of(q[..., 2])


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


@dataclass(frozen=True, eq=False)
class HairTrace:
    """Fixed mixes of hair points: a ray's hair colour is sum(weight * hair_rgb(planes))."""

    weight: Float[Tensor, "ray sample"]
    planes: Float[Tensor, "ray sample 3"]
    alpha: Float[Tensor, " ray"]
    mean_planes: Float[Tensor, "ray 3"]
    """Plane coordinates of the heaviest sample."""


def trace_hair(
    generator: Generator, planes: Planes, head: PosedHead, origins: Tensor, directions: Tensor, depth: Tensor,
    shell: HairShell | None,
) -> HairTrace:  # fmt: skip
    """Where each ray meets hair, by the fast path, without gradients."""
    n, samples = len(depth), FAST_SAMPLES * 2
    weight, points = torch.zeros(n, samples), torch.zeros(n, samples, 3)

    def keep(index: Tensor, round_: int, w: Tensor, q: Tensor) -> None:
        if round_ < 2:
            part = slice(round_ * FAST_SAMPLES, (round_ + 1) * FAST_SAMPLES)
            weight[index, part], points[index, part] = w, q

    with torch.no_grad():
        _march_shell(generator, planes, head, origins, directions, depth, shell, keep)
    heaviest = weight.argmax(1)
    return HairTrace(weight, points, weight.sum(1), points[torch.arange(n), heaviest])


def _march_shell(
    generator: Generator, planes: Planes, head: PosedHead, origins: Tensor, directions: Tensor, depth: Tensor,
    shell: HairShell | None, keep: Callable[[Tensor, int, Tensor, Tensor], None] | None = None,
) -> Float[Tensor, "ray 5"]:  # fmt: skip
    out = torch.zeros(len(depth), 5)
    if shell is None:
        return out
    vertices = shell.vertices_head if head.motion is None else head.motion.apply(shell.vertices_head)
    scene = RayScene(vertices.numpy(), shell.shell.faces)
    through, start = torch.ones(len(depth)), torch.zeros(len(depth))
    active = torch.arange(len(depth))
    far = depth.clamp(max=FAR)
    for round_ in range(FAST_ROUNDS):
        entry, inside = _next_interval(scene, origins[active], directions[active], start[active])
        begin = torch.where(inside, start[active], entry)
        ok = (entry < MISSED) & (begin < far[active])
        active, begin = active[ok], begin[ok]
        if len(active) == 0:
            break
        end = torch.minimum(begin + INTERVAL, far[active])
        t = stratified(begin[None], end[None], FAST_SAMPLES)
        q, height = _interval_coordinates(head, origins[active], directions[active], begin, end)
        decoded = generator.decode(planes, q)
        sigma = density(decoded, height).view(t.shape)
        m, w = composite(t, sigma, decoded.hair_rgb.view(*t.shape, 3), end[None], near=begin[None])
        weight = through[active]
        if keep is not None:
            keep(active, round_, weight[:, None] * w[0], q.view(*t.shape, 3)[0])
        out[active, :3] += weight[:, None] * m.rgb[0]
        out[active, 3] += weight * m.alpha[0]
        out[active, 4] += weight * m.depth[0]
        through[active] = weight * (1 - m.alpha[0])
        start[active] = end
        active = active[through[active] > OPAQUE]
    return out


def _next_interval(
    scene: RayScene, origins: Tensor, directions: Tensor, start: Tensor
) -> tuple[Tensor, Tensor]:
    """Distance to the shell's next surface after `start`, and whether the ray is inside the shell there."""
    moved = origins + directions * start[:, None]
    hits: Hits = scene.cast(moved.numpy(), directions.numpy())
    entry = torch.from_numpy(hits.depth) + start
    leaving = torch.from_numpy(scene.leaving(hits, directions.numpy())) & (start > 0)
    return entry, leaving


def over_background(
    out: RenderOutput, background: Float[Tensor, "height width 3"]
) -> Float[Tensor, "height width 3"]:
    """Composite over a background in [0, 1]."""
    return out.rgb + (1 - out.alpha[..., None]) * background


__all__ = [
    "HairShell", "HairTrace", "PosedHead", "RenderOutput", "hair_field", "make_hair_shell", "over_background",
    "pose_head", "render", "render_rays", "trace_hair",
]  # fmt: skip
