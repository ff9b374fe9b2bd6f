"""The file a training run goes on from: weights, Adam moments, settings and clock; and its log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from mien.core.atomic import atomic_path
from mien.core.errors import InputError, ResumeError

STATE_FILE: Final = "state.safetensors"


@dataclass(frozen=True, eq=False)
class TrainingState:
    """What is in the file."""

    tensors: dict[str, Tensor]
    """By name: each part's after the part's prefix, such as `network.`."""
    step: int
    spent_s: float
    """Seconds of training so far."""
    config: dict[str, Any]

    def with_prefix(self, prefix: str) -> dict[str, Tensor]:
        """The tensors of one part, their prefix removed."""
        return {n[len(prefix) :]: t for n, t in self.tensors.items() if n.startswith(prefix)}


def write_state(folder: Path, state: TrainingState) -> None:
    """Write the state, whole or not at all."""
    meta = {"step": state.step, "spent_s": state.spent_s, "config": state.config}
    tensors = {name: tensor.detach().contiguous() for name, tensor in state.tensors.items()}
    with atomic_path(folder / STATE_FILE) as path:
        save_file(tensors, path, metadata={"meta": json.dumps(meta)})


def read_state(folder: Path) -> TrainingState:
    """Read the state of a run. Raises InputError if there is none or it is damaged."""
    path = folder / STATE_FILE
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {})["meta"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        return TrainingState(tensors, int(meta["step"]), float(meta["spent_s"]), dict(meta["config"]))
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{folder} holds no readable state of a training run ({error}); delete {STATE_FILE} there "
            "to begin anew, or choose another folder."
        ) from error


def require_same_settings(folder: Path, state: TrainingState, now: Mapping[str, Any]) -> None:
    """Raises ResumeError if a run in `folder` was begun with other settings."""
    names = [n for n in sorted(now.keys() | state.config.keys()) if now.get(n) != state.config.get(n)]
    if names:
        raise ResumeError(
            f"The run in {folder} has other settings ({', '.join(names)} differ); repeat it "
            "with the same ones, or choose another folder."
        )


def moments_of(optimiser: Optimizer, prefix: str) -> dict[str, Tensor]:
    """An optimiser's moments as tensors of a state, their names after the prefix."""
    slots = optimiser.state_dict()["state"].items()
    return {f"{prefix}{k}.{n}": torch.as_tensor(v) for k, slot in slots for n, v in slot.items()}


def load_moments(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Inverse of `moments_of`, given the state's tensors without the prefix."""
    moments = optimiser.state_dict()
    for key, value in tensors.items():
        index, slot = key.split(".")
        moments["state"].setdefault(int(index), {})[slot] = value
    optimiser.load_state_dict(moments)


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row to a log, a line of JSON."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def forget_rows_after(path: Path, step: int) -> None:
    """Drop rows of a log of steps that were lost with an interrupted run and will be done again."""
    if not path.exists():
        return
    rows = [
        line for line in path.read_text(encoding="utf-8").splitlines() if json.loads(line)["step"] <= step
    ]
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
