import numpy as np
import pytest
import torch
import trimesh

from mien.core.camera import Camera
from mien.io.mesh import Mesh
from mien.morphable.meshview import MeshViewer


@pytest.fixture
def ball() -> Mesh:
    """Of radius 0.3, red in front (+z) and blue behind."""
    shape = trimesh.creation.icosphere(4)
    red = shape.vertices[:, 2:] > 0
    return Mesh(
        vertices=(0.3 * shape.vertices).astype(np.float32),
        faces=shape.faces.astype(np.int32),
        normals=shape.vertices.astype(np.float32),
        colours=np.where(red, [255, 0, 0], [0, 0, 255]).astype(np.uint8),
    )


def test_a_ball_from_both_sides(ball: Mesh) -> None:
    viewer = MeshViewer(ball)
    for yaw, channel in ((0.0, 0), (np.pi, 2)):
        camera = Camera.orbit(yaw, 0.0)
        view = viewer.draw(camera, 33)
        assert view.rgb[16, 16].argmax() == channel
        assert view.rgb[16, 16].max() == pytest.approx(1.0)
        assert view.distance[16, 16] == pytest.approx(2.4, abs=2e-3)
        np.testing.assert_allclose(view.normals[16, 16], camera.position.numpy() / 2.7, atol=0.02)
        assert view.alpha[0, 0] == view.distance[0, 0] == 0
        assert (view.rgb.max(-1) <= view.alpha + 1e-6).all()


def test_the_outline_is_smooth(ball: Mesh) -> None:
    view = MeshViewer(ball).draw(Camera.orbit(0.0, 0.0), 64, rays_per_side=4)
    sine = 0.3 / 2.7
    radius = 64 * 4.2647 * sine / np.sqrt(1 - sine**2)
    assert view.alpha.sum() == pytest.approx(np.pi * radius**2, rel=0.005)
    assert torch.from_numpy(view.alpha).unique().numel() > 4
