"""A small generator that knows three heads: planes from the PCA of their canonical maps, no training."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from mien.generator.backbones import BasisConfig
from mien.generator.decoder import DecoderConfig
from mien.generator.mapping import MappingConfig
from mien.generator.model import Generator, GeneratorConfig
from mien.generator.superres import SuperResolutionConfig
from mien.morphable.model import MorphableModel, load_head_model
from mien.training.chartmaps import head_maps
from mien.training.dataset import DatasetConfig, HeadDataset
from mien.training.heads import Head, random_head
from mien.training.pca import pca_start

SMALL = GeneratorConfig(
    backbone=BasisConfig(
        latent=8, expression_codes=3, mean_size=128, basis_size=64, height_bins=16, side_size=32
    ),
    decoder=DecoderConfig(hidden=16),
    mapping=MappingConfig(z_size=8, hidden=16, w_size=8),
    superres=SuperResolutionConfig(channels=4),
)


@dataclass(frozen=True, eq=False)
class KnownHeads:
    """A generator and the heads whose maps made it."""

    generator: Generator
    codes: Tensor
    heads: list[Head]


@pytest.fixture(scope="session")
def model() -> MorphableModel:
    return load_head_model()


@pytest.fixture
def generator() -> Generator:
    """Small, with random weights everywhere."""
    torch.manual_seed(0)
    made = Generator(SMALL)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def known(model: MorphableModel) -> KnownHeads:
    torch.manual_seed(0)
    heads = [random_head(model, np.random.default_rng([5, k])) for k in range(3)]
    maps = np.stack([head_maps(model, head, SMALL.backbone.basis_size) for head in heads])
    nothing = np.zeros(0, np.float32)
    data = HeadDataset(DatasetConfig(heads=3), {}, nothing, nothing, nothing, maps)
    made = Generator(SMALL)
    codes = pca_start(made, data, len(heads))
    return KnownHeads(made.eval().requires_grad_(False), codes, heads)
