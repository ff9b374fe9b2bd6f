"""Tri-planes over the canonical chart: (u, v), (u, height) and (v, height); u wraps around."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class Planes:
    """Feature planes of B heads with C channels; features of the three are added."""

    uv: Float[Tensor, "batch channel v u"]
    uh: Float[Tensor, "batch channel h u2"]
    vh: Float[Tensor, "batch channel h2 v2"]
    hair_height: Float[Tensor, "batch 1 v3 u3"] | None = None
    """A tuned head's own outer surface of the hair over the chart (EG3D units), not the decoded one."""
    residual: Float[Tensor, "batch output v4 u4"] | None = None
    """A tuned head's own, added to the decoder's outputs before their sigmoid. Not to its features: a steep
    network would answer them with other colours than were asked for."""
    hair_density: Float[Tensor, "batch 1 v3 u3"] | None = None
    """A tuned head's own density of the hair in [0, 1] over the chart, beside `hair_height` and of its size;
    with a height only, hair is as dense as can be."""
    body: Float32[np.ndarray, "v5 u5 4"] | None = None
    """The first head's body colours where they are tabulated, see `bodycolours.tabulate_body`."""

    @cached_property
    def wrapped_uv(self) -> Tensor:
        """The (u, v) plane with one column of the other end on each side; kept, as every lookup reads it."""
        return wrap(self.uv)

    @cached_property
    def wrapped_uh(self) -> Tensor:
        """The (u, height) plane, likewise."""
        return wrap(self.uh)

    @cached_property
    def wrapped_shape(self) -> Tensor | None:
        """The tuned hair height and, if there is one, density, likewise."""
        if self.hair_height is None:
            return None
        parts = [self.hair_height] if self.hair_density is None else [self.hair_height, self.hair_density]
        return wrap(torch.cat(parts, 1))

    @cached_property
    def wrapped_residual(self) -> Tensor | None:
        """The residual, likewise."""
        return None if self.residual is None else wrap(self.residual)

    @cached_property
    def body_tables(self) -> tuple[np.ndarray, ...]:
        """What compiled loops look up of the body of the first head, float32 [v, u, channel]: `wrapped_uv`,
        `wrapped_uh`, `vh` and the body's colours of the residual, and `body`, which may be empty."""
        residual = (
            wrap(torch.zeros(1, 3, 1, 1)) if self.wrapped_residual is None else self.wrapped_residual[:, :3]
        )
        return (
            channels_last(self.wrapped_uv),
            channels_last(self.wrapped_uh),
            channels_last(self.vh),
            channels_last(residual),
            np.zeros((0, 0, 4), np.float32) if self.body is None else self.body,
        )


def channels_last(image: Float[Tensor, "1 channel v u"]) -> Float32[np.ndarray, "v u channel"]:
    """An image as compiled loops look it up."""
    return np.ascontiguousarray(image[0].detach().permute(1, 2, 0).float().cpu().numpy())


def resize(plane: Float[Tensor, "batch channel v u"], size: int) -> Float[Tensor, "batch channel v2 u2"]:
    """Bilinear resize of a square (u, v) plane that wraps in u."""
    if plane.shape[-1] == size:
        return plane
    width = plane.shape[-1]
    scale = size // width
    padded = torch.cat([plane[..., -1:], plane, plane[..., :1]], -1)
    big = F.interpolate(padded, scale_factor=(scale, scale), mode="bilinear", align_corners=False)
    return big[..., scale:-scale]


def sample_planes(
    planes: Planes, points: Float[Tensor, "batch point 3"]
) -> Float[Tensor, "batch point channel"]:
    """Summed bilinear features at plane coordinates (u, v, height)."""
    u, v, h = points.unbind(-1)
    u = torch.remainder(u + 1, 2.0) - 1
    return (
        lookup(planes.wrapped_uv, unwrapped(u, planes.wrapped_uv), v)
        + lookup(planes.wrapped_uh, unwrapped(u, planes.wrapped_uh), h)
        + lookup(planes.vh, v, h)
    )


def sample_shape(
    planes: Planes, points: Float[Tensor, "batch point 3"]
) -> tuple[Float[Tensor, "batch point"], Float[Tensor, "batch point"] | None]:
    """Tuned hair height at plane coordinates, and density if it has its own; only for tuned planes."""
    assert planes.wrapped_shape is not None
    u = torch.remainder(points[..., 0] + 1, 2.0) - 1
    found = lookup(planes.wrapped_shape, unwrapped(u, planes.wrapped_shape), points[..., 1])
    return found[..., 0], None if planes.hair_density is None else found[..., 1]


def sample_height(planes: Planes, points: Float[Tensor, "batch point 3"]) -> Float[Tensor, "batch point"]:
    """Tuned hair height at plane coordinates; only for planes that have one."""
    return sample_shape(planes, points)[0]


def sample_residual(
    planes: Planes, points: Float[Tensor, "batch point 3"]
) -> Float[Tensor, "batch point output"]:
    """The residual at plane coordinates; only for planes that have one."""
    assert planes.wrapped_residual is not None
    u = torch.remainder(points[..., 0] + 1, 2.0) - 1
    return lookup(planes.wrapped_residual, unwrapped(u, planes.wrapped_residual), points[..., 1])


def wrap(plane: Float[Tensor, "batch channel y u"]) -> Float[Tensor, "batch channel y u2"]:
    """One column of the other end on each side."""
    return torch.cat([plane[..., -1:], plane, plane[..., :1]], -1)


def unwrapped(u: Float[Tensor, "*batch"], wrapped_plane: Tensor) -> Float[Tensor, "*batch"]:
    """u in [-1, 1] as the x of a plane that `wrap` made wider."""
    width = wrapped_plane.shape[-1]
    return u * ((width - 2) / width)


def lookup(
    plane: Float[Tensor, "batch channel y x"],
    x: Float[Tensor, "batch point"],
    y: Float[Tensor, "batch point"],
) -> Float[Tensor, "batch point channel"]:
    """Bilinear values at places in [-1, 1], clamped at the ends."""
    grid = torch.stack([x, y], -1)[:, :, None]
    out = F.grid_sample(plane, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return out[..., 0].transpose(1, 2)
