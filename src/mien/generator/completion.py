"""Completion: from what a photo shows of a head on the chart to the whole head, hidden parts included.

A U-Net (Ronneberger et al. 2015) over the chart. It reads colours where there is evidence, the other half of
the face, and the generator's own head, and adds to a fill by push-pull (`fill_chart`): untrained, it is that
fill. On the chart front and back are neighbours as on the head, so hair can go on behind an ear.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from mien.generator.decoder import BODY_RGB, HAIR_HEIGHT, HAIR_RGB, HEIGHT_SCALE, OUTPUTS, Decoded
from mien.generator.planes import Planes, resize, sample_height, wrap
from mien.generator.texels import Splatted, fill_chart, fill_charts, mirror
from mien.morphable import chart
from mien.morphable.carry import chart_grid

EVIDENCE_SIZE: Final = 256
"""Texels around the head of the evidence; what is completed has twice as many."""
FOLD: Final = 2
"""Texels of the evidence per side of one of the network's."""
PRESENT_WEIGHT: Final = 0.1
"""Weight of evidence at which a texel counts as half seen."""
FEATURES: Final = OUTPUTS + 2 * (6 + 2) + 1 + 3 + 1


@dataclass(frozen=True)
class CompletionConfig:
    """Sizes of the network."""

    widths: tuple[int, ...] = (48, 64, 96, 128)
    """Channels at 128, 64, 32, 16 texels."""


@dataclass(frozen=True, eq=False)
class ChartEvidence:
    """What is known of one head or several, over the chart at `EVIDENCE_SIZE`. Colours are logits."""

    body: Splatted
    hair: Splatted
    base: Float[Tensor, "*batch 7 size size"]
    """The generator's own head: decoder outputs on the body, and on its hair's surface."""
    height: Float[Tensor, "*batch 1 size size"]
    """Outer surface of the hair as far as it is known, in units of `HEIGHT_SCALE`."""


@dataclass(frozen=True, eq=False)
class Completed:
    """A whole head over the chart at twice the evidence's size. Colours are logits."""

    body: Float[Tensor, "*batch 3 size size"]
    hair: Float[Tensor, "*batch 3 size size"]
    height: Float[Tensor, "*batch 1 size size"]
    """Outer surface of the hair, in units of `HEIGHT_SCALE`."""


@dataclass(frozen=True, eq=False)
class CompletionInput:
    """What the network reads, and the fill that it adds to."""

    features: Float[Tensor, "*batch feature size size"]
    filled: Float[Tensor, "*batch 7 size size"]


@runtime_checkable
class Decodes(Protocol):
    """What a generator must do here."""

    def decode(self, planes: Planes, points: Float[Tensor, "batch point 3"]) -> Decoded:
        """Decoder outputs at plane coordinates."""
        ...


def completion_input(evidence: ChartEvidence, noise: Float[Tensor, "*batch 1 size size"]) -> CompletionInput:
    """Features of one head or several; `noise` (unit variance) decides what cannot be known."""
    base = evidence.base
    errors = [
        _error(evidence.body, base[..., BODY_RGB, :, :]),
        _error(evidence.hair, base[..., HAIR_RGB, :, :]),
    ]
    if base.ndim == 3:
        filled = [fill_chart(*error) for error in errors]
    else:
        filled = list(fill_charts(*(torch.stack(parts) for parts in zip(*errors, strict=True))))
    present = torch.stack([w / (w + PRESENT_WEIGHT) for _, w in errors], -3)
    own = torch.cat([*filled, present], -3)
    place = _place(base.shape[-1], base.device).expand(*base.shape[:-3], -1, -1, -1)
    above = evidence.height - base[..., HAIR_HEIGHT:, :, :]
    return CompletionInput(
        torch.cat([base / 2, own, mirror(own), above, place, noise], -3),
        torch.cat([base[..., :HAIR_HEIGHT, :, :] + torch.cat(filled, -3), evidence.height], -3),
    )


def base_of(generator: Decodes, planes: Planes, size: int = EVIDENCE_SIZE) -> Float[Tensor, "7 size size"]:
    """`bases_of` planes of one head."""
    return bases_of(generator, planes, chart_grid(size))[0]


