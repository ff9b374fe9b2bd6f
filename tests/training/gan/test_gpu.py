"""Training on a GPU; skipped where there is none."""

from pathlib import Path

import pytest
import torch

from mien.training.gan.config import GanConfig
from mien.training.gan.dataset import GanDataset
from mien.training.gan.trainer import GanTrainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")


def test_the_generator_learns(pictures: Path, tiny_config: GanConfig) -> None:
    trainer = GanTrainer(tiny_config, GanDataset(pictures, mirror=True), device="cuda")
    before = [p.clone() for p in trainer.generator.parameters()]
    figures = [trainer.step() for _ in range(3)]
    assert all(row["bad_gradients"] == 0 for row in figures)
    changed = [not a.equal(b) for a, b in zip(before, trainer.generator.parameters(), strict=True)]
    assert sum(changed) > 0.8 * len(changed)
    assert next(trainer.generator.parameters()).is_cuda
