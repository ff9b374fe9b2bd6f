from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
import torch

from mien.core.errors import ResumeError
from mien.generator.backbones.blocks import BlocksConfig
from mien.generator.completion import CompletionConfig
from mien.morphable.model import load_head_model
from mien.training.basis import generator_config, start_generator
from mien.training.completion.config import CompletionTraining
from mien.training.completion.examples import Examples
from mien.training.completion.trainer import CompletionTrainer

CONFIG = generator_config(
    BlocksConfig(appearance=3, hair=3, clothes=2, expression_codes=2, mean_size=128, basis_size=64)
)
NETWORK = CompletionConfig(widths=(8, 12))
SIX_STEPS = CompletionTraining(
    minutes=6 / 60,
    batch=1,
    held_out=1,
    adversarial=0.05,
    critic_after=0.3,
    critic_counts_after=0.5,
    r1_every=2,
)


def counting() -> Callable[[], float]:
    """A clock by which a training step takes a second."""
    seconds = count()
    return lambda: float(next(seconds))


@pytest.fixture(scope="module")
def make(shard_files: list[Path]) -> Callable[..., CompletionTrainer]:
    generator, start = start_generator(shard_files, load_head_model(), CONFIG)

    def trainer(folder: Path, config: CompletionTraining = SIX_STEPS) -> CompletionTrainer:
        examples = Examples(shard_files, start.codes, generator, config)
        return CompletionTrainer(folder, examples, config, network=NETWORK, clock=counting())

    return trainer


def test_it_resumes_exactly(make: Callable[..., CompletionTrainer], tmp_path: Path) -> None:
    whole = make(tmp_path / "whole")
    whole.run()
    make(tmp_path / "parts").run(max_steps=2)
    parts = make(tmp_path / "parts")
    assert parts.step == 2
    parts.run()
    assert whole.step == parts.step == 6
    for one, other in ((whole.network, parts.network), (whole.critic, parts.critic)):
        for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
            assert torch.equal(a, b), name
    assert any(p.abs().sum() > 0 for p in whole.network.leave.parameters())


def test_other_settings_are_refused(make: Callable[..., CompletionTrainer], tmp_path: Path) -> None:
    make(tmp_path).run(max_steps=1)
    with pytest.raises(ResumeError, match=r"other settings \(batch differ\)"):
        make(tmp_path, CompletionTraining(**{**SIX_STEPS.__dict__, "batch": 2}))


def test_it_learns(make: Callable[..., CompletionTrainer], tmp_path: Path) -> None:
    """One head, of which it sees nothing and the generator knows only the average, by heart."""
    config = CompletionTraining(minutes=0.6, batch=1, lr=1e-2, held_out=4, no_evidence=1.0, half=False)
    trainer = make(tmp_path, config)
    trainer.examples.codes = torch.zeros_like(trainer.examples.codes)
    before = trainer.costs_of([0])
    trainer.run()
    after = trainer.costs_of([0])
    assert after["body"] < 0.8 * before["body"]
