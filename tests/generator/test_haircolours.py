"""The table of hair colours against the decoder."""

import torch
from torch import nn

from mien.generator.backbones import BasisConfig
from mien.generator.decoder import OUTPUTS, Decoder, DecoderConfig
from mien.generator.haircolours import DEPTHS, tabulate_hair
from mien.generator.model import Generator, GeneratorConfig
from mien.generator.planes import Planes, lookup, unwrapped
from mien.morphable import chart


def tuned_head() -> tuple[Generator, Planes]:
    """A generator whose network matters, and planes with a hair height; all seeded."""
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(BasisConfig())).eval().requires_grad_(False)
    assert isinstance(generator.decoder, Decoder)
    last = generator.decoder.layers[-1]
    assert isinstance(last, nn.Linear)
    nn.init.normal_(last.weight, std=0.3)
    channels = DecoderConfig().channels
    smooth = nn.functional.interpolate(torch.randn(1, channels, 12, 12), size=(96, 96), mode="bicubic")
    height = 0.03 + 0.02 * nn.functional.interpolate(torch.rand(1, 1, 6, 6), size=(24, 24), mode="bicubic")
    uh, vh = (0.3 * torch.randn(1, channels, 8, 16) for _ in range(2))
    residual = nn.functional.interpolate(torch.randn(1, OUTPUTS, 24, 24), size=(192, 192), mode="bicubic")
    return generator, Planes(smooth, uh, vh, height, residual)


def test_near_the_surface_the_table_is_the_decoder() -> None:
    generator, planes = tuned_head()
    colours = tabulate_hair(generator, planes)
    assert colours is not None
    draw = torch.Generator().manual_seed(1)
    uv = torch.rand(4000, 2, generator=draw) * 2 - 1
    uv[:200, 0] = 1 - 1e-3 * torch.rand(200, generator=draw)  # the seam
    outer = generator_height(generator, planes, uv)
    height = outer - 0.012 * torch.rand(4000, generator=draw)
    points = torch.cat([uv, chart.height_coordinate(height)[:, None]], 1)
    decoded = generator.decode(planes, points[None]).hair_rgb[0]
    assert decoded.std() > 0.1
    error = (colours(points) - decoded).abs()
    assert error.mean() < 0.004
    assert error.max() < 0.12


def test_over_the_chart_it_is_linear_below_the_surface() -> None:
    generator, planes = tuned_head()
    colours = tabulate_hair(generator, planes)
    assert colours is not None
    table = colours.over_chart()
    draw = torch.Generator().manual_seed(2)
    uv = torch.rand(4000, 2, generator=draw) * 2 - 1
    below = DEPTHS[0] + (DEPTHS[1] - DEPTHS[0]) * torch.rand(4000, generator=draw)
    points = torch.cat(
        [uv, chart.height_coordinate(generator_height(generator, planes, uv) - below)[:, None]], 1
    )
    near, slope = lookup(table, unwrapped(uv[None, :, 0], table), uv[None, :, 1])[0].split(3, 1)
    quick = torch.sigmoid(near + slope * (below - DEPTHS[0])[:, None])
    error = (quick - colours(points)).abs()
    assert colours(points).std() > 0.1
    assert error.mean() < 0.004
    assert error.max() < 0.05


def generator_height(generator: Generator, planes: Planes, uv: torch.Tensor) -> torch.Tensor:
    return generator.decode(planes, nn.functional.pad(uv, (0, 1))[None]).hair_height[0]


def test_planes_without_a_tuned_height_have_no_table() -> None:
    generator, planes = tuned_head()
    assert tabulate_hair(generator, Planes(planes.uv, planes.uh, planes.vh)) is None
