import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm
from torch import Tensor

from mien.core.geometry import (
    axis_angle_to_matrix,
    cross_matrix,
    geodesic_angle,
    matrix_to_axis_angle,
    matrix_to_quaternion,
    nearest_rotation,
    quaternion_to_matrix,
    slerp_rotations,
)

EYE = torch.eye(3, dtype=torch.float64)
seeds = st.integers(0, 10_000)
# Angles of all sizes, with those where formulas break: 0, tiny, and close to pi.
angles = st.one_of(
    st.floats(0, math.pi),
    st.sampled_from([0.0, 1e-12, 1e-8, 1e-5, 1e-4, 1e-3, math.pi - 1e-3, math.pi - 1e-7, math.pi]),
)


def vector(seed: int, angle: float) -> Tensor:
    axis = torch.randn(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return axis / axis.norm() * angle


def rotation(seed: int) -> Tensor:
    return axis_angle_to_matrix(vector(seed, 3.0 * ((seed * 0.618) % 1)))


@given(seed=seeds, angle=angles)
def test_axis_angle_is_the_matrix_exponential(seed: int, angle: float) -> None:
    v = vector(seed, angle)
    R = axis_angle_to_matrix(v)
    torch.testing.assert_close(R, torch.from_numpy(expm(cross_matrix(v).numpy())), atol=1e-12, rtol=0)


@given(seed=seeds, angle=angles)
def test_axis_angle_round_trip(seed: int, angle: float) -> None:
    v = vector(seed, angle)
    back = matrix_to_axis_angle(axis_angle_to_matrix(v))
    assert back.norm() <= math.pi + 1e-9
    if angle > math.pi - 1e-6:  # the axis of a half turn has no sign
        back = back * torch.sign(back @ v)
    torch.testing.assert_close(back, v, atol=1e-7, rtol=0)


@given(seed=seeds, angle=angles)
def test_quaternion_round_trip(seed: int, angle: float) -> None:
    R = axis_angle_to_matrix(vector(seed, angle))
    q = matrix_to_quaternion(R)
    assert q[0] >= 0
    torch.testing.assert_close(q.norm().item(), 1.0)
    torch.testing.assert_close(quaternion_to_matrix(q), R, atol=1e-12, rtol=0)


@given(seed=seeds, angle=angles)
def test_geodesic_angle_is_the_angle(seed: int, angle: float) -> None:
    R = rotation(seed + 1)
    found = geodesic_angle(R, R @ axis_angle_to_matrix(vector(seed, angle)))
    assert found.item() == pytest.approx(angle, abs=1e-9)


@given(seed=seeds)
def test_geodesic_angle_is_symmetric_and_invariant(seed: int) -> None:
    A, B, C = rotation(seed), rotation(seed + 1), rotation(seed + 2)
    torch.testing.assert_close(geodesic_angle(A, B), geodesic_angle(B, A))
    torch.testing.assert_close(geodesic_angle(C @ A, C @ B), geodesic_angle(A, B))


@given(seed=seeds, t=st.floats(0, 1))
def test_slerp_moves_at_constant_speed_between_its_ends(seed: int, t: float) -> None:
    A, B = rotation(seed), rotation(seed + 1)
    total = geodesic_angle(A, B)
    R = slerp_rotations(A, B, t)
    torch.testing.assert_close(geodesic_angle(A, R), t * total, atol=1e-7, rtol=0)
    torch.testing.assert_close(geodesic_angle(R, B), (1 - t) * total, atol=1e-7, rtol=0)


def test_slerp_takes_batches_and_a_time_for_each() -> None:
    A = torch.stack([rotation(i) for i in range(4)])
    B = torch.stack([rotation(i + 9) for i in range(4)])
    t = torch.tensor([0.0, 0.3, 0.6, 1.0], dtype=torch.float64)
    R = slerp_rotations(A, B, t)
    for i in range(4):
        torch.testing.assert_close(R[i], slerp_rotations(A[i], B[i], t[i].item()))


@given(seed=seeds)
def test_nearest_rotation_is_one_and_keeps_rotations(seed: int) -> None:
    R = rotation(seed)
    torch.testing.assert_close(nearest_rotation(R), R)
    M = torch.randn(3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    nearest = nearest_rotation(M)
    torch.testing.assert_close(nearest.T @ nearest, EYE)
    assert torch.det(nearest) > 0
    for other in range(5):  # no other rotation is nearer
        step = axis_angle_to_matrix(vector(other, 0.1))
        assert (nearest @ step - M).norm() >= (nearest - M).norm() - 1e-12


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-3, 1.0])
def test_gradients_are_finite_at_singular_points(angle: float) -> None:
    v = vector(3, angle).requires_grad_()
    R = axis_angle_to_matrix(v)
    loss = geodesic_angle(R, EYE) + (matrix_to_axis_angle(R) ** 2).sum() + matrix_to_quaternion(R).sum()
    loss.backward()
    assert v.grad is not None
    assert torch.isfinite(v.grad).all()


@given(seed=seeds, angle=st.floats(1e-2, 3.0))
def test_gradient_of_the_round_trip_is_the_identity(seed: int, angle: float) -> None:
    v = vector(seed, angle)
    jacobian = torch.autograd.functional.jacobian(lambda x: matrix_to_axis_angle(axis_angle_to_matrix(x)), v)
    torch.testing.assert_close(jacobian, EYE, atol=1e-6, rtol=0)


def test_float32_is_good_near_zero() -> None:
    v = torch.tensor([1e-4, -2e-4, 3e-4])
    torch.testing.assert_close(matrix_to_axis_angle(axis_angle_to_matrix(v)), v, atol=1e-7, rtol=0)
