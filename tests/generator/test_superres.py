import torch
from torch.nn import functional as F

from mien.generator.model import Generator
from mien.generator.superres import SuperResolution, SuperResolutionConfig


def picture() -> torch.Tensor:
    rgba = torch.rand(1, 4, 12, 10, generator=torch.Generator().manual_seed(0))
    return torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], 1)


def test_it_starts_bilinear() -> None:
    big = SuperResolution(SuperResolutionConfig())(picture())
    expected = F.interpolate(picture(), scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(big, expected)


def test_colour_never_exceeds_alpha(generator: Generator) -> None:
    big = generator.superres(picture())
    assert big.shape == (1, 4, 24, 20)
    assert (big >= 0).all()
    assert (big[:, 3] <= 1).all()
    assert (big[:, :3] <= big[:, 3:] + 1e-6).all()
