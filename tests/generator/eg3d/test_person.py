import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.core.camera import ORBIT_RADIUS, Camera
from mien.generator.eg3d.checkpoint import load_eg3d
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.eg3d.person import eg3d_person, orbit_camera, random_person, random_w
from mien.generator.eg3d.renderer import Eg3dRenderer, eg3d_renderer
from mien.generator.eg3d.rows import depth_greys, person_row
from mien.generator.people import random_sitter, sample_sheet
from mien.generator.view import Sitter


@pytest.fixture(scope="module")
def ball(ball_file: Path) -> Eg3dGenerator:
    return load_eg3d(ball_file)


def test_the_orbit_is_that_of_the_model(tiny: Eg3dGenerator) -> None:
    front = orbit_camera(tiny, 0.0)
    torch.testing.assert_close(front.to_label(), Camera.orbit(0.0, 0.0).to_label())
    for yaw, pitch in ((0.6, 0.0), (-0.4, 0.3)):
        camera = orbit_camera(tiny, yaw, pitch)
        assert camera.position.norm().item() == pytest.approx(ORBIT_RADIUS, rel=1e-5)
        assert math.copysign(1, camera.position[0]) == math.copysign(1, yaw)
        uv = camera.project(torch.tensor(tiny.config.camera_pivot)).uv
        torch.testing.assert_close(uv, torch.tensor([0.5, 0.5]))


def test_a_person_depends_on_seed_number_and_truncation(tiny: Eg3dGenerator) -> None:
    w = random_w(tiny, 5)
    assert torch.equal(w, random_w(tiny, 5))
    assert not torch.equal(w, random_w(tiny, 6))
    assert not torch.equal(w, random_w(tiny, 5, number=1))
    mean = tiny.backbone.mapping.w_avg.expand_as(w)
    torch.testing.assert_close(random_w(tiny, 5, truncation=0.0), mean)
    torch.testing.assert_close(
        random_w(tiny, 5, truncation=0.5) - mean, 0.5 * (random_w(tiny, 5, truncation=1.0) - mean)
    )


def test_the_renderer_gives_the_generators_image(tiny: Eg3dGenerator) -> None:
    w, camera = random_w(tiny, 1), orbit_camera(tiny, 0.3)
    plain, exact, fast = (
        tiny.render(tiny.planes(w), w, camera).image,
        eg3d_renderer(tiny, w, exact=True),
        eg3d_renderer(tiny, w),
    )
    assert isinstance(exact, Eg3dRenderer)
    assert isinstance(fast, Eg3dRenderer)
    assert torch.equal(exact.render(camera).image, plain)
    error = (fast.render(camera).image - plain).square().mean()
    assert -10 * float(torch.log10(error / 4)) > 40


@pytest.mark.parametrize("yaw", [0.0, 0.7])
def test_depth_and_normals_of_a_ball(ball: Eg3dGenerator, yaw: float) -> None:
    view = random_person(ball, 0, size_px=64).look(yaw)
    assert view.rgb.shape == (64, 64, 3)
    assert view.depth.shape == (48, 48)
    assert view.camera.position[0].item() == pytest.approx(-ORBIT_RADIUS * math.sin(yaw), abs=1e-5)
    rays = view.camera.rays(48, 48)
    along = -(rays.origins * rays.directions).sum(-1)
    nearest = (rays.origins + along[..., None] * rays.directions).norm(dim=-1)
    inner, outside = nearest < 0.25, nearest > 0.32
    true = along - (0.09 - nearest**2).clamp(min=0).sqrt()
    points = rays.origins + true[..., None] * rays.directions
    depth = (points - view.camera.position) @ view.camera.R_world_camera[:, 2]
    assert (view.depth - depth)[inner].abs().max() < 0.02
    assert (view.depth[outside] == 0).all()
    normals = points / 0.3 @ (view.camera.R_world_camera * torch.tensor([1.0, -1.0, -1.0]))
    assert (view.normals * normals).sum(-1)[inner].min() > 0.99
    assert (view.normals[outside] == 0).all()


def test_a_sheet_has_the_form_of_mien_bases(tiny: Eg3dGenerator) -> None:
    row = person_row(eg3d_person(tiny, random_w(tiny, 0), size_px=256), (-20.0, 20.0))
    assert len(row) == 4
    assert {picture.shape for picture in row} == {(256, 256, 3)}
    assert {picture.dtype for picture in row} == {np.dtype(np.uint8)}
    assert not np.array_equal(row[0], row[1])


def test_the_first_on_a_sheet_is_the_person_of_the_seed(tiny: Eg3dGenerator) -> None:
    sheet = sample_sheet(tiny, count=1, seed=4)
    sitter = random_sitter(tiny, seed=4, size_px=256)
    assert isinstance(sitter, Sitter)
    front = 3 + 2 * (256 + 3)
    np.testing.assert_array_equal(sheet[3:259, front : front + 256], sitter.look(0.0).rgb)


def test_greys_of_depth() -> None:
    depth = torch.tensor([[0.0, 2.4, 3.0]])
    assert depth_greys(depth)[0, :, 0].tolist() == pytest.approx([0.0, 1.0, 0.1])
    assert (depth_greys(torch.zeros(2, 2)) == 0).all()
