from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest
import torch

from mien.core.checkpoint import read_header, read_safetensors
from mien.core.errors import InputError, ResumeError
from mien.generator.backbones.blocks import BlocksConfig
from mien.generator.completion import Completer, CompletionConfig
from mien.generator.model import KIND, load_generator, save_generator
from mien.morphable.model import load_head_model
from mien.training.basis import generator_config, start_generator
from mien.training.completion import trainer as trainer_module
from mien.training.completion.config import CompletionTraining
from mien.training.completion.resident import ResidentExamples
from mien.training.completion.run import CompletionPlan, train_completion
from mien.training.completion.trainer import CompletionTrainer

CONFIG = generator_config(
    BlocksConfig(appearance=3, hair=3, clothes=2, expression_codes=2, mean_size=128, basis_size=64)
)
NETWORK = CompletionConfig(widths=(8, 12))
TRAINING = CompletionTraining(
    minutes=3 / 60, batch=1, held_out=2, adversarial=0.05, critic_after=0.3, critic_counts_after=0.5,
    r1_every=2, average=0.9,
)  # fmt: skip
PLAN = CompletionPlan(training=replace(TRAINING, minutes=0.001), threads=1)


@pytest.fixture(scope="module")
def model_file(shard_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(2)
    generator, start = start_generator(shard_files, load_head_model(), CONFIG)
    generator.w_std.copy_(start.codes.std(0).clamp(min=1e-3))
    generator.completer = Completer(NETWORK)
    generator.config = replace(generator.config, completion=NETWORK)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_generator(path, generator, {"training": {"command": "mien train prior"}})
    return path


def test_only_the_network_is_another(shard_files: list[Path], model_file: Path, tmp_path: Path) -> None:
    done = train_completion(tmp_path, shard_files[0].parent, model=model_file, plan=PLAN, command="mien so")
    before, after = (read_safetensors(path, kind=KIND) for path in (model_file, done.path))
    assert before.tensors.keys() == after.tensors.keys()
    for name, tensor in before.tensors.items():
        if not name.startswith("completer."):
            assert torch.equal(tensor, after.tensors[name]), name
    name = "completer.enter.conv.weight"
    assert not torch.equal(before.tensors[name], after.tensors[name])
    header = read_header(done.path)
    assert header["training"] == {"command": "mien train prior"}
    told = header["completion"]
    assert (told["command"], told["seed"], told["heads"], told["finished"]) == ("mien so", 0, 5, True)
    assert told["step"] == done.steps >= 1
    assert told["started_from"]["sha256"] == sha256(model_file.read_bytes()).hexdigest()
    assert told["scores_shifted"]["body"] == done.scores["_shifted"].body > 0
    assert load_generator(done.path).config.completion == NETWORK
    other = replace(PLAN, widths=(8, 16))
    with pytest.raises(ResumeError, match=r"other settings \(widths differ\)"):
        train_completion(tmp_path, shard_files[0].parent, model=model_file, plan=other)


def test_stopped_at_once_it_goes_on_from_the_files_network(
    shard_files: list[Path], model_file: Path, tmp_path: Path
) -> None:
    plan = replace(PLAN, go_on=True, stop_after_s=0.0)
    done = train_completion(tmp_path, shard_files[0].parent, model=model_file, plan=plan)
    assert not done.finished
    before, after = (read_safetensors(path, kind=KIND).tensors for path in (model_file, done.path))
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_what_cannot_work_is_refused(shard_files: list[Path], model_file: Path, tmp_path: Path) -> None:
    folder = shard_files[0].parent
    with pytest.raises(InputError, match="2 heads are too few"):
        train_completion(tmp_path, folder, model=model_file, plan=replace(PLAN, heads=2))
    plan = replace(PLAN, go_on=True, widths=(9, 9))
    with pytest.raises(InputError, match=r"asks for \(9, 9\), but the generator's network has \(8, 12\)"):
        train_completion(tmp_path, folder, model=model_file, plan=plan)


def test_from_memory_and_averaged_it_resumes_exactly(
    shard_files: list[Path], model_file: Path, tmp_path: Path
) -> None:
    make = _maker(shard_files, model_file)
    whole = make(tmp_path / "whole")
    whole.run()
    stopped = make(tmp_path / "parts")
    stopped.run(until=4.0)
    assert 0 < stopped.step < 3
    parts = make(tmp_path / "parts")
    parts.run()
    assert whole.step == parts.step == 3
    for part in ("network", "averaged", "critic"):
        one, other = (getattr(trainer, part).state_dict() for trainer in (whole, parts))
        assert all(torch.equal(a, other[name]) for name, a in one.items()), part
    leaving = [trainer.leave.conv.weight for trainer in (whole.network, whole.averaged)]
    assert 0 < leaving[1].abs().sum() != leaving[0].abs().sum()


def test_log_tells_both_scores(
    shard_files: list[Path], model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "LOG_EVERY", 2)
    trainer = _maker(shard_files, model_file)(tmp_path, replace(TRAINING, score_every=2))
    rows: list[trainer_module.LogRow] = []
    trainer.on_log = rows.append
    trainer.run(max_steps=2)
    assert [sorted(row.keys() - {"step", "minutes"}) for row in rows[1:]] == [
        ["held_out", "held_out_shifted"]
    ]
    assert rows[0]["body"] > 0
    found = rows[1]
    assert found["held_out"]["hair_filled"] != found["held_out_shifted"]["hair_filled"]


def _maker(shard_files: list[Path], model_file: Path) -> Callable[..., CompletionTrainer]:
    generator = load_generator(model_file)
    codes = torch.linspace(-1, 1, 5)[:, None].expand(-1, generator.config.mapping.w_size).clone()

    def make(folder: Path, config: CompletionTraining = TRAINING) -> CompletionTrainer:
        seconds = count()
        examples = ResidentExamples(shard_files, codes, generator, config, workers=1)
        return CompletionTrainer(
            folder, examples, config, network=NETWORK, clock=lambda: float(next(seconds))
        )

    return make
