import pytest
import torch
from torch import Tensor

from mien.generator.planes import Planes, sample_planes
from mien.generator.texels import (
    FULL_WEIGHT,
    SIZE,
    borrow_from_mirror,
    fill,
    fill_chart,
    fill_charts,
    island_rows,
    mirror,
    splat,
)


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def planes_of(uv: Tensor) -> Planes:
    """Planes of which only (u, v) holds anything."""
    nothing = torch.zeros(1, uv.shape[0], 4, 4)
    return Planes(uv[None], nothing, nothing)


@pytest.mark.parametrize("size", [16, 64])
def test_splat_is_the_transpose_of_the_lookup(size: int, random: torch.Generator) -> None:
    plane = torch.randn(3, size, size, generator=random)
    points = torch.rand(200, 2, generator=random) * torch.tensor([3.0, 2.0]) - torch.tensor([1.5, 1.0])
    values, weight = torch.randn(200, 3, generator=random), torch.rand(200, generator=random)
    total, amount = splat(points, values, weight, size)
    read = sample_planes(planes_of(plane), torch.cat([points, torch.zeros(200, 1)], 1)[None])[0]
    torch.testing.assert_close(
        (total * plane).sum(), (weight[:, None] * values * read).sum(), rtol=1e-4, atol=1e-3
    )
    torch.testing.assert_close(amount.sum(), weight.sum())


def test_fill_keeps_strong_evidence_and_fills_the_rest(random: torch.Generator) -> None:
    value = torch.rand(2, 64, 64, generator=random) + 1
    weight = torch.where(torch.rand(64, 64, generator=random) > 0.7, 2.0 * FULL_WEIGHT, 0.0)
    weight[:, 40:] = 0
    filled = fill(value * weight, weight)
    strong = weight > 0
    torch.testing.assert_close(filled[:, strong], value[:, strong])
    near = torch.nn.functional.max_pool2d(weight[None], 5, 1, 2)[0] > 0
    assert (filled[:, near] > 0).all()
    assert (filled >= 0).all()
    assert (filled <= 2).all()


def test_fill_down_to_one_texel_reaches_everything() -> None:
    weight = torch.zeros(64, 64)
    weight[5, 5] = 100
    filled = fill(3 * weight[None], weight, coarsest=1)
    assert (filled > 2).all()
    assert (filled <= 3).all()


def test_fill_of_nothing_is_nothing() -> None:
    nothing = torch.zeros(2, 64, 64)
    assert (fill(nothing, nothing[0]) == 0).all()
    assert (fill_chart(torch.zeros(3, SIZE, SIZE), torch.zeros(SIZE, SIZE)) == 0).all()


@pytest.mark.parametrize("size", [64, 128, SIZE])
def test_mirror_is_an_involution(size: int, random: torch.Generator) -> None:
    image = torch.randn(2, size, size, generator=random)
    assert torch.equal(mirror(mirror(image)), image)
    assert not torch.equal(mirror(image), image)


def test_mirror_swaps_the_eyes_and_the_sides(random: torch.Generator) -> None:
    image = torch.zeros(64, 64)
    image[2, 3] = 1.0  # on the left eye's island
    image[40, 10] = 2.0  # on the body, u < 0
    swapped = mirror(image)
    assert swapped[40, 53] == 2
    assert swapped[:, :6].sum() == 0
    assert swapped[2, 6:14].sum() == 1


def test_the_hidden_side_borrows_from_the_other() -> None:
    weight = torch.zeros(64, 64)
    weight[30:40, 40:50] = 1
    total, amount = borrow_from_mirror(2 * weight[None], weight)
    assert (amount[30:40, 14:24] > 0).all()
    torch.testing.assert_close(
        total[0][amount > 0] / amount[amount > 0], torch.full_like(amount[amount > 0], 2.0)
    )


def test_what_is_seen_takes_nothing_from_the_other_side(random: torch.Generator) -> None:
    weight, total = torch.ones(64, 64), torch.randn(1, 64, 64, generator=random)
    mirrored, amount = borrow_from_mirror(total, weight)
    assert torch.equal(mirrored, total)
    assert torch.equal(amount, weight)


def test_body_and_islands_do_not_mix() -> None:
    rows = island_rows(SIZE)
    weight = torch.zeros(SIZE, SIZE)
    weight[rows + 20 : rows + 60, 100:400] = 1
    filled = fill_chart(weight[None] * 3, weight)
    assert (filled[0, :rows] == 0).all()
    assert (filled[0, rows + 10 : rows + 70, 90:410] > 0.5).all()


@pytest.mark.parametrize("size", [64, 256])
def test_many_are_filled_as_one_by_one(size: int, random: torch.Generator) -> None:
    weight = torch.rand(2, 3, size, size, generator=random) * 2
    weight[0] *= torch.rand(3, size, size, generator=random) > 0.97  # hardly any, too little on some islands
    weight[1, 1, :, : size // 2] = 0
    weight[1, 2] = 0
    total = torch.randn(2, 3, 4, size, size, generator=random) * weight[:, :, None]
    together = fill_charts(total, weight)
    for i in range(2):
        for k in range(3):
            alone = fill_chart(total[i, k], weight[i, k])
            torch.testing.assert_close(together[i, k], alone, atol=1e-5, rtol=1e-5)
