import numpy as np
import pytest
import torch

from mien.morphable import chart
from mien.training.hairmaps import PROJECTED, _texel_area, hair_maps

SIZE = 32
RED, BLUE = np.array([1.0, 0, 0], np.float32), np.array([0, 0, 1.0], np.float32)


def coordinate(height: float) -> float:
    return float(chart.height_coordinate(torch.tensor(height)))


def layer(height: float, depth: float) -> tuple[np.ndarray, np.ndarray]:
    """A piece in the middle of every texel, of optical depth `depth`: places and areas."""
    g = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    v, u = np.meshgrid(g, g, indexing="ij")
    places = np.stack([u, v, np.full_like(u, coordinate(height))], -1).reshape(-1, 3)
    return places.astype(np.float32), (_texel_area(SIZE) * depth / PROJECTED).reshape(-1)


def test_opacity_and_height_of_one_layer() -> None:
    places, area = layer(0.05, 0.7)
    out = hair_maps(places, area, np.tile(RED, (len(places), 1)), SIZE)
    np.testing.assert_allclose(out.opacity, 1 - np.exp(-0.7), rtol=1e-4)
    np.testing.assert_allclose(out.height, 0.05, atol=0.4 / 80)
    np.testing.assert_allclose(out.rgb, np.broadcast_to(RED, out.rgb.shape), atol=1e-5)


def test_the_outer_layer_hides_the_inner() -> None:
    places, area = layer(0.02, 1.5)
    above, area_above = layer(0.10, 0.5)
    rgb = np.concatenate([np.tile(BLUE, (len(places), 1)), np.tile(RED, (len(above), 1))])
    out = hair_maps(np.concatenate([places, above]), np.concatenate([area, area_above]), rgb, SIZE)
    seen = 1 - np.exp(-0.5)  # of the light meets the outer layer first
    total = 1 - np.exp(-2.0)
    np.testing.assert_allclose(out.rgb[..., 0], seen / total, rtol=1e-3)
    np.testing.assert_allclose(out.rgb[..., 2], 1 - seen / total, rtol=1e-3)
    np.testing.assert_allclose(out.height, 0.10, atol=0.4 / 80)  # more than a third is lost there


def test_nothing_is_empty() -> None:
    out = hair_maps(np.zeros((0, 3), np.float32), np.zeros(0, np.float32), np.zeros((0, 3), np.float32), SIZE)
    assert (out.opacity == 0).all()
    assert (out.height == np.float32(chart.HEIGHT_RANGE[0])).all()


def test_pieces_at_the_seam_reach_both_ends() -> None:
    place = np.array([[1.0, 0.2, coordinate(0.03)]], np.float32)
    out = hair_maps(place, np.array([1e-3], np.float32), RED[None], SIZE)
    columns = np.flatnonzero(out.opacity.sum(0))
    assert set(columns) == {0, SIZE - 1}


@pytest.mark.parametrize("size", [32, 64])
def test_texels_cover_the_cylinder_below(size: int) -> None:
    """The rows of the body below the axis' upper end are a cylinder of the chart's radius."""
    area = _texel_area(size)
    v = (np.arange(size) + 0.5) / size * 2 - 1
    arc = chart.unchart_uv(torch.tensor(np.stack([np.zeros(size), np.maximum(v, chart.V_BODY[0])], 1)))[:, 1]
    rows = (v > chart.V_BODY[0] + 2 / size) & (arc.numpy() < 0)
    edge = torch.tensor([[0.0, x] for x in (v[rows][0] - 1 / size, v[rows][-1] + 1 / size)])
    low, high = chart.unchart_uv(edge)[:, 1].tolist()
    assert area[rows].sum() == pytest.approx(2 * np.pi * chart.ARC_RADIUS * (high - low), rel=0.02)


@pytest.mark.parametrize("depth", [1e-9, 1e-30, 200.0])
def test_next_to_nothing_and_very_much_are_borne(depth: float) -> None:
    places, area = layer(0.05, depth)
    below, area_below = layer(0.01, 1.0)
    rgb = np.tile(RED, (2 * len(places), 1))
    out = hair_maps(np.concatenate([places, below]), np.concatenate([area, area_below]), rgb, SIZE)
    assert np.isfinite(out.height).all()
    np.testing.assert_allclose(out.rgb[..., 0], 1, rtol=1e-3)
