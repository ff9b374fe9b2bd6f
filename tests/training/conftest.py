"""A set of five small procedural heads."""

from pathlib import Path

import pytest
from tests.conftest import made_once

from mien.morphable.model import MorphableModel, load_head_model
from mien.training.procedural.shards import ShardConfig, build_shards, shards_in

SHARDS = ShardConfig(heads=5, views=2, size_px=64, map_size=512, seed=11)


@pytest.fixture(scope="session")
def model() -> MorphableModel:
    return load_head_model()


@pytest.fixture(scope="session")
def shard_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Five realistic heads with two small views each. Not to be changed."""
    return shards_in(made_once(tmp_path_factory, "shards", lambda folder: build_shards(folder, SHARDS)))
