"""Adam with EG3D projection's learning rates, kept on disk so that a killed inversion goes on."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from mien.core.checkpoint import read_safetensors, write_safetensors
from mien.core.errors import CheckpointError

KIND: Final = "eg3d-inversion-progress"
BETAS: Final = (0.9, 0.999)


@dataclass(frozen=True)
class DescentConfig:
    """One descent."""

    steps: int
    rate: float
    ramp_up: float = 0.05
    """Share of the steps in which the rate rises, linearly."""
    ramp_down: float = 0.25
    """Share of the steps in which it falls, by a cosine."""


def rate_at(config: DescentConfig, step: int) -> float:
    """Learning rate of a step (StyleGAN2 projection, Karras et al. 2020, appendix D)."""
    t = step / config.steps
    down = min(1.0, (1.0 - t) / max(config.ramp_down, 1e-9))
    ramp = 0.5 - 0.5 * math.cos(down * math.pi)
    return config.rate * ramp * min(1.0, (t + 1 / config.steps) / max(config.ramp_up, 1e-9))


class Kept:
    """Where descents keep what they have; a folder beside the avatar that is to be written.

    `key` names the job: what another photo or model left is not used.
    """

    def __init__(self, folder: Path, key: str, *, every_s: float = 30.0) -> None:
        self._folder, self._key, self._every_s = folder, key, every_s
        self._last = time.monotonic()

    def read(self, name: str) -> tuple[int, list[Tensor]] | None:
        """Steps done and tensors of a descent; None if there is nothing that fits."""
        path = self._folder / f"{name}.safetensors"
        if not path.is_file():
            return None
        try:
            found = read_safetensors(path, kind=KIND)
        except CheckpointError:
            return None  # what is kept only saves time
        if found.header.get("key") != self._key:
            return None
        return int(found.header["step"]), [found.tensors[f"{k}"] for k in range(len(found.tensors))]

    def write(self, name: str, step: int, tensors: Sequence[Tensor], *, now: bool = False) -> None:
        """Keep a descent, at most every so many seconds, unless `now`."""
        if not now and time.monotonic() - self._last < self._every_s:
            return
        self._last = time.monotonic()
        self._folder.mkdir(parents=True, exist_ok=True)
        named = {f"{k}": tensor for k, tensor in enumerate(tensors)}
        header = {"kind": KIND, "key": self._key, "step": step}
        write_safetensors(self._folder / f"{name}.safetensors", named, header)


def forget(folder: Path) -> None:
    """Delete what descents have kept in a folder, if they have."""
    if folder.is_dir():
        for path in folder.glob("*.safetensors"):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # something else is in it
            folder.rmdir()


Slope = Callable[[int], float]
"""Called with the step; puts gradients into the parameters and gives the cost."""


def descend(
    parameters: Sequence[Tensor],
    slope: Slope,
    config: DescentConfig,
    *,
    name: str,
    kept: Kept | None = None,
    report: Callable[[float], None] = lambda share: None,
) -> list[float]:
    """Move the parameters down in place; the costs of the steps done here. Nothing depends on when it was
    killed, provided that `slope` depends on the step and the parameters only."""
    state = [[torch.zeros_like(p), torch.zeros_like(p)] for p in parameters]
    first, costs = 0, []
    if kept is not None and (found := kept.read(name)) is not None:
        first, tensors = found
        for k, parameter in enumerate(parameters):
            parameter.data.copy_(tensors[3 * k])
            state[k] = [t.to(parameter) for t in tensors[3 * k + 1 : 3 * k + 3]]
    for step in range(first, config.steps):
        for parameter in parameters:
            parameter.grad = None
        costs.append(slope(step))
        for parameter, moments in zip(parameters, state, strict=True):
            if parameter.grad is not None:
                _adam(parameter, moments, step, rate_at(config, step))
        report((step + 1) / config.steps)
        if kept is not None:
            all_ = [t for p, m in zip(parameters, state, strict=True) for t in (p.detach(), *m)]
            kept.write(name, step + 1, all_, now=step + 1 == config.steps)
    return costs


@torch.no_grad()
def _adam(parameter: Tensor, moments: list[Tensor], step: int, rate: float) -> None:
    """One step of Adam (Kingma and Ba 2015, algorithm 1), in place."""
    assert parameter.grad is not None
    mean, square = moments
    mean.lerp_(parameter.grad, 1 - BETAS[0])
    square.lerp_(parameter.grad.square(), 1 - BETAS[1])
    unbiased = mean / (1 - BETAS[0] ** (step + 1))
    spread = (square / (1 - BETAS[1] ** (step + 1))).sqrt() + 1e-8
    parameter.sub_(rate * unbiased / spread)
