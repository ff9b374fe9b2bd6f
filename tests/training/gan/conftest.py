"""Networks small enough to train in a test, and a folder of six labelled pictures."""

import json
from pathlib import Path

import numpy as np
import pytest

from mien.core.camera import Camera
from mien.generator.backbones import StyleGan2Config
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.eg3d.decoder import OsgDecoderConfig
from mien.generator.eg3d.render import RenderingConfig
from mien.generator.eg3d.superres import Hybrid2XSmallConfig
from mien.generator.stylegan2.mapping import LabelMappingConfig
from mien.io.images import write_image
from mien.training.discriminator import DiscriminatorConfig
from mien.training.gan.config import GanConfig, LossConfig, ScheduleConfig

PICTURES = 6
TINY = GanConfig(
    generator=Eg3dConfig(
        backbone=StyleGan2Config(
            LabelMappingConfig(z_dim=8), resolution=8, plane_channels=4, channel_base=64, channel_max=8
        ),
        decoder=OsgDecoderConfig(inputs=4, hidden=8),
        rendering=RenderingConfig(coarse=5, fine=4),
        superres=Hybrid2XSmallConfig(),
        neural_resolution=10,
    ),
    discriminator=DiscriminatorConfig(
        image_px=64, channel_base=256, channel_max=8, mapping_layers=1, group_size=2
    ),
    loss=LossConfig(r1_every=3, density_every=2, density_points=20),
    schedule=ScheduleConfig(
        swap_fade_kimg=0.02, blur_first_px=1.0, blur_fade_kimg=0.012, neural_first=6, neural_last=10,
        neural_from_kimg=0.004, neural_fade_kimg=0.004, ema_half_life_kimg=0.01, ema_ramp_up=0.5,
    ),
    batch=4,
    chunk=2,
    seed=5,
)  # fmt: skip


@pytest.fixture
def tiny_config() -> GanConfig:
    return TINY


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of noise with cameras on the orbit. Not to be changed."""
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder)
    return folder


@pytest.fixture
def own_pictures(tmp_path: Path) -> Path:
    """The same, to be spoilt."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    write_pictures(folder)
    return folder


def write_pictures(folder: Path, side: int = 64) -> None:
    rng, labels = np.random.default_rng(0), []
    for k in range(PICTURES):
        name = f"{k:03d}.png"
        coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
        write_image(folder / name, coarse.repeat(side // 8, 0).repeat(side // 8, 1))
        camera = Camera.orbit(float(rng.uniform(-0.5, 0.5)), float(rng.uniform(-0.3, 0.3)))
        labels.append([name, camera.to_label().tolist()])
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}), encoding="utf-8")
