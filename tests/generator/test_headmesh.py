import math

import numpy as np
import pytest
import torch

from mien.core.camera import Camera
from mien.generator.headmesh import HALF_DEPTH, split_body, straight_alpha
from mien.generator.samples import StillHead, still_head
from mien.generator.view import MeshConfig, Sitter
from mien.generator.volume import density
from mien.morphable.meshview import MeshViewer
from mien.morphable.model import MorphableModel


@pytest.fixture(scope="module")
def still(known, model: MorphableModel) -> StillHead:  # type: ignore[no-untyped-def]
    return still_head(known.generator, model, known.identities[1], known.codes[1], size_px=128)


def test_alpha_straight_down_is_the_integral_of_the_density() -> None:
    heights = torch.linspace(0.0, 0.2, 200_001, dtype=torch.float64)
    for gap in (0.0, 0.002, 0.01):
        sigma = density(torch.full((1, len(heights)), gap, dtype=torch.float64), heights[None])
        alpha = 1 - math.exp(-float(torch.trapezoid(sigma[0], heights)))
        assert float(straight_alpha(torch.tensor(gap))) == pytest.approx(alpha, abs=1e-4)
    assert float(straight_alpha(torch.tensor(HALF_DEPTH))) == pytest.approx(0.5, abs=1e-5)


def test_splitting_keeps_the_surface(model: MorphableModel) -> None:
    vertices = model.mean.numpy()
    plain, fine = (split_body(model, vertices, times) for times in (0, 2))
    assert len(fine.faces) == 16 * len(plain.faces)

    def area(body) -> tuple[float, np.ndarray]:  # type: ignore[no-untyped-def]
        a, b, c = body.vertices[body.faces].swapaxes(0, 1)
        cross = np.cross(b - a, c - a)
        return float(np.linalg.norm(cross, axis=1).sum()), cross.sum(0)

    assert area(fine)[0] == pytest.approx(area(plain)[0], rel=1e-9)
    np.testing.assert_allclose(area(fine)[1], area(plain)[1], atol=1e-9)
    # plane coordinates go along with the points: a corner's is the mean over its triangle's part
    np.testing.assert_allclose(
        fine.corners.reshape(4, 4, -1, 3, 3).mean((0, 1, 3)), plain.corners.mean(1), atol=1e-5
    )


@pytest.mark.parametrize("yaw_deg", [-60.0, 0.0, 140.0])
def test_the_mesh_looks_like_the_rendered_head(still: StillHead, yaw_deg: float) -> None:
    camera = Camera.orbit(math.radians(yaw_deg), 0.0)
    out = still.view(camera, 96)
    drawn = MeshViewer(still.mesh(MeshConfig(128))).draw(camera, 96)
    rendered, meshed = out.alpha.numpy() > 0.5, drawn.alpha > 0.5
    both = rendered & meshed
    assert both.sum() / (rendered | meshed).sum() > 0.95
    assert np.abs(out.rgb.numpy() - drawn.rgb)[both].mean() < 0.03
    assert np.abs(out.depth.numpy() - drawn.distance)[both & (drawn.distance > 0)].mean() < 0.012


def test_normals_point_outwards(still: StillHead) -> None:
    assert isinstance(still, Sitter)
    camera = Camera.orbit(0.0, 0.0)
    drawn = MeshViewer(still.mesh(MeshConfig(128))).draw(camera, 64)
    hit = drawn.distance > 0
    towards = -(camera.rays(64, 64).directions.numpy() * drawn.normals).sum(-1)
    assert (towards[hit] > 0).mean() > 0.98


def test_a_view_has_maps_of_its_own_camera(still: StillHead) -> None:
    view = still.look(0.4)
    assert view.rgb.shape == (128, 128, 3)
    assert view.depth.shape == (64, 64)
    assert view.camera.position[0] < 0  # the head looks to the right of the picture
    seen = view.depth > 0
    assert 0.2 < seen.float().mean() < 0.9
    assert (view.normals[~seen] == 0).all()
    rays = view.camera.rays(64, 64)
    points = view.camera.unproject(view.camera.project(rays.origins + rays.directions).uv, view.depth)
    out = still.view(view.camera, 64)
    torch.testing.assert_close(
        (points - view.camera.position).norm(dim=-1)[seen], out.depth[seen], atol=1e-4, rtol=0
    )
