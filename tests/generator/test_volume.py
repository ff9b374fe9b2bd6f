import torch
from torch import Tensor

from mien.generator.decoder import Decoded
from mien.generator.volume import MarchConfig, composite, density, importance, march, stratified
from mien.morphable.chart import HEIGHT_RANGE


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_composite_is_the_loop() -> None:
    t = torch.sort(2 + random(1, 5, 9), -1).values
    sigma, rgb, far = 20 * random(1, 5, 9, seed=1), random(1, 5, 9, 3, seed=2), torch.full((1, 5), 3.1)
    near = torch.full((1, 5), 1.95)
    found, weight = composite(t, sigma, rgb, far, near)
    for ray in range(5):
        through, colour, depth = torch.ones(()), torch.zeros(3), torch.zeros(())
        for k in range(9):
            start = near[0, ray] if k == 0 else (t[0, ray, k - 1] + t[0, ray, k]) / 2
            end = far[0, ray] if k == 8 else (t[0, ray, k] + t[0, ray, k + 1]) / 2
            alpha = 1 - torch.exp(-sigma[0, ray, k] * (end - start))
            torch.testing.assert_close(weight[0, ray, k], through * alpha)
            colour = colour + through * alpha * rgb[0, ray, k]
            depth = depth + through * alpha * t[0, ray, k]
            through = through * (1 - alpha)
        torch.testing.assert_close(found.rgb[0, ray], colour)
        torch.testing.assert_close(found.depth[0, ray], depth)
        torch.testing.assert_close(found.alpha[0, ray], 1 - through)


def test_composite_at_its_ends_has_finite_gradients() -> None:
    t = stratified(torch.zeros(1, 3), torch.ones(1, 3), 6)
    sigma = torch.tensor([0.0, 1.0, 1e6])[None, :, None].repeat(1, 1, 6).requires_grad_()
    rgb = random(1, 3, 6, 3).requires_grad_()
    found, _ = composite(t, sigma, rgb, torch.ones(1, 3))
    torch.testing.assert_close(found.alpha[0, [0, 2]], torch.tensor([0.0, 1.0]))
    (found.rgb.sum() + found.alpha.sum() + found.depth.sum()).backward()
    assert sigma.grad is not None
    assert rgb.grad is not None
    assert torch.isfinite(sigma.grad).all()
    assert torch.isfinite(rgb.grad).all()


def test_stratified_is_inside_and_ordered() -> None:
    near, far = random(2, 7), 2 + random(2, 7, seed=1)
    t = stratified(near, far, 10)
    assert (t >= near[..., None]).all()
    assert (t <= far[..., None]).all()
    assert (t.diff(dim=-1) >= 0).all()


def test_importance_is_deterministic_and_inside() -> None:
    near, far = random(1, 20), 2 + random(1, 20, seed=1)
    t, weight = stratified(near, far, 12), random(1, 20, 12, seed=2) ** 8
    fine = importance(t, weight, 16)
    assert torch.equal(fine, importance(t, weight, 16))
    assert (fine >= near[..., None] - 1e-5).all()
    assert (fine <= far[..., None] + 1e-5).all()
    assert (fine.diff(dim=-1) >= -1e-6).all()


def test_importance_goes_where_the_weight_is() -> None:
    t = stratified(torch.zeros(1, 1), torch.ones(1, 1), 20)
    weight = torch.zeros(1, 1, 20)
    weight[..., 13] = 1
    fine = importance(t, weight, 40)
    assert ((fine - t[0, 0, 13]).abs() < 0.08).float().mean() > 0.9
    assert torch.isfinite(importance(t, torch.zeros_like(weight), 40)).all()


def test_density_is_hair_below_its_surface_only() -> None:
    height = torch.linspace(HEIGHT_RANGE[0] + 1e-3, HEIGHT_RANGE[1] - 1e-3, 50)[None]
    sigma = density(torch.full((1, 50), 0.05), height)
    assert (sigma.diff(dim=-1) <= 0).all()
    assert (sigma[height < 0.03] > 200).all()
    assert (sigma[height > 0.09] < 0.1).all()
    outside = torch.tensor([[HEIGHT_RANGE[0] - 0.01, HEIGHT_RANGE[1] + 0.01]])
    assert (density(torch.ones(1, 2), outside) == 0).all()


def test_march_meets_a_wall() -> None:
    """Hair whose surface is the plane z = 0, seen along -z from z = 2.5."""

    def field(points: Tensor) -> tuple[Decoded, Tensor]:
        colour = torch.tensor([0.2, 0.5, 0.8]).expand(*points.shape[:2], 3)
        return Decoded(colour, colour, torch.zeros(points.shape[:2])), points[..., 2]

    origins = torch.tensor([0.0, 0.0, 2.5]).expand(1, 4, 3)
    directions = torch.tensor([0.0, 0.0, -1.0]).expand(1, 4, 3)
    m = march(
        field,
        origins,
        directions,
        torch.full((1, 4), 2.1),
        torch.full((1, 4), 2.6),
        MarchConfig(),
    )
    torch.testing.assert_close(m.alpha, torch.ones(1, 4), atol=1e-3, rtol=0)
    torch.testing.assert_close(m.rgb[0, 0], torch.tensor([0.2, 0.5, 0.8]), atol=1e-3, rtol=0)
    torch.testing.assert_close(m.depth, torch.full((1, 4), 2.5), atol=0.02, rtol=0)
