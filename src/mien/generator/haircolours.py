"""A table of one head's hair colours, so that rendering need not run the decoder's network.

The decoder adds a small network to linear channels. The linear part is looked up in the planes as always; the
network is tabulated over the chart around the hair's outer surface: its output at one height, and the slope.
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.generator.decoder import HAIR_RGB
from mien.generator.model import Generator
from mien.generator.planes import Planes, lookup, resize, sample_height, sample_planes, unwrapped, wrap
from mien.morphable import chart
from mien.morphable.carry import chart_grid

DEPTHS: Final = (-0.003, 0.007)
"""Below the outer surface, EG3D units: where the network is tabulated."""
CHUNK: Final = 32768


@dataclass(frozen=True, eq=False)
class HairColours:
    """What hair colours are made of, on the CPU; what wraps in u has a column of the other end added."""

    uv: Float[Tensor, "1 9 v u"]
    """Linear channels, the network's output at the first of `DEPTHS`, and its slope below."""
    uh: Float[Tensor, "1 3 h u2"]
    vh: Float[Tensor, "1 3 h2 v2"]
    outer: Float[Tensor, "1 1 v3 u3"]
    """Outer surface of the hair, EG3D units above the body."""

    def __call__(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
        """Hair colours in [0, 1] at plane coordinates."""
        return torch.sigmoid(self.logits(points))

    def over_chart(self) -> Float[Tensor, "1 6 v u"]:
        """Logits at the first of `DEPTHS` below the outer surface and their slope from there to the second,
        of `uv`'s size: all that the planes hold, as far as it is linear between the two."""
        size = self.uv.shape[2]
        uv = chart_grid(size).reshape(-1, 2)
        u, v = uv.T[:, None]
        outer = lookup(self.outer, unwrapped(u, self.outer), v)[0]
        near, far = (
            self.logits(torch.cat([uv, chart.height_coordinate(outer - depth)], 1)) for depth in DEPTHS
        )
        table = torch.cat([near, (far - near) / (DEPTHS[1] - DEPTHS[0])], 1)
        return wrap(table.T.reshape(1, 6, size, size))

    def logits(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
        """The same before the sigmoid."""
        u, v, h = points.T[:, None]
        u = torch.remainder(u + 1, 2.0) - 1
        linear, near, slope = lookup(self.uv, unwrapped(u, self.uv), v)[0].split(3, 1)
        below = lookup(self.outer, unwrapped(u, self.outer), v)[0] - DEPTHS[0] - chart.height_of(h).T
        rest = lookup(self.uh, unwrapped(u, self.uh), h)[0] + lookup(self.vh, v, h)[0]
        return linear + rest + near + slope * below


def tabulate_hair(generator: Generator, planes: Planes) -> HairColours | None:
    """The table of a tuned head; None for planes whose hair height is decoded."""
    if planes.hair_height is None:
        return None
    size = planes.uv.shape[-1]
    linear, residual = planes.uv[:, HAIR_RGB], planes.residual
    uv = chart_grid(size).reshape(1, -1, 2).to(planes.uv.device)
    outer = sample_height(planes, torch.nn.functional.pad(uv, (0, 1)))
    near, far = (_network(generator, planes, uv, outer - depth) for depth in DEPTHS)
    table = torch.cat([near, (far - near) / (DEPTHS[1] - DEPTHS[0])], -1)
    image = table.view(1, size, size, 6).permute(0, 3, 1, 2)
    if residual is not None:
        size = max(size, residual.shape[-1])
        linear = resize(linear, size) + resize(residual[:, HAIR_RGB], size)
    return HairColours(
        wrap(torch.cat([linear, resize(image, size)], 1)).cpu().contiguous(),
        wrap(planes.uh[:, HAIR_RGB]).cpu(),
        planes.vh[:, HAIR_RGB].cpu(),
        wrap(planes.hair_height).cpu(),
    )


def _network(generator: Generator, planes: Planes, uv: Tensor, height: Tensor) -> Float[Tensor, "1 point 3"]:
    points = torch.cat([uv, chart.height_coordinate(height)[..., None]], -1)
    parts = points.split(CHUNK, 1)
    return torch.cat(
        [generator.decoder.layers(sample_planes(planes, part))[..., HAIR_RGB] for part in parts], 1
    )
