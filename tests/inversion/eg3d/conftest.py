"""A small generator with random weights, and pictures of its people."""

import pytest
import torch

from mien.core.camera import Camera
from mien.generator.backbones import StyleGan2Config
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.eg3d.render import RenderingConfig
from mien.generator.eg3d.superres import Hybrid2XConfig
from mien.generator.stylegan2.layers import draw_weights
from mien.generator.stylegan2.mapping import LabelMappingConfig
from mien.inversion.eg3d.cost import Target

SIDE = 32


@pytest.fixture(scope="session")
def generator() -> Eg3dGenerator:
    config = Eg3dConfig(
        backbone=StyleGan2Config(LabelMappingConfig(z_dim=16), resolution=16, channel_max=8),
        rendering=RenderingConfig(coarse=8, fine=8),
        superres=Hybrid2XConfig(),
        neural_resolution=SIDE,
    )
    made = Eg3dGenerator(config)
    draw_weights(made, torch.Generator().manual_seed(3))
    with torch.no_grad():
        last = made.decoder.net.get_submodule("2")  # solid things in empty space rather than fog
        last.get_parameter("weight")[0] *= 8
        last.get_parameter("bias")[0] = 8.0
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def camera() -> Camera:
    return Camera.orbit(0.2, 0.1)


@pytest.fixture(scope="session")
def person(generator: Eg3dGenerator, camera: Camera) -> Target:
    """A picture of somebody whom the generator knows."""
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        planes = generator.planes(generator.map_w(z, camera.to_label()[None]))
        image = generator.render_raw(planes, camera).image_raw[0]
    return Target(image, torch.ones(1, SIDE, SIDE))
