"""`mien train image-encoder`: views of heads, training, errors on held-out heads, the file."""

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.device import DeviceChoice, resolve_device
from mien.morphable.imageencoder import ASSET, ImageEncoder, save_image_encoder
from mien.morphable.landmarks import landmark_model
from mien.morphable.model import load_head_model
from mien.training.encoder.imageconfig import ImageTraining
from mien.training.encoder.imagecosts import ImageScores, deviations
from mien.training.encoder.imagetrainer import ImageTrainer
from mien.training.encoder.views import load_views
from mien.training.procedural.shards import shards_in

SHRINK: Final = 0.15
"""Of the held-out errors' correlations: there are few heads for many numbers (Ledoit & Wolf 2004)."""


@dataclass(frozen=True)
class ImageEncoderRun:
    """What was made."""

    path: Path
    bytes: int
    steps: int
    minutes: float
    scores: ImageScores


def train_image_encoder(
    folder: Path, data_folder: Path, *, config: ImageTraining | None = None, device: DeviceChoice = "auto",
    stop_after_s: float | None = None, command: str = "",
    on_log: Callable[[dict[str, Any]], None] = lambda row: None,
) -> ImageEncoderRun:  # fmt: skip
    """Train in `folder` and write `image_encoder.safetensors` there; called again, it goes on where it was.

    With `stop_after_s`, loading included, it stops early and the file is that of the state then. Raises
    InputError if there are no heads.
    """
    begin = time.monotonic()
    config, model = config or ImageTraining(), load_head_model()
    views = load_views(shards_in(data_folder), model, most_turn_deg=config.most_turn_deg)
    trainer = ImageTrainer(
        folder, views, landmark_model(model), config, device=resolve_device(device), on_log=on_log
    )
    trainer.run(until_s=begin + (stop_after_s or float("inf")))
    scores, path = trainer.scores(), folder / ASSET
    training: dict[str, Any] = {
        "command": command, "heads": int(views.head.max()) + 1, "views": len(views), "steps": trainer.step,
        "minutes": round(trainer.spent_s / 60, 2), "scores": asdict(scores),
    }  # fmt: skip
    save_image_encoder(path, with_errors(trainer), {"training": training})
    return ImageEncoderRun(path, path.stat().st_size, trainer.step, training["minutes"], scores)


def with_errors(trainer: ImageTrainer) -> ImageEncoder:
    """The averaged network, folded, on the CPU, with its errors on the held-out heads."""
    off, points = [], []
    with torch.no_grad():
        for examples in trainer.unseen_examples(trainer.config.calibration):
            answer = trainer.answer(trainer.average, examples)
            off.append((deviations(answer, examples) / answer.log_sd.exp()).cpu())
            away = (answer.points - examples.points).square().sum(-1) / 2
            points.append((away.sqrt() / answer.point_log_sd.exp()).cpu())
    network = deepcopy(trainer.average).cpu().fold()
    return ImageEncoder(
        network, precision_root(torch.cat(off)), torch.cat(points).square().mean(0).sqrt().double()
    )


def precision_root(errors: Float[Tensor, "n out"]) -> Float[Tensor, "out out"]:
    """Upper triangular root of errors' precision: root.T @ root is the inverse of their second moments.

    Correlations are shrunk, so that it exists for few errors, too.
    """
    errors = errors.double()
    moments = errors.T @ errors / len(errors)
    moments = torch.lerp(moments, torch.diag(moments.diagonal()), SHRINK)
    return torch.linalg.cholesky(torch.linalg.inv(moments)).T.contiguous()
