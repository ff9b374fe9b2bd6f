"""A set of six small heads, a generator small enough to train in a test, and a clock that counts."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from mien.generator.backbones import BasisConfig
from mien.generator.decoder import DecoderConfig
from mien.generator.mapping import MappingConfig
from mien.generator.model import GeneratorConfig
from mien.generator.superres import SuperResolutionConfig
from mien.morphable.model import MorphableModel, load_head_model
from mien.training.config import DistilConfig
from mien.training.dataset import DatasetConfig, HeadDataset, build_dataset, open_dataset
from mien.training.distil import Distiller
from mien.training.procedural.shards import ShardConfig, build_shards, shards_in

SHARDS = ShardConfig(heads=5, views=2, size_px=64, map_size=512, seed=11)
DATA = DatasetConfig(heads=6, views=3, size=64, map_size=64, seed=3)
SMALL = GeneratorConfig(
    backbone=BasisConfig(
        latent=8, expression_codes=3, mean_size=128, basis_size=64, height_bins=16, side_size=32
    ),
    decoder=DecoderConfig(hidden=16),
    mapping=MappingConfig(z_size=8, hidden=16, w_size=8),
    superres=SuperResolutionConfig(channels=4),
)
FOUR_STEPS = DistilConfig(
    minutes=4 / 60,
    heads_per_step=2,
    body_pixels=60,
    hair_pixels=40,
    volume_points=80,
    rays=24,
    held_out=1,
    basis_every=3,
)


@pytest.fixture(scope="session")
def model() -> MorphableModel:
    return load_head_model()


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads")
    build_dataset(folder, DATA)
    return folder


@pytest.fixture
def data(data_folder: Path) -> HeadDataset:
    return open_dataset(data_folder)


@pytest.fixture
def make_distiller(data_folder: Path) -> Callable[..., Distiller]:
    """A trainer whose clock goes on by one second whenever it is read: a step takes a second."""

    def make(folder: Path, config: DistilConfig = FOUR_STEPS, **more) -> Distiller:  # type: ignore[no-untyped-def]
        ticks = count()
        clock = lambda: float(next(ticks))  # noqa: E731
        return Distiller(folder, data_folder, config, generator_config=SMALL, clock=clock, **more)

    return make


@pytest.fixture(scope="session")
def shard_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Five realistic heads with two small views each. Not to be changed."""
    folder = tmp_path_factory.mktemp("shards")
    build_shards(folder, SHARDS)
    return shards_in(folder)
