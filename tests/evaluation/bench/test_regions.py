"""Scores of regions, and depth that is compared without place and size."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mien.core.camera import Camera
from mien.evaluation.bench.frames import bench_camera
from mien.evaluation.bench.region_table import region_lines, region_means
from mien.evaluation.bench.regions import Region, eyes_apart, region_scores, relative_depth_mm
from mien.evaluation.bench.subject_files import OURS

PX = 24


def ball(camera: Camera, radius: float) -> torch.Tensor:
    """Distances to a ball around the origin."""
    rays = camera.rays(PX, PX)
    b = (rays.origins * rays.directions).sum(-1)
    inside = b**2 - (rays.origins**2).sum(-1) + radius**2
    return torch.where(inside > 0, -b - inside.clamp(min=0).sqrt(), 0.0)


def landmarks(size: float) -> torch.Tensor:
    points = torch.zeros(478, 3)
    points[33], points[263] = torch.tensor([[-0.1, 0.0, 0.2], [0.1, 0.0, 0.2]]) * size
    return points


def test_a_head_twice_as_large_and_far_has_the_same_depth() -> None:
    camera = bench_camera(25.0, 10.0)
    T = camera.T_world_camera.clone()
    T[:3, 3] *= 2
    large = replace(camera, T_world_camera=T)
    scale = eyes_apart(landmarks(1.0)) / eyes_apart(landmarks(2.0))
    one = relative_depth_mm(ball(camera, 0.3), camera, landmarks(1.0))
    other = relative_depth_mm(ball(large, 0.6), large, landmarks(2.0), scale=scale)
    assert scale == pytest.approx(0.5)
    assert np.isnan(one).any()
    assert np.isfinite(one).sum() > 20
    np.testing.assert_allclose(one, other, atol=0.01)


def test_depth_is_in_millimetres_behind_the_eyes() -> None:
    camera = bench_camera(0.0, 0.0)
    wall = 2.7 / (camera.rays(PX, PX).directions @ camera.R_world_camera[:, 2])  # the plane z = 0
    behind = relative_depth_mm(wall, camera, landmarks(1.0))
    np.testing.assert_allclose(behind, 0.2 / 0.0019, rtol=1e-3)


def test_regions_share_out_the_whole_error() -> None:
    rng = np.random.default_rng(0)
    squared, regions = rng.uniform(0, 9, (PX, PX)), rng.integers(0, 6, (PX, PX)).astype(np.uint8)
    covered = rng.uniform(size=(PX, PX)) < 0.5
    depth = np.where(covered, 3.0, np.nan)
    scores = region_scores(squared, covered, regions, depth)
    assert list(scores) == ["background", "face", "head", "neck", "hair", "clothes"]
    assert sum(s.pixels for s in scores.values()) == PX * PX
    assert sum(s.squared_error for s in scores.values()) == pytest.approx(squared.sum())
    hair, behind = scores["hair"], scores["background"]
    assert hair.squared_error_uncovered == pytest.approx(squared[(regions == Region.HAIR) & ~covered].sum())
    assert behind.squared_error_uncovered == pytest.approx(squared[(regions == 0) & covered].sum())
    assert hair.depth_error_mm == 3
    assert behind.depth_error_mm is None


def person(face: float, hair: float | None) -> dict:
    """One view with given errors in 10 pixels of the face and 30 of hair."""
    regions: dict[str, dict[str, float | None]] = {}
    regions |= {"face": {"pixels": 10, "squared_error": 10 * face, "squared_error_uncovered": 0.0,
                        "depth_error_mm": 2.0}}  # fmt: skip
    if hair is not None:
        regions |= {"hair": {"pixels": 30, "squared_error": 30 * hair, "squared_error_uncovered": 15 * hair,
                             "depth_error_mm": None}}  # fmt: skip
    return {"views": [{"yaw_deg": 15.0, "scores": {OURS: {"regions": regions}}}]}


def test_means_of_regions() -> None:
    table = region_means([person(face=6.5025, hair=1.0), person(face=65.025, hair=None)])
    face, hair = (table[OURS]["15"][name] for name in ("face", "hair"))
    assert face.psnr_db == pytest.approx((40 + 30) / 2)
    assert (face.persons, hair.persons) == (2, 1)
    assert hair.error_share == pytest.approx(30 / (30 + 65.025 + 650.25))
    assert hair.uncovered_share == pytest.approx(hair.error_share / 2)
    assert face.error_share + hair.error_share == pytest.approx(1)
    assert face.pixel_share == pytest.approx(20 / 50)
    assert face.depth_error_mm == 2
    assert hair.depth_error_mm is None
    line = region_lines(table)[-1]
    assert line.startswith(f"| {OURS} | 15° | - | 35.0, 96 % (0), 2.0 | - | - | ")
