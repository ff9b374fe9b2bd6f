import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from mien.core.camera import FFHQ_FOCAL, ORBIT_RADIUS, Camera
from mien.core.errors import InputError
from mien.core.geometry import axis_angle_to_matrix

angles = st.floats(-math.pi, math.pi)
pitches = st.floats(-math.pi / 2, math.pi / 2)
coordinates = st.floats(-1, 1)
points = st.tuples(coordinates, coordinates, coordinates)
FRONTAL = [1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 2.7, 0, 0, 0, 1]


def random_camera(seed: int) -> Camera:
    generator = torch.Generator().manual_seed(seed)
    T = torch.eye(4, dtype=torch.float64)
    T[:3, :3] = axis_angle_to_matrix(torch.randn(3, generator=generator, dtype=torch.float64))
    T[:3, 3] = torch.randn(3, generator=generator, dtype=torch.float64)
    K = torch.tensor([[3.0, 0.1, 0.4], [0.0, 5.0, 0.6], [0.0, 0.0, 1.0]], dtype=torch.float64)
    return Camera(T, K)


def test_frontal_camera_is_eg3ds() -> None:
    label = Camera.orbit(0.0, 0.0).to_label()
    assert label.shape == (25,)
    expected = [*FRONTAL, FFHQ_FOCAL, 0, 0.5, 0, FFHQ_FOCAL, 0.5, 0, 0, 1]
    torch.testing.assert_close(label, torch.tensor(expected, dtype=torch.float32))


def test_axes_of_a_frontal_view() -> None:
    camera = Camera.orbit(0.0, 0.0)
    uv = camera.project(torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0.1, 0, 0.3]])).uv
    torch.testing.assert_close(uv[0], torch.tensor([0.5, 0.5]))
    assert uv[1, 0] > 0.5  # x to the right
    assert uv[2, 1] < 0.5  # y up
    assert uv[3, 0] > uv[1, 0]  # z towards the viewer: nearer is larger


@given(yaw=angles, pitch=pitches, pivot=points, radius=st.floats(0.5, 5))
def test_orbit_looks_at_the_pivot(
    yaw: float, pitch: float, pivot: tuple[float, float, float], radius: float
) -> None:
    camera = Camera.orbit(yaw, pitch, pivot=pivot, radius=radius, dtype=torch.float64)
    seen = camera.project(torch.tensor(pivot, dtype=torch.float64))
    torch.testing.assert_close(seen.uv, torch.tensor([0.5, 0.5], dtype=torch.float64))
    torch.testing.assert_close(seen.depth, torch.tensor(radius, dtype=torch.float64))
    R = camera.R_world_camera
    torch.testing.assert_close(R.T @ R, torch.eye(3, dtype=torch.float64))
    assert torch.det(R) > 0
    assert R[1, 1] <= 1e-12  # image-down is world-down: upright
    assert abs(R[1, 0]) < 1e-12  # and level