def bases_of(
    generator: Decodes, planes: Planes, grid: Float[Tensor, "size size 2"]
) -> Float[Tensor, "batch 7 size size"]:
    """Decoder outputs at (u, v): body colours on the smooth body, hair colours on the hair's surface.

    Colours are logits, heights in units of `HEIGHT_SCALE` and within the planes' range; where the grid is.
    """
    uv = grid.reshape(1, -1, 2).expand(len(planes.uv), -1, -1)
    on_body = torch.cat([uv, chart.height_coordinate(torch.zeros_like(uv[..., :1]))], -1)
    with torch.no_grad():
        body = generator.decode(planes, on_body)
        outer = body.hair_height
        if planes.hair_height is not None:
            outer = sample_height(planes, on_body)
        outer = outer.clamp(*chart.HEIGHT_RANGE)
        surface = chart.height_coordinate(outer)
        hair = generator.decode(planes, torch.cat([uv, surface[..., None]], -1))
    rgb = torch.cat([body.body_rgb, hair.hair_rgb], -1)
    image = torch.cat([torch.logit(rgb, 1e-3), outer[..., None] / HEIGHT_SCALE], -1)
    return image.transpose(1, 2).reshape(-1, OUTPUTS, *grid.shape[:2])


class Completer(nn.Module):
    """The network. Its last layer starts at zero."""

    def __init__(self, config: CompletionConfig) -> None:
        super().__init__()
        self.config = config
        w = config.widths
        self.enter = ChartConv(FEATURES * FOLD**2, w[0])
        self.down = nn.ModuleList([_Stage(a, b, step=2) for a, b in pairwise(w)])
        self.first = _Stage(w[0], w[0])
        self.middle = _Stage(w[-1], w[-1])
        self.context = nn.Linear(w[-1], w[-1])
        self.up = nn.ModuleList([_Stage(b + a, a) for a, b in pairwise(w)][::-1])
        self.leave = ChartConv(w[0], OUTPUTS * (2 * FOLD) ** 2)
        nn.init.zeros_(self.leave.conv.weight)
        assert self.leave.conv.bias is not None
        nn.init.zeros_(self.leave.conv.bias)

    def forward(self, batch: CompletionInput) -> Completed:
        """Complete a batch of heads."""
        x = self.first(self.enter(F.pixel_unshuffle(batch.features, FOLD)))
        kept = []
        for stage in self.down:
            kept.append(x)
            x = stage(x)
        x = x + self.context(x.mean((2, 3)))[..., None, None]
        x = self.middle(x)
        for stage in self.up:
            x = stage(torch.cat([_enlarge(x), kept.pop()], 1))
        delta = F.pixel_shuffle(self.leave(F.silu(x)), 2 * FOLD)
        out = resize(batch.filled, delta.shape[-1]) + delta
        return Completed(out[:, BODY_RGB], out[:, HAIR_RGB], out[:, HAIR_HEIGHT:])


class ChartConv(nn.Module):
    """A 3 x 3 convolution over the chart: u goes around."""

    def __init__(self, channels: int, out: int, *, step: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, step)

    def forward(self, x: Float[Tensor, "batch channel v u"]) -> Float[Tensor, "batch out v2 u2"]:
        """Convolve."""
        x = wrap(x)
        x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)  # padding by mode would undo a channels-last layout
        return torch.as_tensor(self.conv(x))


class _Stage(nn.Module):
    """Two convolutions beside a short cut (He et al. 2016), the first perhaps with a stride."""

    def __init__(self, channels: int, out: int, *, step: int = 1) -> None:
        super().__init__()
        self.one = ChartConv(channels, out, step=step)
        self.two = ChartConv(out, out)
        self.short = nn.Conv2d(channels, out, 1)
        self.step = step
        nn.init.zeros_(self.two.conv.weight)

    def forward(self, x: Float[Tensor, "batch channel v u"]) -> Float[Tensor, "batch out v2 u2"]:
        inner = self.two(F.silu(self.one(F.silu(x))))
        return inner + self.short(x if self.step == 1 else F.avg_pool2d(x, self.step))


def _enlarge(x: Float[Tensor, "batch channel v u"]) -> Float[Tensor, "batch channel v2 u2"]:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _error(seen: Splatted, base: Tensor) -> Splatted:
    total, weight = seen
    return total - weight[..., None, :, :] * base, weight


@lru_cache(maxsize=2)
def _place(size: int, device: torch.device) -> Float[Tensor, "3 size size"]:
    """Where on the head a texel lies: sine and cosine of the azimuth, and the row."""
    uv = chart_grid(size)
    body = uv.clone()
    body[..., 1] = body[..., 1].clamp(min=chart.V_BODY[0])
    theta = chart.unchart_uv(body)[..., 0]
    return torch.stack([theta.sin(), theta.cos(), uv[..., 1]]).to(device)
