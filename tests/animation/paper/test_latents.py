"""Latents over time, against dense solves and brute force."""

import numpy as np
import torch

from mien.animation.paper.config import FAST, PAPER, Passes, paper_schedule
from mien.animation.paper.latents import Quadratic, choose_keys, solve_jointly, spread_latents


def problem(count: int, size: int) -> tuple[list[Quadratic], np.ndarray, torch.Tensor]:
    random = torch.Generator().manual_seed(4)
    roots = torch.randn(count + 1, size, size, generator=random)
    rights = torch.randn(count, size, generator=random)
    own = [Quadratic(r @ r.T + 0.5 * torch.eye(size), b) for r, b in zip(roots, rights, strict=False)]
    return own, np.linspace(0.3, 2.0, count - 1), roots[-1] @ roots[-1].T + torch.eye(size)


def test_the_joint_solve_is_the_dense_one() -> None:
    own, gaps, step = problem(5, 4)
    dense, right = torch.zeros(20, 20), torch.cat([q.right for q in own])
    for k, q in enumerate(own):
        dense[4 * k : 4 * k + 4, 4 * k : 4 * k + 4] += q.normal
    for k, gap in enumerate(gaps):
        move = torch.zeros(4, 20)
        move[:, 4 * k : 4 * k + 4], move[:, 4 * k + 4 : 4 * k + 8] = -torch.eye(4), torch.eye(4)
        dense += move.T @ step @ move / float(gap)
    expected = torch.linalg.solve(dense, right).view(5, 4)
    assert torch.allclose(solve_jointly(own, gaps, step), expected, atol=1e-4)


def test_smoothing_brings_latents_together_and_short_gaps_more() -> None:
    own, gaps, step = problem(4, 3)
    apart = solve_jointly(own, gaps, 1e-6 * step)
    near = solve_jointly(own, gaps, 1e3 * step)
    assert near.diff(dim=0).norm() < 0.05 * apart.diff(dim=0).norm()
    for q, w in zip(own, apart, strict=True):
        assert torch.allclose(q.normal @ w, q.right, atol=1e-3)


def test_keys_are_the_frames_farthest_from_each_other() -> None:
    expressions = np.zeros((40, 52), np.float32)
    expressions[7, 3] = expressions[21, 9] = 1.0
    expressions[30:, 5] = 0.5
    keys = choose_keys(expressions, 4)
    assert keys == sorted(keys)
    assert {7, 21} < set(keys)
    assert any(k >= 30 for k in keys)
    assert choose_keys(expressions, 30) == keys  # what is left are repetitions
    assert choose_keys(expressions, None) == list(range(40))


def test_spread_latents_pass_through_the_keys_and_find_linear_ones() -> None:
    random = np.random.default_rng(1)
    expressions = random.uniform(0, 1, (60, 52)).astype(np.float32)
    expressions[:, 4:] = 0
    map_ = torch.from_numpy(random.normal(size=(52, 6)).astype(np.float32))
    truth = torch.from_numpy(expressions) @ map_ + 2
    keys = choose_keys(expressions, 14)
    found = spread_latents(expressions[keys], truth[keys], expressions)
    spread = (truth - truth.mean(0)).norm()
    assert (found[keys] - truth[keys]).norm() < 0.05 * spread
    assert (found - truth).norm() < 0.15 * spread


def test_the_papers_schedule() -> None:
    assert paper_schedule(100) == 13_900
    assert (PAPER.first_steps, PAPER.frame_steps, PAPER.tuning_steps) == (2000, 100, 2000)
    assert (PAPER.rate, PAPER.tuning_rate, PAPER.keys) == (0.025, 1e-3, None)
    assert FAST.keys is not None
    fast = FAST.first_steps + FAST.frame_steps * (FAST.keys - 1) + FAST.tuning_steps + FAST.keys
    assert fast < 400
    assert Passes(1, 2, 3, 50).inversion == 6
