import torch

from mien.generator.detail import TYPICAL, evened
from mien.generator.grain import (
    HUE_PULL,
    LIGHT_PULL,
    drawn_grain,
    laid_grain,
    smoothed,
    strands,
    texel_sides,
    towards,
)
from mien.morphable import chart
from mien.morphable.carry import chart_grid

SIZE = 128


def test_strands_are_long_in_v_wrap_in_u_and_repeat_for_a_seed() -> None:
    noise = strands(SIZE, seed=3)
    torch.testing.assert_close(noise.std(), torch.tensor(1.0))
    assert torch.equal(noise, strands(SIZE, seed=3))
    assert not torch.equal(noise, strands(SIZE, seed=4))
    across = (noise - noise.roll(1, -1)).abs()
    along = (noise[:, 1:] - noise[:, :-1]).abs()
    assert along.mean() < 0.5 * across.mean()
    assert across[..., 0].mean() < 1.5 * across.mean()  # column 0 against the last one: no seam


def test_grain_has_contrast_and_colour_of_what_is_shown() -> None:
    random = torch.Generator().manual_seed(0)
    colour = torch.tensor([0.6, 0.3, 0.1])
    fine = torch.randn(1, SIZE, SIZE, generator=random) * colour[:, None, None]
    image = 2 + fine + smoothed(torch.randn(3, SIZE, SIZE, generator=random), 20) * 10
    weight = torch.zeros(SIZE, SIZE)
    weight[40:90, 20:100] = 1
    grain = drawn_grain(image, weight)
    found = torch.cov(grain.flatten(1)).diagonal().sqrt()
    assert torch.all((found / colour > 0.6) & (found / colour < 1.0))
    assert grain.mean().abs() < 0.1


def test_without_shown_hair_there_is_no_grain() -> None:
    weight = torch.zeros(SIZE, SIZE)
    weight[60:64, 60:64] = 1
    assert drawn_grain(torch.rand(3, SIZE, SIZE), weight).abs().max() == 0


def test_colour_goes_part_of_the_way_deep_inside_of_a_share() -> None:
    share = torch.zeros(SIZE, SIZE)
    share[:, 64:] = 1
    mean = torch.tensor([1.0, 2.0, 3.0])
    moved = towards(torch.zeros(3, SIZE, SIZE), mean, share)
    light = torch.full((3,), 2.0)
    torch.testing.assert_close(moved[:, 64, 96], HUE_PULL * (mean - light) + LIGHT_PULL * light)
    assert moved[:, 64, 32].abs().max() == 0


def test_laid_grain_is_like_what_is_shown_everywhere() -> None:
    random = torch.Generator().manual_seed(0)
    colour = torch.tensor([0.6, 0.3, 0.1])[:, None, None]
    fine = smoothed(torch.randn(1, 256, 256, generator=random), 1)
    fine = colour * fine / fine.std()
    image = 2 + fine + smoothed(torch.randn(3, 256, 256, generator=random), 40) * 40
    weight = torch.zeros(256, 256)
    weight[150:230, 90:170] = 1
    image = torch.where(weight > 0, image, 9.0)
    grain = laid_grain(image, weight, seed=1)
    assert grain is not None
    assert torch.equal(grain, laid_grain(image, weight, seed=1))  # type: ignore[arg-type]
    for part in (grain[:, 100:240, :64], grain[:, 150:230, 90:170], grain[:, 200:240, 100:200]):
        found = part.flatten(1).std(1) / colour[:, 0, 0]
        assert torch.all((found > 0.6) & (found < 1.2))
        assert part.mean().abs() < 0.1
        assert torch.corrcoef(part.flatten(1))[0, 2] > 0.98, "one colour"
    step = (grain - grain.roll(1, -1)).abs().mean((0, 1))
    assert step.max() < 2.5 * step.mean(), "no seams"


def test_patches_need_room() -> None:
    weight = torch.zeros(256, 256)
    weight[150:160, 90:170] = 1
    assert laid_grain(torch.rand(3, 256, 256), weight) is None


def test_texels_are_as_large_as_the_chart_makes_them() -> None:
    across, along = texel_sides(64)
    points = chart.uncapsule(torch.cat([chart.unchart_uv(chart_grid(64)), torch.full((64, 64, 1), 0.2)], -1))
    apart = (points[:, 1:] - points[:, :-1]).norm(dim=-1)
    body = slice(20, 50)
    torch.testing.assert_close(apart[body], (across[body, 1:] + across[body, :-1]) / 2, rtol=0.03, atol=0)
    apart = (points[1:] - points[:-1]).norm(dim=-1)
    torch.testing.assert_close(apart[body], (along[1:] + along[:-1])[body] / 2, rtol=0.05, atol=0)


def test_evidence_counts_alike_in_small_and_large_photos() -> None:
    weight = torch.rand(64, 64, generator=torch.Generator().manual_seed(0))
    weight[:, :20] = 0
    torch.testing.assert_close(evened(weight), evened(7 * weight))
    large = evened(weight)
    assert (large[large <= TYPICAL].sum() / large.sum() - 0.5).abs() < 0.01
    assert evened(torch.zeros(64, 64)).abs().max() == 0
