import json
from pathlib import Path

import pytest
import torch

from mien.core.errors import InputError, ResumeError
from mien.training.state import (
    STATE_FILE,
    TrainingState,
    append_row,
    forget_rows_after,
    load_moments,
    moments_of,
    read_state,
    require_same_settings,
    write_state,
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    tensors = {"network.a": torch.arange(3.0), "network.b": torch.ones(2, 2), "critic.a": torch.zeros(1)}
    write_state(tmp_path, TrainingState(tensors, 7, 2.5, {"rays": 24}))
    found = read_state(tmp_path)
    assert (found.step, found.spent_s, found.config) == (7, 2.5, {"rays": 24})
    assert found.tensors.keys() == tensors.keys()
    part = found.with_prefix("network.")
    assert part.keys() == {"a", "b"}
    assert all(torch.equal(tensor, tensors[f"network.{name}"]) for name, tensor in part.items())


def test_no_state_or_half_of_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no readable state of a training run"):
        read_state(tmp_path)
    write_state(tmp_path, TrainingState({"a": torch.ones(100)}, 1, 1.0, {}))
    whole = (tmp_path / STATE_FILE).read_bytes()
    (tmp_path / STATE_FILE).write_bytes(whole[:-100])
    with pytest.raises(InputError, match=r"delete state\.safetensors there to begin anew"):
        read_state(tmp_path)


def test_other_settings_are_refused(tmp_path: Path) -> None:
    state = TrainingState({}, 1, 1.0, {"rays": 24, "seed": 0})
    require_same_settings(tmp_path, state, {"seed": 0, "rays": 24})
    with pytest.raises(ResumeError, match=r"other settings \(rays differ\)"):
        require_same_settings(tmp_path, state, {"seed": 0, "rays": 25})


def test_an_optimiser_goes_on_from_its_moments() -> None:
    """Two steps, or one and one by another optimiser that got the moments, end in the same place."""

    def made(start: torch.Tensor) -> tuple[torch.nn.Parameter, torch.optim.Adam]:
        parameter = torch.nn.Parameter(start.clone())
        return parameter, torch.optim.Adam([parameter], lr=0.1)

    def step(parameter: torch.nn.Parameter, optimiser: torch.optim.Adam) -> None:
        optimiser.zero_grad()
        (parameter - torch.tensor([1.0, -2.0])).square().sum().backward()
        optimiser.step()

    first, adam = made(torch.zeros(2))
    step(first, adam)
    second, other = made(first.detach())
    kept = {n.removeprefix("adam."): t.clone() for n, t in moments_of(adam, "adam.").items()}
    load_moments(other, kept)
    plain, without = made(first.detach())
    for pair in ((first, adam), (second, other), (plain, without)):
        step(*pair)
    assert torch.equal(first, second)
    assert not torch.equal(first, plain)


def test_rows_of_lost_steps_are_forgotten(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    forget_rows_after(log, 2)
    assert not log.exists()
    for step in (1, 2, 3):
        append_row(log, {"step": step})
    forget_rows_after(log, 2)
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [1, 2]
