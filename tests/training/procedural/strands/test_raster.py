"""Seeing strands."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mien.core.camera import Camera
from mien.training.procedural.strands.base import Roots, Strands
from mien.training.procedural.strands.raster import rasterise_strands

SIDE = 192
FAR = np.full((SIDE, SIDE), 1e9, np.float32)


def lines(ends: np.ndarray, width: float, points: int = 5) -> Strands:
    """Straight strands between ends [S, 2, 3]."""
    n, t = len(ends), np.linspace(0, 1, points)[None, :, None]
    xyz = (ends[:, :1] * (1 - t) + ends[:, 1:] * t).astype(np.float32)
    roots = Roots(np.zeros(n, np.int32), np.zeros((n, 3), np.float32))
    return Strands(
        xyz, np.full(n, width, np.float32), np.ones((n, 3), np.float32), np.zeros(n, np.uint8), roots
    )


@pytest.mark.parametrize("yaw", [0.0, 0.7, 2.5])
def test_a_strand_appears_where_the_camera_projects_it(yaw: float) -> None:
    strands = lines(np.array([[[-0.1, -0.15, 0.05], [0.12, 0.1, 0.0]]]), 0.006)
    camera = Camera.orbit(yaw, 0.1)
    hits = rasterise_strands(strands, camera, SIDE, FAR)
    xyz = hits.xyz(strands)
    uv = camera.project(torch.from_numpy(xyz)).uv.numpy() * SIDE - 0.5
    row, column = np.divmod(hits.samples, SIDE)
    half_width_px = 0.006 * 4.2647 / 2.5 * SIDE / 2
    assert len(xyz) > 20
    assert np.abs(uv - np.stack([column, row], 1)).max() < half_width_px + 1
    distance = np.linalg.norm(xyz - camera.position.numpy(), axis=1)
    np.testing.assert_allclose(hits.depth.ravel()[hits.samples], distance, atol=2e-3)


@pytest.mark.parametrize("width", [0.0004, 0.0008, 0.004])
def test_area_covered_is_the_strands_area(width: float) -> None:
    rng = np.random.default_rng(0)
    start = rng.uniform(-0.25, 0.25, (60, 3)) * [1, 1, 0]
    turn = rng.uniform(0, 2 * np.pi, 60)
    ends = np.stack([start, start + 0.05 * np.stack([np.cos(turn), np.sin(turn), 0 * turn], 1)], 1)
    drawn = sum(
        len(rasterise_strands(lines(e[None], width), Camera.orbit(0.0, 0.0), SIDE, FAR).samples) for e in ends
    )
    taper = 1 - 0.55 * np.mean(((np.arange(4) + 0.5) / 4) ** 2)
    expected = 60 * 0.05 * width * taper * (4.2647 / 2.7 * SIDE) ** 2
    assert drawn == pytest.approx(expected, rel=0.12)


def test_nearer_things_hide_strands_and_nearer_strands_hide_others() -> None:
    ends = np.array([[[-0.2, 0, 0.0], [0.2, 0, 0.0]], [[-0.2, 0, 0.1], [0.2, 0, 0.1]]])
    strands, camera = lines(ends, 0.01), Camera.orbit(0.0, 0.0)
    both = rasterise_strands(strands, camera, SIDE, FAR)
    assert (both.index[SIDE // 2, 60:130] == 1).all()
    assert not len(rasterise_strands(strands, camera, SIDE, np.full_like(FAR, 2.0)).samples)
    wall = FAR.copy()
    wall[:, : SIDE // 2] = 2.0
    half = rasterise_strands(strands, camera, SIDE, wall)
    assert (half.index[:, : SIDE // 2] == -1).all()
    np.testing.assert_array_equal(half.index[:, SIDE // 2 :], both.index[:, SIDE // 2 :])


def test_tangents_point_to_the_tip() -> None:
    ends = np.array([[[-0.1, -0.1, 0.0], [0.1, 0.1, 0.1]]])
    hits = rasterise_strands(lines(ends, 0.01), Camera.orbit(0.0, 0.0), SIDE, FAR)
    seen = hits.tangent.reshape(-1, 3)[hits.samples]
    way = (ends[0, 1] - ends[0, 0]) / np.linalg.norm(ends[0, 1] - ends[0, 0])
    np.testing.assert_allclose(seen, np.broadcast_to(way, seen.shape), atol=1e-4)
    assert (hits.tangent[hits.index < 0] == 0).all()


def test_no_strands_show_nothing() -> None:
    nothing = lines(np.zeros((0, 2, 3)), 0.01)
    hits = rasterise_strands(nothing, Camera.orbit(0.0, 0.0), SIDE, FAR)
    assert (hits.index == -1).all()
    np.testing.assert_array_equal(hits.depth, FAR)


def test_hidden_segments_that_are_left_out_hardly_change_the_picture(long_hair: Strands) -> None:
    """Drawn one by one, where nothing is ever buried, strands give the same picture."""
    some, camera = long_hair.of(np.arange(0, len(long_hair), 25)), Camera.orbit(0.4, 0.0)
    some = replace(some, width=np.full_like(some.width, 0.005))  # never thinner than a sample: no hashing
    far = np.full((2 * SIDE, 2 * SIDE), 1e9, np.float32)
    whole = rasterise_strands(some, camera, 2 * SIDE, far)
    depth = far.copy()
    for k in range(len(some)):
        one = rasterise_strands(some.of(np.array([k])), camera, 2 * SIDE, far)
        depth = np.minimum(depth, np.where(one.index >= 0, one.depth, depth))
    seen = depth < 1e8
    wrong = np.abs(np.where(seen, depth, 0) - np.where(whole.index >= 0, whole.depth, 0)) > 1e-4
    assert seen.sum() > 8000
    assert wrong.sum() < 0.04 * seen.sum()  # ribbons five times wider than hair; 0.028 when written
