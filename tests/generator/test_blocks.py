from pathlib import Path

import pytest
import torch

from mien.core.errors import CheckpointError
from mien.generator.backbones.blocks import BlocksBackbone, BlocksConfig, clothes_rows
from mien.generator.decoder import OUTPUTS, DecoderConfig
from mien.generator.mapping import BlockMappingConfig
from mien.generator.model import Generator, GeneratorConfig, load_generator, save_generator
from mien.generator.superres import SuperResolutionConfig

BACKBONE = BlocksConfig(
    appearance=5,
    hair=4,
    clothes=3,
    expression_codes=2,
    mean_size=64,
    basis_size=32,
    height_bins=8,
    side_size=16,
)
CONFIG = GeneratorConfig(
    backbone=BACKBONE,
    decoder=DecoderConfig(hidden=8, outputs=OUTPUTS + 1),
    mapping=BlockMappingConfig(tuple(part.stop - part.start for part in BACKBONE.blocks.values()), hidden=8),
    superres=SuperResolutionConfig(channels=4),
)
BODY, HAIR = [0, 1, 2], [3, 4, 5, 6, 7]


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(0)
    made = Generator(CONFIG)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    return made.eval().requires_grad_(False)


def moved(generator: Generator, block: str) -> torch.Tensor:
    """Change of the (u, v) plane when one block of W changes."""
    backbone = generator.backbone
    assert isinstance(backbone, BlocksBackbone)
    w = torch.zeros(1, BACKBONE.latent)
    start = generator.planes(w, torch.zeros(1, 52)).uv
    w[:, BACKBONE.blocks[block]] = 1.0  # type: ignore[index]
    return (generator.planes(w, torch.zeros(1, 52)).uv - start)[0].abs()


def test_a_block_moves_its_own_channels_only(generator: Generator) -> None:
    appearance, hair, clothes, light = (moved(generator, b) for b in BACKBONE.blocks)
    assert appearance[BODY].amax() > 0.01
    assert appearance[HAIR].amax() < 1e-6
    assert hair[HAIR].amax() > 0.01
    assert hair[BODY].amax() < 1e-6
    top = clothes_rows(64) + 2  # bilinear resize reaches a texel further
    assert clothes[BODY, : top - 2].amax() > 0.01
    assert clothes[:, top:].amax() < 1e-6
    assert light[[0, 1, 2, 3, 4, 5]].amax() > 0.01
    assert light[6:].amax() < 1e-6


def test_planes_are_linear_in_w(generator: Generator) -> None:
    random = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 1, BACKBONE.latent, generator=random)
    e = torch.rand(1, 52, generator=random)
    mixed = generator.planes(0.3 * a + 0.7 * b, e)
    parts = generator.planes(a, e), generator.planes(b, e)
    for name in ("uv", "uh", "vh"):
        expected = 0.3 * getattr(parts[0], name) + 0.7 * getattr(parts[1], name)
        torch.testing.assert_close(getattr(mixed, name), expected, atol=1e-5, rtol=1e-4)


def test_a_block_of_z_moves_its_block_of_w(generator: Generator) -> None:
    z = torch.randn(1, BACKBONE.latent, generator=torch.Generator().manual_seed(2))
    other = z.clone()
    hair = BACKBONE.blocks["hair"]
    other[:, hair] = torch.randn(1, BACKBONE.hair, generator=torch.Generator().manual_seed(3))
    change = (generator.mapping(other) - generator.mapping(z))[0]
    assert change[hair].abs().amax() > 1e-3
    change[hair] = 0
    assert change.abs().amax() == 0


def test_density_of_the_hair_is_a_share(generator: Generator) -> None:
    planes = generator.planes(torch.zeros(1, BACKBONE.latent), torch.zeros(1, 52))
    points = torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    share = generator.decode(planes, points).hair_share
    assert share is not None
    assert ((share > 0) & (share < 1)).all()


def test_round_trip(generator: Generator, tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    save_generator(path, generator)
    again = load_generator(path)
    assert again.config == CONFIG
    w = generator.sample_w(2, generator=torch.Generator().manual_seed(0))
    found = again.planes(w, torch.zeros(2, 52)).uv
    torch.testing.assert_close(found, generator.planes(w, torch.zeros(2, 52)).uv, atol=2e-3, rtol=2e-3)


def test_an_unknown_mapping_is_refused(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "g.safetensors"
    save_generator(path, generator, {"mapping": "OtherMappingConfig"})
    with pytest.raises(CheckpointError, match="names the mapping 'OtherMappingConfig'"):
        load_generator(path)
