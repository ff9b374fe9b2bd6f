"""Hair along rays by the fast path: few samples behind the surfaces of a shell that holds all hair.

The density of a tuned head needs no decoder, and colours are only looked up for samples that count.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mien.core.camera import Camera
from mien.generator.haircolours import HairColours
from mien.generator.model import Generator
from mien.generator.planes import Planes, sample_shape
from mien.generator.posed import HairShell, PosedHead, hair_coordinates
from mien.generator.volume import MISSED, density, quadrature, stratified
from mien.morphable import chart
from mien.morphable.pixels import pixel_scene
from mien.morphable.raster import RayScene

FAR: Final = 3.3
INTERVAL: Final = 0.045  # EG3D units behind the shell that are looked at per round
FAST_SAMPLES: Final = 6
FAST_ROUNDS: Final = 8
OPAQUE: Final = 0.02  # a ray stops when less than this passes
UNSEEN: Final = 0.002  # what weighs less is not decoded


@runtime_checkable
class Surfaces(Protocol):
    """The shell as a set of rays meets it."""

    def after(
        self, rays: Int[Tensor, " active"], start: Float[Tensor, " active"]
    ) -> tuple[Float[Tensor, " active"], Bool[Tensor, " active"]]:
        """Distance of each ray's next surface behind `start`, and whether the ray leaves the shell there."""
        ...