@given(yaw=st.floats(-3, 3), pitch=st.floats(-1.4, 1.4))
def test_orbit_agrees_with_look_at(yaw: float, pitch: float) -> None:
    camera = Camera.orbit(yaw, pitch, dtype=torch.float64)
    other = Camera.look_at(camera.position, torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(camera.T_world_camera, other.T_world_camera)
    torch.testing.assert_close(camera.position.norm().item(), ORBIT_RADIUS)


def test_positive_yaw_is_to_the_right_and_positive_pitch_above() -> None:
    assert Camera.orbit(0.4, 0.0).position[0] == pytest.approx(2.7 * math.sin(0.4))
    assert Camera.orbit(0.0, 0.4).position[1] == pytest.approx(2.7 * math.sin(0.4))


def test_look_at_refuses_a_view_along_up() -> None:
    with pytest.raises(ValueError, match="parallel to `up`"):
        Camera.look_at(torch.tensor([0.0, 2.0, 0.0]), torch.zeros(3))


@given(seed=st.integers(0, 1000))
def test_unproject_inverts_project(seed: int) -> None:
    camera = random_camera(seed)
    generator = torch.Generator().manual_seed(seed)
    uv = torch.rand(4, 5, 2, generator=generator, dtype=torch.float64)
    depth = torch.rand(4, 5, generator=generator, dtype=torch.float64) + 0.1
    xyz = camera.unproject(uv, depth)
    seen = camera.project(xyz)
    torch.testing.assert_close(seen.uv, uv)
    torch.testing.assert_close(seen.depth, depth)
    torch.testing.assert_close(camera.unproject(seen.uv, seen.depth), xyz)


@given(seed=st.integers(0, 1000))
def test_points_on_a_ray_project_to_its_pixel(seed: int) -> None:
    camera = random_camera(seed)
    height, width = 3, 4
    rays = camera.rays(height, width)
    torch.testing.assert_close(rays.directions.norm(dim=-1), torch.ones(height, width, dtype=torch.float64))
    uv = camera.project(rays.origins + 1.7 * rays.directions).uv
    for row in range(height):
        for column in range(width):
            centre = torch.tensor([(column + 0.5) / width, (row + 0.5) / height], dtype=torch.float64)
            torch.testing.assert_close(uv[row, column], centre)


@given(seed=st.integers(0, 1000))
def test_label_and_opengl_round_trips(seed: int) -> None:
    camera = random_camera(seed)
    again = Camera.from_label(camera.to_label())
    torch.testing.assert_close(again.T_world_camera, camera.T_world_camera, rtol=0, atol=0)
    torch.testing.assert_close(again.intrinsics, camera.intrinsics, rtol=0, atol=0)
    torch.testing.assert_close(again.to_label(), camera.to_label(), rtol=0, atol=0)
    opengl = Camera.from_opengl(camera.to_opengl(), camera.intrinsics)
    torch.testing.assert_close(opengl.to_label(), camera.to_label(), rtol=0, atol=0)


def test_frontal_opengl_camera_has_the_worlds_axes() -> None:
    T = Camera.orbit(0.0, 0.0).to_opengl()
    torch.testing.assert_close(T[:3, :3], torch.eye(3))
    assert Camera.from_opengl(T).intrinsics[0, 0] == pytest.approx(FFHQ_FOCAL)


@pytest.mark.parametrize(("index", "value"), [(0, 2.0), (15, 0.0), (3, math.nan), (0, -1.0)])
def test_a_label_that_is_no_camera_is_refused(index: int, value: float) -> None:
    label = Camera.orbit(0.0, 0.0).to_label()
    label[index] = value
    with pytest.raises(InputError, match="is not a rotation and a translation"):
        Camera.from_label(label)


def test_a_label_with_bad_intrinsics_is_refused() -> None:
    label = Camera.orbit(0.0, 0.0).to_label()
    label[16] = 0
    with pytest.raises(InputError, match="expected finite numbers with positive focal"):
        Camera.from_label(label)


def test_gradients_are_finite_even_at_the_camera() -> None:
    camera = Camera.orbit(0.3, 0.2)
    xyz = camera.position.clone().requires_grad_()
    seen = camera.project(xyz)
    (seen.uv.sum() + seen.depth).backward()
    assert torch.isfinite(seen.uv).all()
    assert xyz.grad is not None
    assert torch.isfinite(xyz.grad).all()


def test_to_changes_the_dtype() -> None:
    camera = Camera.orbit(0.3, 0.2).to(dtype=torch.float64)
    assert camera.T_world_camera.dtype == camera.rays(2, 2).directions.dtype == torch.float64


def test_a_wrong_shape_raises() -> None:
    camera = Camera.orbit(0.0, 0.0)
    with pytest.raises(TypeCheckError):
        camera.project(torch.zeros(5, 2))
    with pytest.raises(TypeCheckError):
        Camera(torch.eye(3), torch.eye(3))


def test_a_mirrored_camera_sees_the_mirrored_world_mirrored() -> None:
    camera = Camera.orbit(0.4, 0.2, dtype=torch.float64)
    intrinsics = torch.tensor([[3.0, 0.1, 0.4], [0.0, 2.5, 0.6], [0.0, 0.0, 1.0]], dtype=torch.float64)
    camera = Camera(camera.T_world_camera, intrinsics)
    points = torch.tensor([[0.1, 0.2, 0.3], [-0.2, 0.1, 0.0]], dtype=torch.float64)
    flipped = camera.mirrored().project(points * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)).uv
    expected = camera.project(points).uv
    torch.testing.assert_close(flipped, torch.stack([1 - expected[:, 0], expected[:, 1]], 1))
    torch.testing.assert_close(camera.mirrored().mirrored().to_label(), camera.to_label())
