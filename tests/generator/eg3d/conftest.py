"""The reference numbers beside the repository, and a small generator with random weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mien.evaluation.parity import ParitySet
from mien.generator.backbones import StyleGan2Config
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.eg3d.render import RenderingConfig
from mien.generator.eg3d.superres import Hybrid2XConfig
from mien.generator.stylegan2.layers import draw_weights
from mien.generator.stylegan2.mapping import LabelMappingConfig

REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "parity"

TINY = Eg3dConfig(
    backbone=StyleGan2Config(LabelMappingConfig(z_dim=16), resolution=16, channel_max=8),
    rendering=RenderingConfig(coarse=8, fine=8),
    superres=Hybrid2XConfig(),
    neural_resolution=8,
)


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of the reference numbers."""
    if not REFERENCE.is_dir():
        pytest.skip("the reference numbers (../shared/parity) are not on this machine")
    return REFERENCE


@pytest.fixture(scope="session")
def parity(reference: Path) -> ParitySet:
    """The reference; what one test computes, others reuse."""
    return ParitySet(reference)


@pytest.fixture(scope="session")
def tiny_config() -> Eg3dConfig:
    """A generator of seconds: planes of 16 px, image of 128 px."""
    return TINY


@pytest.fixture
def tiny() -> Eg3dGenerator:
    """With random weights, and a field in which rays meet something."""
    made = Eg3dGenerator(replace(TINY))
    draw_weights(made, torch.Generator().manual_seed(0))
    with torch.no_grad():
        made.get_parameter("decoder.net.2.weight")[0] *= 8
    return made.eval().requires_grad_(False)
