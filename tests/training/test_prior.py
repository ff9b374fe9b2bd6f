import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.training.conftest import SHARDS

from mien.apps.cli import run
from mien.core.checkpoint import read_header
from mien.core.errors import InputError
from mien.generator.backbones.blocks import BlocksBackbone, BlocksConfig
from mien.generator.completion import CompletionConfig
from mien.generator.model import load_generator
from mien.training.expressions import ExpressionConfig
from mien.training.mapping_fit import MappingFitConfig
from mien.training.prior import PriorPlan, train_prior
from mien.training.superres_fit import SuperResolutionFitConfig

HEADS = 8
PLAN = PriorPlan(
    heads=HEADS,
    minutes=1e-4,
    threads=1,
    shards=replace(SHARDS, heads=HEADS),
    backbone=BlocksConfig(appearance=3, hair=3, clothes=2, expression_codes=2, mean_size=128, basis_size=64),
    network=CompletionConfig(widths=(8, 12)),
    expressions=ExpressionConfig(people=2, each=2, size=128),
    mapping=MappingFitConfig(steps=5),
    superres=SuperResolutionFitConfig(pairs=2, check_pairs=1, patch_px=16, batch=2, steps=3),
)


def test_the_whole_way(shard_files: list[Path], tmp_path: Path) -> None:
    """Heads, basis, completion, names, fits, all small; called again, only the end is done again."""
    data = tmp_path / "heads"
    shutil.copytree(shard_files[0].parent, data)
    first = train_prior(tmp_path, data_folder=data, plan=PLAN, command="mien test")
    assert {p.name for p in tmp_path.iterdir()} == {"heads", "state.safetensors", "mien-base.safetensors"}
    assert len(list(data.glob("*.safetensors"))) == first.heads == HEADS
    assert first.bytes == first.path.stat().st_size
    told = read_header(first.path)["training"]
    assert (told["command"], told["step"], told["data"]["heads"]) == ("mien test", first.steps, HEADS)
    generator = load_generator(first.path)
    assert isinstance(generator.backbone, BlocksBackbone)
    assert generator.backbone.config == PLAN.backbone
    assert generator.config.completion == PLAN.network
    assert generator.names is not None
    assert generator.sample_w(2, generator=torch.Generator().manual_seed(0)).isfinite().all()
    before = first.path.read_bytes()
    again = train_prior(tmp_path, data_folder=data, plan=PLAN, command="mien test")
    assert again.steps == first.steps
    assert len(again.path.read_bytes()) == len(before)


def test_too_few_heads_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="7 heads are too few to learn from; give --heads 8 or more"):
        train_prior(tmp_path, plan=replace(PLAN, heads=7))
    assert run(["train", "prior", "--out", str(tmp_path), "--heads", "2"]) == 2
    assert "2 is not in the range x>=8" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
