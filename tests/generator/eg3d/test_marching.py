"""Sampling along rays and compositing: properties, and brute force."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mien.core.camera import Camera, Rays
from mien.generator.eg3d.decoder import FieldSamples
from mien.generator.eg3d.march import composite, gap_weights
from mien.generator.eg3d.rays import camera_rays
from mien.generator.eg3d.render import RenderingConfig, march_rays
from mien.generator.eg3d.sampling import (
    box_limits,
    disparity_distances,
    distances_between,
    even_distances,
    importance_distances,
    smoothed,
)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rays(camera: Camera | None = None, side: int = 9) -> Rays:
    return camera_rays([camera or Camera.orbit(0.3, 0.1)], side, torch.zeros(()))


def test_even_distances_start_near_and_reach_one_step_beyond_far() -> None:
    zero, one = torch.zeros(1, 2, 5), torch.ones(1, 2, 5)
    torch.testing.assert_close(even_distances(2.0, 3.0, zero)[0, 0], torch.tensor([2, 2.25, 2.5, 2.75, 3]))
    torch.testing.assert_close(even_distances(2.0, 3.0, one)[0, 0], torch.tensor([2.25, 2.5, 2.75, 3, 3.25]))
    u = draw(1, 2, 5)
    limits = torch.full((1, 2), 2.0).double(), torch.full((1, 2), 3.0).double()
    torch.testing.assert_close(distances_between(*limits, u), even_distances(2.0, 3.0, u))


def test_disparity_is_even_in_the_reciprocal() -> None:
    t = disparity_distances(1.0, 4.0, torch.zeros(1, 1, 7).double())[0, 0]
    assert t[0] == 1
    assert t[-1] == 4
    steps = (1 / t).diff()
    torch.testing.assert_close(steps, steps[:1].expand_as(steps))


def test_weights_are_smoothed_by_maximum_and_mean() -> None:
    found = smoothed(torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]))
    torch.testing.assert_close(found, torch.tensor([0.0, 0.5, 1.0, 0.5, 0.0]) + 0.01)


@given(seed=st.integers(0, 1000), sharp=st.floats(0.0, 30.0))
def test_importance_samples_are_monotone_and_between_the_outer_gaps(seed: int, sharp: float) -> None:
    t = even_distances(2.25, 3.3, draw(2, 3, 12, seed=seed))
    weights = torch.softmax(draw(2, 3, 11, seed=seed + 1) * sharp, -1)
    u = torch.linspace(0, 1, 20, dtype=torch.float64).expand(2, 3, 20)
    found = importance_distances(t, weights, u)
    middles = (t[..., 1:] + t[..., :-1]) / 2
    assert (found.diff(dim=-1) >= -1e-9).all()
    assert (found >= middles[..., :1] - 1e-9).all()
    assert (found <= middles[..., -2:-1] + 1e-9).all()


def test_importance_samples_follow_the_weights() -> None:
    t = even_distances(0.0, 1.0, torch.zeros(1, 1, 21).double())
    weights = torch.zeros(1, 1, 20).double()
    weights[..., 10] = 1.0
    found = importance_distances(t, weights, draw(1, 1, 4000))
    near = ((found > 0.4) & (found < 0.65)).double().mean()
    assert near > 0.9


def test_one_ray_is_enough() -> None:
    t = even_distances(2.25, 3.3, draw(1, 1, 8))
    assert importance_distances(t, draw(1, 1, 7), draw(1, 1, 5)).shape == (1, 1, 5)


def test_the_box_is_entered_and_left_on_its_faces() -> None:
    cast = rays()
    near, far = box_limits(cast, 1.0)
    for t in (near, far):
        ends = cast.origins + cast.directions * t[..., None]
        torch.testing.assert_close(ends.abs().amax(-1), torch.full_like(t, 0.5), atol=1e-5, rtol=0)
    assert (far > near).all()


def test_rays_that_miss_the_box_get_the_limits_of_those_that_hit() -> None:
    cast = rays()
    near, far = box_limits(cast, 0.3)
    t = torch.linspace(1.5, 4, 4000)
    inside = ((cast.origins[..., None, :] + cast.directions[..., None, :] * t[:, None]).abs() < 0.15).all(-1)
    hit = inside.any(-1)
    assert 0 < int(hit.sum()) < hit.numel()
    clear = inside.sum(-1) == 0
    entered = near[hit]
    assert (near[clear] <= entered.min() + 1e-6).all()
    assert (far[clear] <= entered.max() + 1e-3).all()
    away = Rays(cast.origins, -cast.directions + torch.tensor([0.0, 3.0, 0.0]))
    missed = box_limits(Rays(away.origins + 10, away.directions), 0.3)
    assert all((limit == 0).all() for limit in missed)


def test_weights_by_brute_force() -> None:
    t, sigma = even_distances(2.0, 3.0, draw(1, 1, 9))[0, 0], draw(9, seed=3) * 40 - 10
    expected, passing = [], 1.0
    for k in range(8):
        density = math.log1p(math.exp(float(sigma[k] + sigma[k + 1]) / 2 - 1))
        alpha = 1 - math.exp(-density * float(t[k + 1] - t[k]))
        expected.append(alpha * passing)
        passing *= 1 - alpha
    found = gap_weights(t[None, None], sigma[None, None])
    torch.testing.assert_close(found[0, 0], torch.tensor(expected, dtype=torch.float64), atol=1e-9, rtol=1e-6)
    assert float(found.sum()) == pytest.approx(1 - passing, abs=1e-8)


@pytest.mark.parametrize(("white", "empty"), [(False, -1.0), (True, 1.0)])
def test_nothing_gives_the_background_and_finite_gradients(white: bool, empty: float) -> None:
    t = even_distances(2.0, 3.0, torch.zeros(1, 2, 6))
    sigma = torch.full((1, 2, 6), -1e4, requires_grad=True)
    found = composite(
        t, sigma, torch.rand(1, 2, 6, 4, generator=torch.Generator().manual_seed(0)), white_back=white
    )
    assert (found.alpha == 0).all()
    assert (found.features == empty).all()
    assert (found.depth == t.max()).all()
    (found.depth.sum() + found.features.sum()).backward()
    assert sigma.grad is not None
    assert torch.isfinite(sigma.grad).all()


def ball(points: Tensor) -> FieldSamples:
    """A dense ball of radius 0.3, coloured by place."""
    sigma = torch.where(points.norm(dim=-1, keepdim=True) < 0.3, 400.0, -40.0)
    return FieldSamples(sigma, (points + 0.5).repeat(1, 1, 2))


@pytest.mark.parametrize("random", [None, 7])
def test_a_ball_has_its_depth_outline_and_colour(random: int | None) -> None:
    camera, side = Camera.orbit(0.4, -0.2), 32
    cast = camera_rays([camera], side, torch.zeros(()))
    generator = None if random is None else torch.Generator().manual_seed(random)
    found = march_rays(ball, cast, RenderingConfig(coarse=96, fine=96), generator)
    closest = torch.linalg.cross(cast.origins, cast.directions).norm(dim=-1)
    inside, outside = closest < 0.28, closest > 0.31
    along = -(cast.origins * cast.directions).sum(-1)
    first = along - (0.09 - closest.square()).clamp(min=0).sqrt()
    assert (found.alpha[..., 0][inside] > 0.99).all()
    assert (found.alpha[..., 0][outside] < 1e-3).all()
    assert ((found.depth[..., 0] - first)[inside].abs() < 0.03).all()
    place = cast.origins + cast.directions * found.depth
    assert ((found.features[..., :3] - (2 * place))[inside].abs() < 0.05).all()


def test_automatic_limits_and_no_second_pass_see_the_same_ball() -> None:
    cast = camera_rays([Camera.orbit(0.0, 0.0)], 16, torch.zeros(()))
    fine = march_rays(ball, cast, RenderingConfig(coarse=128, fine=128))
    for config in (
        RenderingConfig(near=None, far=None, coarse=128, fine=128),
        RenderingConfig(coarse=512, fine=0),
    ):
        other = march_rays(ball, cast, config)
        assert (other.alpha - fine.alpha).abs().median() < 1e-3
        assert (other.depth - fine.depth)[fine.alpha > 0.99].abs().max() < 0.02


def test_density_noise_needs_a_generator_to_matter() -> None:
    cast = camera_rays([Camera.orbit(0.0, 0.0)], 4, torch.zeros(()))
    still = [march_rays(ball, cast, RenderingConfig(density_noise=n)).features for n in (0.0, 50.0)]
    assert torch.equal(*still)
    drawn = [
        march_rays(ball, cast, RenderingConfig(density_noise=n), torch.Generator().manual_seed(0)).features
        for n in (0.0, 50.0)
    ]
    assert not torch.equal(*drawn)
