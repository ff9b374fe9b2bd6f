import torch

from mien.generator.grain import HUE_PULL, LIGHT_PULL, drawn_grain, smoothed, strands, towards

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
