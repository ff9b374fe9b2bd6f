import torch

from mien.generator.completion import Completed, CompletionInput
from mien.training.completion.config import CompletionTraining
from mien.training.completion.costs import completion_costs, edges, mean_of, weights
from mien.training.completion.critic import Critic, gradient_penalty
from mien.training.completion.examples import Batch
from mien.training.completion.scores import score

N = 64


def batch(seen: float = 0.0, opacity: float = 1.0) -> Batch:
    random = torch.Generator().manual_seed(0)
    body, hair = torch.rand(2, 1, 3, N, N, generator=random) * 0.8 + 0.1
    half = (1, 1, N // 2, N // 2)
    given = CompletionInput(torch.zeros(1, 28, N // 2, N // 2), torch.zeros(1, 7, N // 2, N // 2))
    height = torch.rand(half, generator=random)
    return Batch(
        given, body, hair, height, torch.full(half, opacity), torch.full((1, 2, N // 2, N // 2), seen)
    )


def answer(b: Batch, off: float = 0.0) -> Completed:
    height = torch.nn.functional.interpolate(b.height, size=(N, N), mode="nearest")
    return Completed(torch.logit(b.body + off), torch.logit(b.hair + off), height + 10 * off)


def test_the_truth_costs_nothing() -> None:
    b = batch()
    assert max(float(c) for c in completion_costs(answer(b), b, CompletionTraining()).values()) < 1e-4


def test_a_shift_costs_its_size_and_no_edges() -> None:
    b = batch()
    costs = completion_costs(answer(b, 0.05), b, CompletionTraining())
    torch.testing.assert_close(costs["body"], torch.tensor(0.05), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(costs["hair"], torch.tensor(0.025), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(costs["height"], torch.tensor(2 * 0.1 * 0.5), atol=1e-4, rtol=1e-3)
    assert float(costs["body_edges"]) < 1e-3


def test_what_is_seen_and_where_no_hair_is_count_less() -> None:
    config = CompletionTraining(seen_weight=0.25)
    body, hair = weights(batch(seen=1.0, opacity=0.5), config)
    assert float(body[0, 0, -1, 0]) == 0.25
    assert float(hair[0, 0, -1, 0]) == 0.125
    assert float(weights(batch(opacity=0.0), config)[1].sum()) == 0


def test_edges_go_around() -> None:
    image = torch.zeros(1, 1, 4, 4)
    image[..., -1] = 1.0
    found = edges(image)[0, 0]
    assert found[0].tolist() == [0, 0, 1, 1]  # the last column borders on the first
    assert float(mean_of(image, torch.ones(1, 1, 4, 4))) == 0.25


def test_scores_of_a_shift() -> None:
    b = batch()
    b.height[:] = 0.3
    found = score([(b, answer(b, 0.04))])
    assert abs(found.body - 0.04 * 255) < 0.05
    assert abs(found.hair - 0.04 * 255) < 0.05
    assert abs(found.texture - 1) < 0.01
    assert abs(found.height_mm - 0.4 * 0.1 * 1000 / 1.9) < 0.1


def test_the_gradient_penalty_is_the_gradient() -> None:
    torch.manual_seed(0)
    critic, real = Critic(4), torch.rand(2, 6, 32, 32)
    penalty = gradient_penalty(critic, real)
    step = 1e-2 * torch.randn(6, 32, 32, generator=torch.Generator().manual_seed(1))
    real.requires_grad_(True)
    gradient = torch.autograd.grad(critic(real).mean((1, 2, 3)).sum(), real)[0]
    torch.testing.assert_close(penalty, gradient.square().sum((1, 2, 3)).mean())
    with torch.no_grad():
        change = (critic(real + step) - critic(real - step)).mean((1, 2, 3))
    torch.testing.assert_close(change, 2 * (gradient * step).sum((1, 2, 3)), atol=2e-4, rtol=0.1)
    penalty.backward()
    assert all(p.grad is not None for n, p in critic.named_parameters() if "weight" in n)
