import torch

from mien.generator.parts.hair import closed, drawn_out, dyed, in_strands, mean_colour, widths_over_heights
from mien.generator.parts.store import Parts
from mien.morphable.carry import chart_grid
from mien.morphable.regions import on_scalp

SIZE = 256


def test_hair_takes_the_colour_of_another_head(parts: Parts) -> None:
    one, other = parts.part(1), parts.part(2)
    wanted = mean_colour(other)
    assert wanted is not None
    found = dyed(one, other)
    there = torch.zeros(found.shape[1:], dtype=torch.bool)
    there[-100:] = True
    torch.testing.assert_close(found[:, there].mean(1), wanted, atol=0.05, rtol=0)
    assert found[:, there].std() > 0.1
    assert mean_colour(parts.part(0)) is None
    torch.testing.assert_close(dyed(one, parts.part(0)), drawn_out(one.hair, one.height))


def test_what_would_be_streaks_is_smooth() -> None:
    flat = torch.full((SIZE // 2, SIZE // 2), 0.03)
    wall = flat.clone()
    wall[:, SIZE // 4 - 2 : SIZE // 4 + 2] = torch.linspace(0.2, 0.03, 4)
    assert widths_over_heights(wall)[80, SIZE // 4] > 4 * widths_over_heights(flat)[80, SIZE // 4]
    stripes = torch.sin(torch.arange(SIZE) * 1.5)[None, :, None].expand(3, SIZE, SIZE)
    on_wall = drawn_out(stripes, wall)[:, 100:220, SIZE // 2]
    assert on_wall.std() < 0.1 * stripes.std()
    along = torch.sin(torch.arange(SIZE) * 1.5)[None, None].expand(3, SIZE, SIZE)
    assert drawn_out(along, flat).std() > along.std()  # strands stay, and more than that


def test_hair_ends_in_strands() -> None:
    share = torch.zeros(SIZE, SIZE)
    share[100:] = torch.linspace(0, 0.98, SIZE - 100)[:, None]
    found = in_strands(share, 4)
    assert (found[:100] == 0).all()
    assert found.min() >= 0
    assert found.max() <= 1
    assert found[100:125].mean() < share[100:125].mean()
    edge, deep = found[170:190], found[-1:]
    assert edge.std(1).mean() > 0.1  # across strands
    assert edge.std(1).mean() > 3 * edge.diff(dim=0).abs().mean()  # and little along them
    assert deep.mean() > 0.95
    assert torch.equal(found, in_strands(share, 4))
    assert not torch.equal(found, in_strands(share, 5))


def test_narrow_gaps_on_the_scalp_are_closed() -> None:
    scalp = on_scalp(chart_grid(SIZE))
    layer = torch.ones(SIZE, SIZE)
    layer[:, 100:108] = 0
    layer[:, 160:200] = 0
    found = closed(layer)
    assert torch.equal(found[~scalp], layer[~scalp])
    inner = scalp.clone()
    inner[-10:] = False
    assert (found[:, 100:108][inner[:, 100:108]] == 1).all()
    assert (found[:, 178:182][inner[:, 178:182]] == 0).all()
