"""A small generator that knows three procedural heads: planes from the PCA of their maps, no training."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mien.generator.backbones import BasisConfig
from mien.generator.decoder import HEIGHT_SCALE, OUTPUTS, DecoderConfig
from mien.generator.mapping import MappingConfig
from mien.generator.model import Generator, GeneratorConfig
from mien.generator.superres import SuperResolutionConfig
from mien.morphable.model import MorphableModel, load_head_model
from mien.training.procedural.maps import chart_maps
from mien.training.procedural.person import Person, draw_person
from mien.training.procedural.render.scene import make_sitter

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
    identities: list[Tensor]
    """Of the heads, each float32 [K]."""


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
    people = [draw_person(model, np.random.default_rng([5, k])) for k in range(3)]
    made = Generator(SMALL)
    codes = start_from(made, torch.stack([linear_maps(model, person) for person in people]))
    identities = [torch.from_numpy(person.shape.identity).float() for person in people]
    return KnownHeads(made.eval().requires_grad_(False), codes, identities)


def linear_maps(model: MorphableModel, person: Person) -> Tensor:
    """A person over the chart [7, size, size] as the decoder has it: logits of colours, scaled height."""
    maps = chart_maps(make_sitter(model, person), SMALL.backbone.basis_size)
    colours = torch.from_numpy(np.concatenate([maps.body, maps.hair], -1)).permute(2, 0, 1)
    height = torch.from_numpy(maps.height)[None] / HEIGHT_SCALE
    return torch.cat([torch.logit(colours.clamp(0.015, 0.985)), height])


def start_from(generator: Generator, maps: Tensor) -> Tensor:
    """Set mean and basis planes to the principal components of maps [N, 7, size, size]; returns codes."""
    mean, count = maps.mean(0), len(maps) - 1
    u, s, vt = torch.linalg.svd((maps - mean).flatten(1), full_matrices=False)
    backbone, scale = generator.backbone, count**0.5
    with torch.no_grad():
        large = F.interpolate(mean[None], size=backbone.mean_uv.shape[-2:], mode="bilinear")
        backbone.mean_uv[:OUTPUTS] = large[0]
        basis = (vt[:count] * s[:count, None] / scale).view(count, *mean.shape)
        backbone.basis_uv[:count, :OUTPUTS] = basis
    codes = torch.zeros(len(maps), generator.config.mapping.w_size)
    codes[:, :count] = u[:, :count] * scale
    return codes
