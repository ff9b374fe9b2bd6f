"""Points carried between the template head and a person, and along the neck."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mien.core.geometry import axis_angle_to_matrix, geodesic_angle
from mien.morphable import chart
from mien.morphable.carry import (
    Carrier,
    HeadMotion,
    chart_grid,
    make_carrier,
    plane_coordinates,
    sample_chart,
    surface_points,
)
from mien.morphable.model import CHIN_LANDMARK, NECK_LENGTH, MorphableModel, neck_weight


def carrier_of(model: MorphableModel, seed: int = 0) -> Carrier:
    identity = 0.8 * torch.randn(model.component_count, generator=torch.Generator().manual_seed(seed))
    return make_carrier(model, model.vertices(identity, torch.zeros(52)))


def around_the_head(model: MorphableModel, height: float, size: int = 24) -> Tensor:
    uv = chart_grid(size)
    uv[..., 1] = uv[..., 1].clamp(min=chart.V_BODY[0] + 0.05, max=0.97)
    return surface_points(model, uv, torch.full((size, size), height)).reshape(-1, 3)


@pytest.mark.parametrize("height", [-0.02, 0.05, 0.15])
def test_to_head_and_back(model: MorphableModel, height: float) -> None:
    carrier, points = carrier_of(model), around_the_head(model, height)
    error = (carrier.to_canonical(carrier.to_head(points)) - points).norm(dim=-1)
    assert error.median() < 5e-4
    assert error.quantile(0.99) < 5e-3


def test_the_template_is_carried_nowhere(model: MorphableModel) -> None:
    carrier, points = make_carrier(model, model.mean), around_the_head(model, 0.05)
    assert torch.equal(carrier.to_head(points), points)
    assert torch.equal(carrier.to_canonical(points), points)
    torch.testing.assert_close(carrier.to_planes(points), plane_coordinates(model, points))


def test_the_back_of_the_head_moves_as_its_skin_does(model: MorphableModel) -> None:
    identity = torch.randn(model.component_count, generator=torch.Generator().manual_seed(1))
    vertices = model.vertices(identity, torch.zeros(52))
    body = model.part_vertices("body")
    skull = body[(model.mean[body, 2] < -0.1) & (model.mean[body, 1] > 0)]
    carried = make_carrier(model, vertices).to_head(model.mean[skull])
    assert (carried - vertices[skull]).norm(dim=-1).max() < 0.008


def test_a_shifted_head_shifts_its_hair(model: MorphableModel) -> None:
    shift = torch.tensor([0.01, -0.02, 0.015])
    carrier, points = make_carrier(model, model.mean + shift), around_the_head(model, 0.05)
    torch.testing.assert_close(carrier.to_head(points), points + shift, atol=1e-5, rtol=0)


def test_heights_above_the_body_are_plane_coordinates(model: MorphableModel) -> None:
    q = plane_coordinates(model, around_the_head(model, 0.07))
    low, high = chart.HEIGHT_RANGE
    found = low + (q[:, 2] + 1) / 2 * (high - low)
    assert (found - 0.07).abs().max() < 2e-3


def test_chart_lookup_wraps_in_u_and_hits_texel_centres() -> None:
    image = torch.rand(2, 12, 16, generator=torch.Generator().manual_seed(0))
    v, u = torch.meshgrid(*((torch.arange(n) + 0.5) / n * 2 - 1 for n in (12, 16)), indexing="ij")
    centres = torch.stack([u, v], -1)
    torch.testing.assert_close(sample_chart(image, centres).permute(2, 0, 1), image, atol=1e-5, rtol=0)
    edge = torch.rand(20, 2, generator=torch.Generator().manual_seed(1))
    left, right = edge.clone(), edge.clone()
    left[:, 0], right[:, 0] = -1, 1
    torch.testing.assert_close(sample_chart(image, left), sample_chart(image, right), atol=1e-6, rtol=0)


def motion_of(model: MorphableModel, angles: tuple[float, float, float]) -> HeadMotion:
    chin_y = float(model.landmarks(model.mean)[CHIN_LANDMARK, 1])
    R = axis_angle_to_matrix(torch.tensor(angles))
    return HeadMotion(R, torch.tensor([0.02, -0.01, 0.03]), model.neck_joint, chin_y)


small = st.floats(-0.5, 0.5)


@settings(max_examples=25)
@given(small, small, small)
def test_motion_and_back(model: MorphableModel, yaw: float, pitch: float, roll: float) -> None:
    motion = motion_of(model, (pitch, yaw, roll))
    points = model.mean[::7]
    error = (motion.invert(motion.apply(points)) - points).norm(dim=-1)
    assert torch.isfinite(error).all()
    assert error.median() < 1e-4
    assert error.quantile(0.95) < 0.02  # where the neck bends most, the fixed point comes near only


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (0.1, 0.4, -0.1), (-0.2, -0.6, 0.1)])
def test_the_rigid_shortcut_agrees_with_the_iteration(
    model: MorphableModel, angles: tuple[float, float, float]
) -> None:
    motion = motion_of(model, angles)
    points = motion.apply(model.mean).view(-1, 7, 3)
    quick, plain = motion.invert_rigid_first(points), motion.invert(points)
    assert quick.shape == points.shape
    error = (quick - plain).norm(dim=-1)
    assert error.median() < 1e-5
    assert error.quantile(0.99) < 1e-3


def test_above_the_chin_motion_is_rigid_and_the_chest_is_still(model: MorphableModel) -> None:
    motion = motion_of(model, (0.1, 0.4, -0.1))
    points = model.mean
    moved = motion.apply(points)
    head, chest = points[:, 1] > motion.chin_y, points[:, 1] < motion.chin_y - NECK_LENGTH
    rigid = (points - motion.joint) @ motion.R_chest_head.T + motion.joint + motion.translation
    torch.testing.assert_close(moved[head], rigid[head], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[chest], points[chest], atol=1e-6, rtol=0)
    torch.testing.assert_close(motion.invert(rigid[head]), points[head], atol=1e-4, rtol=0)


def test_no_motion_is_the_identity(model: MorphableModel) -> None:
    still = HeadMotion(torch.eye(3), torch.zeros(3), model.neck_joint, -0.2)
    torch.testing.assert_close(still.apply(model.mean), model.mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(still.invert(model.mean), model.mean, atol=1e-6, rtol=0)
    angle = geodesic_angle(still.R_chest_head, torch.eye(3))
    assert float(angle) < 1e-3


def test_neck_weight_is_smooth_between_chest_and_chin() -> None:
    y = torch.linspace(-0.6, 0.2, 801, dtype=torch.float64)
    weight = neck_weight(y, -0.2)
    assert ((weight >= 0) & (weight <= 1 + 1e-12)).all()
    assert (weight[y >= -0.2] > 1 - 1e-12).all()
    assert (weight[y <= -0.2 - NECK_LENGTH] == 0).all()
    slope = weight.diff() / y.diff()
    assert (slope >= -1e-9).all()
    assert slope.diff().abs().max() < 0.5
    assert math.isclose(float(neck_weight(torch.tensor(-0.2 - NECK_LENGTH / 2), -0.2)), 0.5, abs_tol=1e-6)
