import pytest
import torch
from torch import Tensor

from mien.generator.completion import (
    FEATURES,
    ChartEvidence,
    Completer,
    CompletionConfig,
    CompletionInput,
    base_of,
    completion_input,
)
from mien.generator.model import Generator
from mien.generator.texels import mirror

SIZE = 64


def evidence(seed: int = 0) -> ChartEvidence:
    random = torch.Generator().manual_seed(seed)
    weight = (torch.rand(2, SIZE, SIZE, generator=random) > 0.6).float()
    colour = torch.randn(2, 3, SIZE, SIZE, generator=random)
    base = torch.randn(7, SIZE, SIZE, generator=random)
    body, hair = ((colour[k] * weight[k], weight[k]) for k in (0, 1))
    return ChartEvidence(body, hair, base, base[6:] + 0.1)


def batch_of(*inputs: CompletionInput) -> CompletionInput:
    return CompletionInput(torch.stack([i.features for i in inputs]), torch.stack([i.filled for i in inputs]))


@pytest.fixture
def network() -> Completer:
    torch.manual_seed(0)
    return Completer(CompletionConfig(widths=(8, 12, 16))).eval().requires_grad_(False)


def noise(seed: int = 5) -> Tensor:
    return torch.randn(1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def test_untrained_it_is_the_fill(network: Completer) -> None:
    given = completion_input(evidence(), noise())
    assert given.features.shape == (FEATURES, SIZE, SIZE)
    out = network(batch_of(given))
    assert out.body.shape == (1, 3, 2 * SIZE, 2 * SIZE)
    means = torch.nn.functional.avg_pool2d(torch.cat([out.body, out.hair, out.height], 1), 2)[0]
    middle = (slice(None), slice(2, -2), slice(1, -1))
    torch.testing.assert_close(means[middle], _blurred(given.filled)[middle], atol=1e-4, rtol=1e-4)


def test_where_there_is_enough_evidence_the_fill_is_the_evidence() -> None:
    e = evidence()
    whole = torch.ones(SIZE, SIZE)
    colour = torch.randn(3, SIZE, SIZE, generator=torch.Generator().manual_seed(9))
    full = ChartEvidence((colour, whole), e.hair, e.base, e.height)
    rows = slice(SIZE // 8 + 1, None)  # the body's
    found = completion_input(full, noise()).filled[:3, rows]
    torch.testing.assert_close(found, colour[:, rows], atol=1e-5, rtol=1e-5)


def test_it_goes_around_the_head(network: Completer) -> None:
    """A head turned by whole texels of the network about its axis is completed turned."""
    torch.nn.init.normal_(network.leave.conv.weight, 0, 0.1)
    random = torch.Generator().manual_seed(3)
    given = CompletionInput(
        torch.randn(1, FEATURES, SIZE, SIZE, generator=random),
        torch.randn(1, 7, SIZE, SIZE, generator=random),
    )
    turned = CompletionInput(given.features.roll(16, -1), given.filled.roll(16, -1))
    torch.testing.assert_close(network(turned).hair, network(given).hair.roll(32, -1), atol=1e-4, rtol=1e-4)


def test_the_other_side_is_among_the_features() -> None:
    features = completion_input(evidence(), noise()).features
    own, other = features[7:15], features[15:23]
    assert torch.equal(other, mirror(own))
    assert own.abs().amax() > 0.1


def test_base_is_what_the_generator_decodes(generator: Generator) -> None:
    planes = generator.planes(torch.ones(1, 8), torch.zeros(1, 52))
    base = base_of(generator, planes, SIZE)
    row, column = 40, 11
    u, v = (column + 0.5) / SIZE * 2 - 1, (row + 0.5) / SIZE * 2 - 1
    from mien.morphable import chart

    h = float(chart.height_coordinate(torch.tensor(0.0)))
    decoded = generator.decode(planes, torch.tensor([[[u, v, h]]]))
    torch.testing.assert_close(torch.sigmoid(base[:3, row, column]), decoded.body_rgb[0, 0])


def _blurred(image: Tensor) -> Tensor:
    """What halving an image enlarged by bilinear interpolation gives."""
    big = torch.nn.functional.interpolate(image[None], scale_factor=2, mode="bilinear", align_corners=False)
    return torch.nn.functional.avg_pool2d(big, 2)[0]
