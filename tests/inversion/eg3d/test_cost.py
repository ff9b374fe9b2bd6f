"""The masked cost."""

import pytest
import torch

from mien.inversion.eg3d.cost import Target, image_cost


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def half_masked(image: torch.Tensor) -> Target:
    mask = torch.zeros(1, 32, 32)
    mask[:, 8:24, 8:24] = 1
    return Target(image, mask)


def test_zero_where_equal_and_positive_elsewhere() -> None:
    image = random(3, 32, 32)
    assert image_cost(image[None], half_masked(image)) == 0
    assert image_cost(random(1, 3, 32, 32, seed=1), half_masked(image)) > 0.1


def test_what_is_masked_does_not_count() -> None:
    image, target = random(1, 3, 32, 32).requires_grad_(True), random(3, 32, 32, seed=1)
    cost = image_cost(image, half_masked(target))
    cost.backward()
    outside = half_masked(target).mask[0] == 0
    assert image.grad is not None
    assert (image.grad[0][:, outside] == 0).all()
    assert (image.grad[0][:, ~outside] != 0).any()
    changed = target.clone()
    changed[:, outside] = 0.7
    assert torch.equal(image_cost(image.detach(), half_masked(changed)), cost.detach())


@pytest.mark.parametrize("side", [8, 16, 64])
def test_no_masked_pixel_bleeds_in_when_resized(side: int) -> None:
    image = random(3, 32, 32)
    changed = torch.where(half_masked(image).mask > 0, image, torch.full_like(image, 5.0))
    one, other = half_masked(image).resized(side), half_masked(changed).resized(side)
    assert torch.allclose(one.image * one.mask, other.image * other.mask, atol=1e-5)
    assert torch.equal(one.mask, other.mask)


def test_the_size_of_the_person_does_not_matter() -> None:
    """A wrong colour costs the same on a small face and on a large one, edges of the mask aside."""
    large, small = torch.ones(1, 32, 32), torch.zeros(1, 32, 32)
    small[:, 12:20, 12:20] = 1
    black, grey = -torch.ones(3, 32, 32), torch.zeros(1, 3, 32, 32)
    costs = [float(image_cost(grey, Target(black, mask))) for mask in (large, small)]
    assert costs[1] == pytest.approx(costs[0], rel=0.01)


def test_nobody_in_the_picture_costs_nothing() -> None:
    nobody = Target(random(3, 32, 32), torch.zeros(1, 32, 32))
    assert image_cost(random(1, 3, 32, 32, seed=1), nobody) == 0
