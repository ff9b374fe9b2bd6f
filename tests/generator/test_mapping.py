import torch

from mien.generator.model import Generator


def latents(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(4))


def test_truncation(generator: Generator) -> None:
    mapping = generator.mapping
    mapping.w_avg.copy_(torch.arange(8.0))
    z = latents()
    w = mapping(z)
    torch.testing.assert_close(mapping(z, 0.0), mapping.w_avg.expand_as(w))
    torch.testing.assert_close(w, mapping(z, 1.0))
    torch.testing.assert_close(mapping(z, 0.5), (w + mapping.w_avg) / 2)


def test_only_the_direction_of_z_counts(generator: Generator) -> None:
    z = latents()
    torch.testing.assert_close(generator.mapping(z), generator.mapping(7.5 * z), atol=1e-5, rtol=1e-5)
    assert torch.isfinite(generator.mapping(torch.zeros(1, 8))).all()


def test_samples_follow_their_random_generator(generator: Generator) -> None:
    draw = [generator.sample_w(4, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(draw[0], draw[1])
    assert not torch.equal(draw[0], draw[2])
    assert torch.equal(generator.sample_w(4, truncation=0.0), generator.mapping.w_avg.expand(4, -1))