class RaySurfaces:
    """Of any rays, by ray casting: the reference."""

    def __init__(self, shell: HairShell, head: PosedHead, origins: Tensor, directions: Tensor) -> None:
        self._scene = RayScene(shell.posed_vertices(head).numpy(), shell.shell.faces)
        self._origins, self._directions = origins, directions

    def after(self, rays: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        directions = self._directions[rays]
        moved = self._origins[rays] + directions * start[:, None]
        hits = self._scene.cast(moved.numpy(), directions.numpy())
        leaving = torch.from_numpy(self._scene.leaving(hits, directions.numpy()))
        return torch.from_numpy(hits.depth) + start, leaving


class PixelSurfaces:
    """Of the rays through the pixels `kept` of a picture, by rasterising."""

    def __init__(
        self, shell: HairShell, head: PosedHead, camera: Camera, height_px: int, width_px: int, kept: Tensor
    ) -> None:
        faces = torch.from_numpy(shell.shell.faces).long()
        self._scene = pixel_scene(shell.posed_vertices(head), faces, camera, height_px, width_px, pixels=kept)
        self._kept = kept

    def after(self, rays: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        return self._scene.next_surface(self._kept[rays], start)


@dataclass(frozen=True, eq=False)
class HairTrace:
    """Fixed mixes of hair points: a ray's hair colour is sum(weight * hair_rgb(planes))."""

    weight: Float[Tensor, "ray sample"]
    planes: Float[Tensor, "ray sample 3"]
    alpha: Float[Tensor, " ray"]
    mean_planes: Float[Tensor, "ray 3"]
    """Plane coordinates of the heaviest sample."""

    def of(self, rays: Bool[Tensor, " ray"] | Int[Tensor, " some"]) -> "HairTrace":
        """Some of the rays."""
        return HairTrace(self.weight[rays], self.planes[rays], self.alpha[rays], self.mean_planes[rays])


def trace_hair(
    generator: Generator, planes: Planes, head: PosedHead, origins: Tensor, directions: Tensor, depth: Tensor,
    shell: HairShell | None,
) -> HairTrace:  # fmt: skip
    """Where each ray meets hair, by the fast path, without gradients."""
    n, samples = len(depth), FAST_SAMPLES * 2
    weight, points = torch.zeros(n, samples), torch.zeros(n, samples, 3)

    def keep(round_: int, index: Tensor, w: Tensor, q: Tensor) -> None:
        if round_ < 2:
            part = slice(round_ * FAST_SAMPLES, (round_ + 1) * FAST_SAMPLES)
            weight[index, part], points[index, part] = w, q

    if shell is not None:
        with torch.no_grad():
            surfaces = RaySurfaces(shell, head, origins, directions)
            _march(generator, planes, head, origins, directions, depth, surfaces, keep)
    heaviest = weight.argmax(1)
    return HairTrace(weight, points, weight.sum(1), points[torch.arange(n), heaviest])


def march_shell(
    generator: Generator, planes: Planes, head: PosedHead, origins: Float[Tensor, "ray 3"],
    directions: Float[Tensor, "ray 3"], depth: Float[Tensor, " ray"], surfaces: Surfaces,
    colours: HairColours | None = None,
) -> Float[Tensor, "ray 5"]:  # fmt: skip
    """Premultiplied colour, alpha and weighted distance of the hair before `depth`, without gradients.

    Colours come from the table `colours` or, without one, from the decoder.
    """
    out = torch.zeros(len(depth), 5)

    def add(round_: int, index: Tensor, w: Tensor, q: Tensor) -> None:
        seen = torch.nonzero(w.flatten() > UNSEEN)[:, 0]
        points = q.flatten(0, 1)[seen]
        rgb = generator.decode(planes, points[None]).hair_rgb[0] if colours is None else colours(points)
        parts = torch.zeros(w.numel(), 3)
        parts[seen] = w.flatten()[seen, None] * rgb
        out[index, :3] += parts.view(*w.shape, 3).sum(1)

    with torch.no_grad():
        out[:, 3], out[:, 4] = _march(generator, planes, head, origins, directions, depth, surfaces, add)
    return out


def _march(
    generator: Generator, planes: Planes, head: PosedHead, origins: Tensor, directions: Tensor, depth: Tensor,
    surfaces: Surfaces, found: Callable[[int, Tensor, Tensor, Tensor], None],
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Alpha and weighted distance; `found` takes a round, its rays, their samples' weights and places."""
    alpha, distance = torch.zeros(len(depth)), torch.zeros(len(depth))
    active, far = torch.arange(len(depth)), depth.clamp(max=FAR)
    start, q_start = torch.zeros(len(depth)), torch.zeros(len(depth), 3)
    for round_ in range(FAST_ROUNDS):
        entry, leaving = surfaces.after(active, start)
        inside = leaving & (start > 0)
        begin = torch.where(inside, start, entry)
        ok = torch.nonzero((entry < MISSED) & (begin < far[active]))[:, 0]
        active, begin, inside, q_begin = active[ok], begin[ok], inside[ok], q_start[ok]
        if len(active) == 0:
            break
        end = torch.minimum(begin + INTERVAL, far[active])
        t = stratified(begin, end, FAST_SAMPLES)
        entered = torch.nonzero(~inside)[:, 0]  # the others go on where their last interval ended
        q_begin[entered] = _coordinates(head, origins, directions, active[entered], begin[entered])
        q_end = _coordinates(head, origins, directions, active, end)
        q = _between(q_begin, q_end)
        sigma = _density(generator, planes, q)
        weight, passing = quadrature(t, sigma, end, near=begin)
        through = 1 - alpha[active]
        weight = weight * through[:, None]
        found(round_, active, weight, q)
        alpha[active] = 1 - through * passing
        distance[active] += (weight * t).sum(1)
        left = torch.nonzero(through * passing > OPAQUE)[:, 0]
        active, start, q_start = active[left], end[left], q_end[left]
    return alpha, distance


def _density(
    generator: Generator, planes: Planes, q: Float[Tensor, "ray sample 3"]
) -> Float[Tensor, "ray sample"]:
    points = q.flatten(0, 1)[None]
    height = chart.height_of(points[..., 2])
    if planes.hair_height is None:
        decoded = generator.decode(planes, points)
        sigma = density(decoded.hair_height, height, decoded.hair_share)
    else:
        outer, share = sample_shape(planes, points)
        sigma = density(outer.to(q.device), height, None if share is None else share.to(q.device))
    return sigma.view(q.shape[:2])


def _coordinates(
    head: PosedHead, origins: Tensor, directions: Tensor, rays: Tensor, distance: Tensor
) -> Float[Tensor, "active 3"]:
    return hair_coordinates(head, origins[rays] + directions[rays] * distance[:, None])


def _between(
    q_begin: Float[Tensor, "active 3"], q_end: Float[Tensor, "active 3"]
) -> Float[Tensor, "active sample 3"]:
    """Plane coordinates of stratified samples of short intervals.

    The way to the planes is smooth, so only the ends of an interval are carried; samples lie between.
    """
    step = chart.short_way(q_end - q_begin)
    share = (torch.arange(FAST_SAMPLES) + 0.5) / FAST_SAMPLES
    return q_begin[:, None] + share[:, None] * step[:, None]
