import torch

from mien.generator.backbones import CHART_BACKBONES, BasisBackbone
from mien.generator.model import Generator
from mien.generator.planes import Planes


def stacked(planes: Planes) -> torch.Tensor:
    return torch.cat([planes.uv.flatten(1), planes.uh.flatten(1), planes.vh.flatten(1)], 1)


def test_planes_are_linear_in_w(generator: Generator) -> None:
    random = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 1, 8, generator=random)
    expression = torch.rand(1, 52, generator=random)
    mixed = stacked(generator.planes(0.3 * a + 0.7 * b, expression))
    parts = 0.3 * stacked(generator.planes(a, expression)) + 0.7 * stacked(generator.planes(b, expression))
    torch.testing.assert_close(mixed, parts, atol=1e-5, rtol=1e-5)


def test_the_neutral_face_adds_nothing(generator: Generator) -> None:
    found = generator.planes(torch.zeros(1, 8), torch.zeros(1, 52))
    backbone = generator.backbone
    torch.testing.assert_close(found.uv[0], backbone.mean_uv)
    torch.testing.assert_close(found.uh[0], backbone.mean_uh)
    moved = generator.planes(torch.zeros(1, 8), torch.ones(1, 52))
    assert not torch.equal(found.uv, moved.uv)


def test_a_batch_is_its_heads(generator: Generator) -> None:
    random = torch.Generator().manual_seed(0)
    w, expression = torch.randn(3, 8, generator=random), torch.rand(3, 52, generator=random)
    alone = torch.cat([stacked(generator.planes(w[k : k + 1], expression[k : k + 1])) for k in range(3)])
    torch.testing.assert_close(stacked(generator.planes(w, expression)), alone, atol=1e-6, rtol=1e-5)


def test_the_family_is_a_table(generator: Generator) -> None:
    assert CHART_BACKBONES[type(generator.config.backbone)] is BasisBackbone
