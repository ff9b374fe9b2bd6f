"""Regions of the head model."""

import math

import pytest
import torch

from mien.morphable.model import MorphableModel
from mien.morphable.regions import (
    REGIONS,
    azimuth_and_height,
    inside_polygon,
    landmark_uv,
    near_ears,
    on_face,
    region_faces,
)


def test_regions_are_there_and_do_not_overlap(model: MorphableModel) -> None:
    regions = region_faces(model)
    assert set(regions) == set(REGIONS)
    together = torch.stack(list(regions.values())).sum(0)
    assert all(faces.any() for faces in regions.values())
    assert int(together.max()) == 1
    assert (together[model.part_faces("eye_left", "eye_right", "tongue", "mouth")] == 1).all()


def test_regions_are_where_they_belong_and_on_both_sides(model: MorphableModel) -> None:
    centre = model.mean[model.faces].mean(1)
    regions = {name: centre[faces] for name, faces in region_faces(model).items()}
    for name, points in regions.items():
        assert abs(float(points[:, 0].mean())) < 0.01, name
    height = {name: float(points[:, 1].mean()) for name, points in regions.items()}
    assert height["lips"] < height["eyes"] < height["brows"] < height["scalp"]
    assert float(regions["ears"][:, 0].abs().min()) > 0.1
    assert float(regions["scalp"][:, 2].mean()) < float(regions["brows"][:, 2].mean())


@pytest.mark.parametrize("corners", [3, 7, 40])
def test_points_of_a_polygon(corners: int) -> None:
    angle = torch.arange(corners) * (2 * math.pi / corners) + 0.3
    polygon = torch.stack([angle.cos(), angle.sin()], 1)
    random = torch.Generator().manual_seed(0)
    points = torch.rand(500, 2, generator=random) * 3 - 1.5
    inner = math.cos(math.pi / corners)
    inside, radius = inside_polygon(points, polygon), points.norm(dim=1)
    assert inside[radius < inner].all()
    assert not inside[radius > 1].any()


def test_places_on_the_chart_are_told_by_azimuth_and_height(model: MorphableModel) -> None:
    faces, uv = region_faces(model), model.canonical_corners[..., :2].mean(1)
    ears, lips, scalp = (uv[faces[name]] for name in ("ears", "lips", "scalp"))
    assert near_ears(ears).float().mean() > 0.95
    assert not near_ears(lips).any()
    assert on_face(lips).all()
    assert not on_face(ears).any()
    assert not on_face(scalp).any()
    chin, brow, eye = landmark_uv(model, (152, 107, 33))
    assert on_face(chin)
    assert not on_face(brow)
    azimuth, height = azimuth_and_height(torch.stack([chin, eye]))
    assert azimuth[0] < 3
    assert azimuth[1] > 15
    below = model.landmarks(model.mean)[[152, 33], 1]
    torch.testing.assert_close(height, below, atol=0.02, rtol=0)
