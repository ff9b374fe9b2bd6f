from pathlib import Path

import numpy as np
import pytest
import torch

from mien.generator.backbones.blocks import BlocksConfig
from mien.morphable.model import load_head_model
from mien.training.basis import generator_config, start_generator
from mien.training.completion.config import CompletionTraining
from mien.training.completion.examples import Examples, evidence_of
from mien.training.procedural.shards import BODY, UNIT, read_shard

CONFIG = generator_config(
    BlocksConfig(appearance=3, hair=3, clothes=2, expression_codes=2, mean_size=128, basis_size=64)
)


@pytest.fixture(scope="module")
def examples(shard_files: list[Path]) -> Examples:
    generator, start = start_generator(shard_files, load_head_model(), CONFIG)
    return Examples(shard_files, start.codes, generator, CompletionTraining(no_evidence=0.0))


def test_evidence_is_what_the_pixels_show(shard_files: list[Path]) -> None:
    shard = read_shard(shard_files[0])
    total, weight = evidence_of(shard, 0, BODY, torch.zeros(2))
    pixels = np.flatnonzero(shard.arrays["kind"][0] == BODY)
    inside = pixels[np.argsort(np.abs(shard.arrays["uv"][0][pixels]).sum(1))[:5]]  # near the nose
    for k in inside:
        u, v = shard.arrays["uv"][0][k] / UNIT
        column, row = int((u + 1) / 2 * 256), int((v + 1) / 2 * 256)
        box = (slice(None), slice(row - 1, row + 2), slice(column - 1, column + 2))
        colour = torch.sigmoid(total[box].sum((1, 2)) / weight[box[1:]].sum())
        true = torch.from_numpy(shard.arrays["rgb"][0][k].astype(np.float32) / 255)
        assert (colour - true).abs().max() < 0.12


def test_an_example_depends_on_its_draws_only(examples: Examples) -> None:
    one, again = (examples.batch([0, 3], np.random.default_rng(4)) for _ in range(2))
    other = examples.batch([0, 3], np.random.default_rng(5))
    assert torch.equal(one.given.features, again.given.features)
    assert not torch.equal(one.given.features, other.given.features)
    assert one.body.shape == (2, 3, 512, 512)
    assert one.seen.amax() <= 1


def test_nothing_is_shown_when_asked_for(shard_files: list[Path], examples: Examples) -> None:
    blind = Examples(
        shard_files, examples.codes, examples.generator, CompletionTraining(no_evidence=1.0)
    ).batch([1], np.random.default_rng(0))
    assert blind.seen.amax() == 0
    assert examples.fixed(1).seen.amax() > 0.9
