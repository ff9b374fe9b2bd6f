"""The costs of the fit."""

from collections.abc import Callable
from dataclasses import replace

import torch
from tests.morphable.conftest import KnownHead

from mien.morphable import costs
from mien.morphable.costs import FitProblem, FitState, jacobian, project, residuals
from mien.morphable.expect import FitConfig, _tracked
from mien.morphable.fit import _set_up
from mien.morphable.landmarks import OPENINGS, landmark_model
from mien.morphable.model import MorphableModel
from mien.tracking.faces import FaceObservation

Heads = Callable[[int, int], list[KnownHead]]
Observe = Callable[..., FaceObservation]


def truth(model: MorphableModel, head: KnownHead, observe: Observe) -> tuple[FitProblem, FitState]:
    """The problem of a head with exact landmarks, and the state that solves it."""
    config, landmarks = FitConfig(encoder=False), landmark_model(model)
    problem, state, _ = _set_up(_tracked(observe(head), landmarks, config), landmarks, config, None)
    state = replace(state, identity=head.identity.double(), expression=head.expression.double())
    problem = replace(problem, R_camera_head=head.R_camera_head.double())
    return replace(problem, target=project(state, problem).uv), state


def test_states_pack_and_unpack() -> None:
    x = torch.arange(58.0 + 80, dtype=torch.float64)
    torch.testing.assert_close(FitState.unpack(x).pack(), x)


def test_image_costs_vanish_at_the_truth(
    model: MorphableModel, known_heads: Heads, exact_observation: Observe
) -> None:
    problem, state = truth(model, known_heads(3, 1)[0], exact_observation)
    projected = project(state, problem)
    for cost in (costs.landmark_cost, costs.contour_cost, costs.opening_cost, costs.bound_cost):
        assert float(cost(state, projected, problem).abs().max()) < 1e-9, cost.__name__
    assert float(costs.prior_cost(state, projected, problem).square().mean().sqrt()) < 2


def test_closing_the_mouth_costs(
    model: MorphableModel, known_heads: Heads, exact_observation: Observe
) -> None:
    problem, state = truth(model, known_heads(3, 1)[0], exact_observation)
    shut = replace(state, expression=state.expression * 0)
    gaps = costs.opening_cost(shut, project(shut, problem), problem)
    assert gaps.shape == (2 * len(OPENINGS),)
    assert float(gaps.norm()) > 3


def test_bounds_cost_only_outside(
    model: MorphableModel, known_heads: Heads, exact_observation: Observe
) -> None:
    problem, state = truth(model, known_heads(3, 1)[0], exact_observation)
    outside = state.expression.clone()
    outside[:2] = torch.tensor([-0.1, 1.1])
    state = replace(state, expression=outside)
    cost = costs.bound_cost(state, project(state, problem), problem)
    assert (cost[:2] > 1).all()
    assert (cost[2:] == 0).all()


def test_sliding_along_the_outline_is_free(
    model: MorphableModel, known_heads: Heads, exact_observation: Observe
) -> None:
    problem, state = truth(model, known_heads(3, 1)[0], exact_observation)
    along = torch.zeros_like(problem.target)
    oval = torch.tensor(costs.FACE_OVAL)
    along[oval] = problem.contour_normal.flip(-1) * torch.tensor([1.0, -1.0])
    slid = replace(problem, target=problem.target + 0.01 * along)
    assert float(costs.contour_cost(state, project(state, slid), slid).abs().max()) < 1e-9


def test_jacobian_agrees_with_automatic_differentiation(
    model: MorphableModel, known_heads: Heads, exact_observation: Observe
) -> None:
    problem, state = truth(model, known_heads(3, 1)[0], exact_observation)
    noise = torch.randn(58 + model.component_count, generator=torch.Generator().manual_seed(0))
    x = state.pack() + 0.05 * noise.double()
    r, J = jacobian(x, problem, free=len(x))
    torch.testing.assert_close(r, residuals(x, problem))
    weights = torch.randn(len(r), generator=torch.Generator().manual_seed(1)).double()
    x.requires_grad_()
    (residuals(x, problem) * weights).sum().backward()
    torch.testing.assert_close(J.T @ weights, x.grad, rtol=1e-4, atol=1e-3)
