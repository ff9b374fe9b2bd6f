import torch
from torch import Tensor

from mien.generator.render import HairTrace
from mien.inversion.density import DensityConfig, HairPaths, fit_density, paths_of, shown_share, trace_of
from mien.morphable.carry import chart_grid

CONFIG = DensityConfig(rays=6000, steps=80, lr=0.15)


def straight_paths(count: int = 20000, samples: int = 3) -> HairPaths:
    """Rays straight down at random places of the chart, each of an optical depth of 3."""
    random = torch.Generator().manual_seed(0)
    uv = torch.rand(count, 1, 2, generator=random) * 2 - 1
    planes = torch.cat([uv.expand(-1, samples, -1), torch.zeros(count, samples, 1)], -1)
    return HairPaths(torch.full((count, samples), 3.0 / samples), planes)


def spot(size: int = 128) -> Tensor:
    uv = chart_grid(size)
    return 0.1 + 0.8 * torch.exp(-(uv.square().sum(-1)) / 0.2)


def test_depth_and_weights_are_inverse_to_each_other() -> None:
    depth = torch.rand(50, 6, generator=torch.Generator().manual_seed(1)) * 4
    paths = HairPaths(depth, torch.zeros(50, 6, 3))
    thin = trace_of(paths, torch.full((128, 128), 0.2))
    torch.testing.assert_close(paths_of(thin, 0.2).depth, depth, atol=2e-3, rtol=2e-3)
    assert (thin.alpha < trace_of(paths, None).alpha).all()


def test_weights_are_those_of_the_light_that_is_left() -> None:
    depth = torch.tensor([[0.5, 0.0, 2.0]])
    trace: HairTrace = trace_of(HairPaths(depth, torch.zeros(1, 3, 3)), None)
    through = torch.exp(torch.tensor([0.0, -0.5, -0.5, -2.5]))
    torch.testing.assert_close(trace.weight[0], through[:-1] - through[1:])
    torch.testing.assert_close(trace.alpha[0], 1 - through[-1])


def test_a_known_density_is_found() -> None:
    paths, known = straight_paths(), spot()
    target = shown_share(paths, known[None, None])
    prior = torch.full((128, 128), -0.5)
    found = fit_density(prior, paths, target, torch.ones(20000), CONFIG, torch.Generator().manual_seed(0))
    before = (torch.sigmoid(prior) - known).abs().mean()
    assert (found - known).abs().mean() < 0.3 * before
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_rays_without_weight_or_hair_leave_the_prior() -> None:
    paths, prior = straight_paths(), torch.full((128, 128), 0.7)
    for weight, depth in ((0.0, 1.0), (1.0, 0.0)):
        found = fit_density(
            prior,
            HairPaths(paths.depth * depth, paths.planes),
            torch.zeros(20000),
            torch.full((20000,), weight),
            CONFIG,
            torch.Generator().manual_seed(0),
        )
        torch.testing.assert_close(found, torch.sigmoid(prior))
