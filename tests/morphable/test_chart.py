"""The canonical chart and its inverses."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from mien.morphable import chart
from mien.morphable.model import MorphableModel

azimuths = st.floats(-math.pi + 1e-3, math.pi - 1e-3)
arcs = st.floats(chart.S_MIN, chart.S_MAX - 1e-3)
radii = st.floats(0.02, 0.6)


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@given(azimuths, arcs, radii)
def test_capsule_round_trip(theta: float, arc: float, radius: float) -> None:
    point = tensor(theta, arc, radius)
    torch.testing.assert_close(chart.capsule(chart.uncapsule(point)), point, atol=1e-6, rtol=0)


@given(azimuths, arcs, radii)
def test_chart_round_trip_and_range(theta: float, arc: float, radius: float) -> None:
    uv = chart.chart_uv(tensor(theta, arc, radius))
    assert (uv.abs() <= 1 + 1e-9).all()
    assert uv[1] >= chart.V_BODY[0] - 1e-6
    torch.testing.assert_close(chart.unchart_uv(uv), tensor(theta, arc), atol=1e-6, rtol=0)


def test_nose_is_in_the_middle_and_the_back_at_the_seam(model: MorphableModel) -> None:
    nose = model.landmarks(model.mean)[1]
    back = model.mean[model.mean[:, 2].argmin()]
    u_nose, u_back = (float(chart.chart_uv(chart.capsule(p.double()))[0]) for p in (nose, back))
    assert abs(u_nose) < 0.03
    assert abs(u_back) > 0.8


def test_height_coordinate_covers_its_range() -> None:
    ends = chart.height_coordinate(tensor(*chart.HEIGHT_RANGE))
    torch.testing.assert_close(ends, tensor(-1.0, 1.0))


def test_gradients_are_finite_on_the_axis() -> None:
    point = tensor(0.0, 0.1, chart.AXIS_Z).requires_grad_()
    chart.chart_uv(chart.capsule(point)).sum().backward()
    assert point.grad is not None
    assert torch.isfinite(point.grad).all()
