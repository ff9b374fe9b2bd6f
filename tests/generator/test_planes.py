import pytest
import torch

from mien.generator.planes import Planes, resize, sample_height, sample_planes, sample_residual


def planes(channels: int = 3, size: int = 8) -> Planes:
    random = torch.Generator().manual_seed(1)
    uv, uh, vh = (torch.randn(2, channels, height, size, generator=random) for height in (size, 4, 4))
    return Planes(uv, uh, vh, hair_height=torch.randn(2, 1, size, size, generator=random),
                  residual=torch.randn(2, 7, size, size, generator=random))  # fmt: skip


def points(count: int = 40) -> torch.Tensor:
    return torch.rand(2, count, 3, generator=torch.Generator().manual_seed(2)) * 2 - 1


@pytest.mark.parametrize("sample", [sample_planes, sample_height, sample_residual])
def test_u_wraps_around(sample) -> None:  # type: ignore[no-untyped-def]
    left, right = points(), points()
    left[..., 0], right[..., 0] = -1, 1
    torch.testing.assert_close(sample(planes(), left), sample(planes(), right), atol=1e-6, rtol=0)
    turned = points() + torch.tensor([2.0, 0, 0])
    torch.testing.assert_close(sample(planes(), points()), sample(planes(), turned), atol=1e-5, rtol=0)


def test_lookup_is_continuous_across_the_seam() -> None:
    left, right = points(), points()
    left[..., 0], right[..., 0] = -1 + 1e-4, 1 - 1e-4
    change = sample_planes(planes(), left) - sample_planes(planes(), right)
    assert change.abs().max() < 1e-2


def test_texel_centres_give_texels() -> None:
    p, size = planes(), 8
    centre = (torch.arange(size) + 0.5) / size * 2 - 1
    v, u = torch.meshgrid(centre, centre, indexing="ij")
    q = torch.stack([u, v, torch.zeros_like(u)], -1).reshape(1, -1, 3).expand(2, -1, -1)
    only_uv = Planes(p.uv, torch.zeros_like(p.uh), torch.zeros_like(p.vh))
    found = sample_planes(only_uv, q).transpose(1, 2).reshape(p.uv.shape)
    torch.testing.assert_close(found, p.uv, atol=1e-5, rtol=0)


def test_features_of_the_three_planes_are_added() -> None:
    p, zero = planes(), torch.zeros_like
    parts = (
        Planes(p.uv, zero(p.uh), zero(p.vh)),
        Planes(zero(p.uv), p.uh, zero(p.vh)),
        Planes(zero(p.uv), zero(p.uh), p.vh),
    )
    total = torch.stack([sample_planes(part, points()) for part in parts]).sum(0)
    torch.testing.assert_close(sample_planes(p, points()), total)


def test_beyond_the_planes_the_border_goes_on() -> None:
    inside, outside = points(), points()
    inside[..., 1:], outside[..., 1:] = 1.0, 1.7
    torch.testing.assert_close(sample_planes(planes(), inside), sample_planes(planes(), outside))


def test_resize_keeps_constants_and_wraps() -> None:
    assert (resize(torch.full((1, 2, 8, 8), 3.0), 16) == 3).all()
    plane = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(3))
    rolled = resize(plane.roll(3, -1), 16)
    torch.testing.assert_close(rolled, resize(plane, 16).roll(6, -1))
    assert resize(plane, 8) is plane
