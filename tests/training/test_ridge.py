import torch

from mien.training.ridge import best_ridge, ridge


def data() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(40, 6, generator=random)
    return x, x @ torch.randn(6, 2, generator=random) + 0.3 * torch.randn(40, 2, generator=random)


def test_the_pull_is_a_penalty() -> None:
    x, y = data()
    slope = ridge(x, y, 2.0).requires_grad_(True)
    ((y - x @ slope).square().sum() + 2.0 * slope.square().sum()).backward()
    assert slope.grad is not None
    assert slope.grad.abs().max() < 1e-3


def test_the_best_pull_is_that_of_leave_one_out() -> None:
    x, y = data()
    y[:, 1] = torch.randn(40, generator=torch.Generator().manual_seed(5))  # nothing to be learned
    pulls = (0.1, 30.0, 3000.0)

    def left_out(pull: float) -> torch.Tensor:
        errors = []
        for k in range(len(x)):
            rest = torch.arange(len(x)) != k
            errors.append((y[k] - x[k] @ ridge(x[rest], y[rest], pull)).square())
        return torch.stack(errors).sum(0)

    best = torch.stack([left_out(pull) for pull in pulls]).argmin(0)
    assert best[0] != best[1]
    expected = torch.stack([ridge(x, y[:, [k]], pulls[int(best[k])])[:, 0] for k in range(2)], 1)
    torch.testing.assert_close(best_ridge(x, y, pulls), expected, atol=1e-4, rtol=1e-3)
