"""Three made-up heads to borrow from, and a small generator with names and light."""

import numpy as np
import pytest
import torch

from mien.generator.backbones.blocks import BlocksConfig
from mien.generator.decoder import OUTPUTS, DecoderConfig
from mien.generator.mapping import BlockMappingConfig
from mien.generator.model import Generator, GeneratorConfig
from mien.generator.names.model import NamesConfig
from mien.generator.names.spec import Name, Value, Vocabulary
from mien.generator.parts.store import DrawnMaps, Parts, encoded
from mien.generator.superres import SuperResolutionConfig
from mien.generator.texels import SIZE

BACKBONE = BlocksConfig(
    appearance=4,
    hair=3,
    clothes=2,
    expression_codes=2,
    mean_size=64,
    basis_size=32,
    height_bins=8,
    side_size=16,
)  # fmt: skip
WORDS = Vocabulary(
    (
        Name("sex", "", "choice", choices=("female", "male"), moves=("appearance", "identity")),
        Name("age", "", low=10.0, high=80.0, moves=("appearance", "identity")),
        Name("weight", "", moves=("identity",)),
        Name("skin", ""),
        Name("hair", "", "choice", choices=("bald", "bob", "short"), moves=("hair",)),
        Name("hair_darkness", "", moves=("hair",)),
        Name("clothes", "", "colour", moves=("clothes",)),
    )
)
LABELS: list[dict[str, Value]] = [
    {"sex": "male", "age": 70.0, "skin": 0.2, "hair": "bald", "hair_darkness": 0.1, "clothes": "#202020"},
    {"sex": "female", "age": 20.0, "skin": 0.2, "hair": "bob", "hair_darkness": 0.9, "clothes": "#202020"},
    {"sex": "male", "age": 30.0, "skin": 0.8, "hair": "short", "hair_darkness": 0.2, "clothes": "#202020"},
]


def drawn(seed: int) -> DrawnMaps:
    """Noisy skin above cloth; hair of one height on all the head but for the first, which is bald."""
    random, half = np.random.default_rng(seed), SIZE // 2
    body = random.integers(90, 170, (SIZE, SIZE, 3)).astype(np.uint8)
    clothed = np.zeros((SIZE, SIZE), np.float32)
    clothed[SIZE // 8 : SIZE // 4] = 1
    hair = random.integers(40 * seed, 40 * seed + 60, (SIZE, SIZE, 3)).astype(np.uint8)
    height, share = np.full((half, half), -0.08, np.float32), np.zeros((half, half), np.float32)
    if seed > 0:
        height[3 * half // 4 :], share[3 * half // 4 :] = 0.02 * seed, 0.5
    return DrawnMaps(body, clothed, hair, height, share)


@pytest.fixture(scope="session")
def parts() -> Parts:
    return Parts([encoded(drawn(k)) for k in range(3)], LABELS)


@pytest.fixture
def named() -> Generator:
    config = GeneratorConfig(
        backbone=BACKBONE,
        decoder=DecoderConfig(hidden=8, outputs=OUTPUTS + 1),
        mapping=BlockMappingConfig(tuple(p.stop - p.start for p in BACKBONE.blocks.values()), hidden=8),
        superres=SuperResolutionConfig(channels=4),
        names=NamesConfig(WORDS, 40, BACKBONE.latent, 80, ()),
    )
    torch.manual_seed(0)
    made = Generator(config).eval().requires_grad_(False)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, 0, 0.02)
    backbone = made.backbone
    backbone.light_harmonics.normal_()
    return made
