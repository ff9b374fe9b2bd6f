"""The file that a run goes on from: three networks, both optimisers, and the number of steps.

There is no random state in it: every draw follows from the seed and the step.
"""

from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from mien.core.checkpoint import read_safetensors, write_safetensors
from mien.core.errors import CheckpointError, ResumeError
from mien.training.gan.config import config_hash, to_json
from mien.training.gan.trainer import GanTrainer

KIND: Final = "eg3d-training"
STATE_FILE: Final = "state.safetensors"


def write_state(path: Path, trainer: GanTrainer, *, spent_s: float) -> None:
    """Write all of a run's state, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    for name, network in _networks(trainer).items():
        tensors |= {f"{name}.{key}": tensor for key, tensor in network.state_dict().items()}
    for name, (network, adam) in _optimisers(trainer).items():
        for key, parameter in network.named_parameters():
            tensors |= {f"{name}.{key}.{what}": t for what, t in adam.state.get(parameter, {}).items()}
    header = {
        "kind": KIND, "config": to_json(trainer.config), "config_sha256": config_hash(trainer.config),
        "step": trainer.step_count, "images": trainer.images, "spent_s": round(spent_s, 3),
    }  # fmt: skip
    write_safetensors(path, tensors, header)


def read_state(path: Path, trainer: GanTrainer) -> float:
    """Put a run's state into a trainer with the same settings; the seconds it was trained for.

    Raises CheckpointError for a damaged file, ResumeError for one of other settings.
    """
    found = read_safetensors(path, kind=KIND)
    if found.header.get("config_sha256") != config_hash(trainer.config):
        raise ResumeError(f"{path} was written with other settings; choose another folder for this run.")
    step, spent_s = found.header.get("step"), found.header.get("spent_s")
    if not isinstance(step, int) or step < 0 or not isinstance(spent_s, int | float):
        raise CheckpointError(f"{path} does not say after how many steps it was written; start anew.")
    parts = _split(found.tensors, [*_networks(trainer), *_optimisers(trainer)])
    for name, network in _networks(trainer).items():
        _load_network(path, network, parts[name])
    for name, (network, adam) in _optimisers(trainer).items():
        _load_adam(path, network, adam, parts[name])
    trainer.step_count = step
    return float(spent_s)


def training_header(trainer: GanTrainer, spent_s: float) -> dict[str, Any]:
    """What a generator's file says of its training."""
    return {
        "training": {
            "method": "gan", "images": trainer.images, "steps": trainer.step_count,
            "hours": round(spent_s / 3600, 4), "config_sha256": config_hash(trainer.config),
            "labels_sha256": trainer.data.sha256,
        }
    }  # fmt: skip


def _networks(trainer: GanTrainer) -> dict[str, nn.Module]:
    return {
        "generator": trainer.generator, "average": trainer.average, "discriminator": trainer.discriminator
    }  # fmt: skip


def _optimisers(trainer: GanTrainer) -> dict[str, tuple[nn.Module, torch.optim.Adam]]:
    return {
        "adam_generator": (trainer.generator, trainer.adam_generator),
        "adam_discriminator": (trainer.discriminator, trainer.adam_discriminator),
    }


def _split(tensors: dict[str, Tensor], names: list[str]) -> dict[str, dict[str, Tensor]]:
    parts: dict[str, dict[str, Tensor]] = {name: {} for name in names}
    for key, tensor in tensors.items():
        name, _, rest = key.partition(".")
        parts.setdefault(name, {})[rest] = tensor
    return parts


def _load_network(path: Path, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f"The weights in {path} do not fit ({error}); the file is damaged.") from error


def _load_adam(path: Path, network: nn.Module, adam: torch.optim.Adam, tensors: dict[str, Tensor]) -> None:
    """Moments and step counts; a parameter that never had a gradient has none."""
    adam.state.clear()
    for key, parameter in network.named_parameters():
        own = {what: tensors.get(f"{key}.{what}") for what in ("step", "exp_avg", "exp_avg_sq")}
        kept = {what: tensor for what, tensor in own.items() if tensor is not None}
        if not kept:
            continue
        fits = len(kept) == len(own) and kept["exp_avg"].shape == kept["exp_avg_sq"].shape == parameter.shape
        if not fits:
            raise CheckpointError(f"The optimiser's state of {key} in {path} does not fit; it is damaged.")
        moments = {what: tensor.to(parameter.device) for what, tensor in kept.items() if what != "step"}
        adam.state[parameter] = {"step": kept["step"], **moments}
