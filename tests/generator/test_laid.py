from dataclasses import replace

import torch
from torch import Tensor

from mien.generator.grain import smoothed
from mien.generator.laid import Swatch, hair_texel_sides, laid_grain, matched, texel_sides
from mien.morphable import chart
from mien.morphable.carry import chart_grid

COLOUR = torch.tensor([0.6, 0.3, 0.1])[:, None, None]
TEXEL = float(2 * torch.pi * chart.ARC_RADIUS / 256)
FLAT = torch.zeros(256, 256)


def photo(box: tuple[slice, slice], fine: Tensor, pixel: float = TEXEL) -> Swatch:
    """Hair in a box of a photo, with a coarse shade, and something else around it."""
    size = fine.shape[-1]
    shade = smoothed(torch.randn(3, size, size, generator=torch.Generator().manual_seed(4)), 40) * 40
    shown = torch.zeros(size, size)
    shown[box] = 1
    image = torch.where(shown > 0, 2 + COLOUR * fine + shade, 9.0)
    ticks = torch.linspace(-0.3, 0.3, size)
    uv = torch.stack(torch.meshgrid(ticks.flip(0), ticks, indexing="ij")[::-1])
    return Swatch(image, shown, uv, pixel)


def noise(size: int, across: int = 1, along: int | None = None) -> Tensor:
    """Of unit variance, of so wide and so long dots."""
    fine = smoothed(torch.randn(1, size, size, generator=torch.Generator().manual_seed(0)), across, along)
    return fine / fine.std()


def test_laid_grain_is_like_what_is_shown_everywhere() -> None:
    swatch = photo((slice(60, 190), slice(60, 190)), noise(256))
    grain = laid_grain(swatch, FLAT, seed=1)
    assert grain is not None
    again = laid_grain(swatch, FLAT, seed=1)
    assert again is not None
    assert torch.equal(grain, again)
    for part in (grain[:, 100:240, :64], grain[:, 150:230, 90:170], grain[:, 200:240, 100:200]):
        found = part.flatten(1).std(1) / COLOUR[:, 0, 0]
        assert torch.all((found > 0.6) & (found < 1.2))
        assert part.mean().abs() < 0.1
        assert torch.corrcoef(part.flatten(1))[0, 2] > 0.98, "one colour"
    step = (grain - grain.roll(1, -1)).abs().mean((0, 1))
    assert step.max() < 2.5 * step.mean(), "no seams"


def length(grain: Tensor, axis: int) -> float:
    """How many texels one has to go until half of the grain is another."""
    part, before = grain[:, 150:220, 90:170], 1.0
    for step in range(1, 40):
        moved = grain.roll(step, axis)[:, 150:220, 90:170]
        alike = float((part * moved).mean() / part.square().mean())
        if alike < 0.5:
            return step - (0.5 - alike) / (before - alike)
        before = alike
    return 40


def test_strands_keep_their_direction_and_their_size_on_the_head() -> None:
    box = (slice(60, 190), slice(60, 190))
    lying = laid_grain(photo(box, noise(256, 5, 1)), FLAT)
    standing = laid_grain(photo(box, noise(256, 1, 5)), FLAT)
    assert lying is not None
    assert standing is not None
    assert length(lying, -1) > 1.5 * length(lying, -2)
    assert length(standing, -2) > 1.5 * length(standing, -1)
    large = photo((slice(120, 380), slice(120, 380)), noise(512, 2), TEXEL)
    small = replace(large, pixel=TEXEL / 2)
    grains = [laid_grain(part, FLAT) for part in (large, small)]
    assert grains[0] is not None
    assert grains[1] is not None
    assert length(grains[0], -1) > 1.2 * length(grains[1], -1)


def test_hair_that_stands_off_the_head_has_finer_grain_on_the_chart() -> None:
    swatch = photo((slice(60, 190), slice(60, 190)), noise(256, 2))
    near, far = laid_grain(swatch, FLAT), laid_grain(swatch, torch.full_like(FLAT, chart.ARC_RADIUS))
    assert near is not None
    assert far is not None
    assert length(far, -1) < 0.75 * length(near, -1)
    torch.testing.assert_close(
        hair_texel_sides(torch.full((64, 64), chart.ARC_RADIUS)), 2 * texel_sides(64), rtol=1e-6, atol=0
    )


def test_patches_come_from_the_same_place_where_they_are_to_be_near() -> None:
    box = (slice(20, 236), slice(20, 236))
    swatch = photo(box, noise(256))
    rough = swatch.uv[0].abs() > 0.15  # to the sides there is grain, in the middle none
    swatch = replace(swatch, image=torch.where(rough, swatch.image, 0.0))
    grain = laid_grain(swatch, FLAT, nearest=True)
    assert grain is not None
    middle, side = grain[:, 100:150, 124:132].std(), grain[:, 100:150, 158:166].std()
    assert side > 3 * middle


def test_patches_need_room() -> None:
    assert laid_grain(photo((slice(150, 153), slice(90, 170)), noise(256)), FLAT) is None


def test_large_photos_are_taken_at_the_size_of_texels() -> None:
    swatch = photo((slice(100, 400), slice(100, 400)), noise(512), TEXEL / 2)
    small = matched(swatch, TEXEL)
    assert small.shown.shape == (256, 256)
    assert small.pixel == TEXEL
    torch.testing.assert_close(small.uv[:, 128, 128], swatch.uv[:, 256:258, 256:258].mean((1, 2)))
    torch.testing.assert_close(small.image[:, 128, 128], swatch.image[:, 256:258, 256:258].mean((1, 2)))
    assert matched(small, TEXEL / 3) is small


def test_texels_are_as_large_as_the_chart_makes_them() -> None:
    across, along = texel_sides(64)
    points = chart.uncapsule(torch.cat([chart.unchart_uv(chart_grid(64)), torch.full((64, 64, 1), 0.2)], -1))
    apart = (points[:, 1:] - points[:, :-1]).norm(dim=-1)
    body = slice(20, 50)
    torch.testing.assert_close(apart[body], (across[body, 1:] + across[body, :-1]) / 2, rtol=0.03, atol=0)
    apart = (points[1:] - points[:-1]).norm(dim=-1)
    torch.testing.assert_close(apart[body], (along[1:] + along[:-1])[body] / 2, rtol=0.05, atol=0)
