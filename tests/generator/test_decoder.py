from dataclasses import replace

import pytest
import torch
from jaxtyping import TypeCheckError

from mien.generator.decoder import HAIR_HEIGHT, HEIGHT_SCALE, OUTPUTS, Decoder, DecoderConfig
from mien.generator.model import Generator
from mien.generator.planes import Planes, sample_planes


def test_decoding_starts_linear() -> None:
    torch.manual_seed(0)
    decoder = Decoder(DecoderConfig())
    features = torch.randn(2, 50, 12)
    decoded = decoder(features)
    torch.testing.assert_close(torch.logit(decoded.body_rgb), features[..., :3], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(torch.logit(decoded.hair_rgb), features[..., 3:6], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(decoded.hair_height, features[..., HAIR_HEIGHT] * HEIGHT_SCALE)


def test_colours_stay_colours(generator: Generator) -> None:
    decoded = generator.decoder(1e3 * torch.randn(1, 100, 12, generator=torch.Generator().manual_seed(0)))
    for rgb in (decoded.body_rgb, decoded.hair_rgb):
        assert ((rgb >= 0) & (rgb <= 1)).all()


def test_a_tuned_height_replaces_the_decoded_one(generator: Generator) -> None:
    planes = generator.planes(torch.zeros(1, 8), torch.zeros(1, 52))
    tuned = Planes(planes.uv, planes.uh, planes.vh, torch.full((1, 1, 16, 16), 0.07))
    points = torch.rand(1, 20, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found, plain = generator.decode(tuned, points), generator.decode(planes, points)
    torch.testing.assert_close(found.hair_height, torch.full((1, 20), 0.07))
    assert torch.equal(found.body_rgb, plain.body_rgb)
    assert torch.equal(plain.hair_height, generator.decoder(sample_planes(planes, points)).hair_height)


def test_a_residual_shifts_the_outputs_by_itself_whatever_the_network_does(generator: Generator) -> None:
    random = torch.Generator().manual_seed(0)
    for layer in generator.decoder.parameters():
        layer.data.normal_(std=0.2, generator=random)
    planes = generator.planes(torch.zeros(1, 8), torch.zeros(1, 52))
    shift = torch.arange(OUTPUTS).view(1, OUTPUTS, 1, 1).expand(1, OUTPUTS, 16, 16) / 10
    points = torch.rand(1, 20, 3, generator=random) * 2 - 1
    found, plain = (generator.decode(replace(planes, residual=r), points) for r in (shift, None))
    body, hair = (torch.logit(a) - torch.logit(b) for a, b in (
        (found.body_rgb, plain.body_rgb), (found.hair_rgb, plain.hair_rgb)
    ))  # fmt: skip
    torch.testing.assert_close(body, torch.tensor([0.0, 0.1, 0.2]).expand(1, 20, 3), atol=1e-2, rtol=0)
    torch.testing.assert_close(hair, torch.tensor([0.3, 0.4, 0.5]).expand(1, 20, 3), atol=1e-2, rtol=0)


def test_a_wrong_shape_raises(generator: Generator) -> None:
    with pytest.raises(TypeCheckError):
        generator.decoder(torch.zeros(5, 12))  # no batch axis
    with pytest.raises(TypeCheckError):
        generator.planes(torch.zeros(2, 8), torch.zeros(3, 52))  # two heads, three expressions
