"""Descents, and killed ones."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mien.inversion.eg3d.descent import DescentConfig, Kept, descend, forget, rate_at

CONFIG = DescentConfig(steps=40, rate=0.2)


def bowl(parameter: Tensor, die_at: int | None = None, seen: list[int] | None = None):  # type: ignore[no-untyped-def]
    """A noisy paraboloid around 1."""

    def slope(step: int) -> float:
        if step == die_at:
            raise KeyboardInterrupt
        if seen is not None:
            seen.append(step)
        noise = 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(step))
        cost = (parameter - 1 + noise).square().sum()
        cost.backward()
        return float(cost.detach())

    return slope


def start() -> Tensor:
    return torch.zeros(5, requires_grad=True)


def test_it_goes_down() -> None:
    x = start()
    costs = descend([x], bowl(x), CONFIG, name="x")
    assert len(costs) == 40
    assert costs[-1] < 0.05 * costs[0]
    assert (x - 1).abs().max() < 0.15


def test_it_is_adam() -> None:
    """Against torch's own, with the same rates."""
    x, y = start(), start()
    descend([x], bowl(x), CONFIG, name="x")
    optimizer = torch.optim.Adam([y], lr=0.0)
    slope = bowl(y)
    for step in range(40):
        optimizer.zero_grad()
        slope(step)
        optimizer.param_groups[0]["lr"] = rate_at(CONFIG, step)
        optimizer.step()
    assert torch.allclose(x, y, atol=1e-5)


def test_rates_rise_and_fall() -> None:
    rates = [rate_at(DescentConfig(steps=100, rate=2.0), step) for step in range(100)]
    assert rates[0] < rates[4] == pytest.approx(2.0)
    assert all(rate == pytest.approx(2.0) for rate in rates[5:75])
    assert rates[75:] == sorted(rates[75:], reverse=True)
    assert 0 < rates[-1] < 0.02


@pytest.mark.parametrize("die_at", [1, 17, 39])
def test_killed_it_goes_on_to_the_same_numbers(tmp_path: Path, die_at: int) -> None:
    whole, parts, seen = start(), start(), list[int]()
    descend([whole], bowl(whole), CONFIG, name="x")
    with pytest.raises(KeyboardInterrupt):
        descend([parts], bowl(parts, die_at), CONFIG, name="x", kept=Kept(tmp_path, "a", every_s=0.0))
    again = start()
    descend([again], bowl(again, None, seen), CONFIG, name="x", kept=Kept(tmp_path, "a", every_s=0.0))
    assert seen[0] == die_at
    assert torch.equal(whole, again)


def test_another_jobs_work_is_not_used(tmp_path: Path) -> None:
    x, seen = start(), list[int]()
    descend([x], bowl(x), CONFIG, name="x", kept=Kept(tmp_path, "a", every_s=0.0))
    y = start()
    descend([y], bowl(y, None, seen), CONFIG, name="x", kept=Kept(tmp_path, "b"))
    assert seen == list(range(40))


def test_damaged_work_is_not_used(tmp_path: Path) -> None:
    x, seen = start(), list[int]()
    descend([x], bowl(x), CONFIG, name="x", kept=Kept(tmp_path, "a"))
    next(tmp_path.glob("*.safetensors")).write_bytes(b"damaged")
    y = start()
    descend([y], bowl(y, None, seen), CONFIG, name="x", kept=Kept(tmp_path, "a"))
    assert seen == list(range(40))


def test_what_is_kept_can_be_deleted(tmp_path: Path) -> None:
    x, folder = start(), tmp_path / "kept"
    descend([x], bowl(x), CONFIG, name="x", kept=Kept(folder, "a"))
    assert folder.is_dir()
    forget(folder)
    forget(folder)
    assert not folder.exists()
