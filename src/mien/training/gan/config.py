"""Settings of adversarial training, and presets. A run keeps them; it goes on only with the same ones."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from mien.core.errors import InputError
from mien.generator.backbones import StyleGan2Config
from mien.generator.eg3d.checkpoint import config_to_json
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.eg3d.decoder import OsgDecoderConfig
from mien.generator.eg3d.render import RenderingConfig
from mien.generator.eg3d.superres import Hybrid2XSmallConfig
from mien.generator.eg3d.training import TrainingRecord
from mien.generator.stylegan2.mapping import LabelMappingConfig
from mien.training.discriminator import DiscriminatorConfig


@dataclass(frozen=True)
class LossConfig:
    """Weights and rhythm of the losses; those of the density are in the generator's `training`."""

    r1_gamma: float = 1.0
    """Weight of the squared gradient of the discriminator on real images; half of it counts."""
    r1_every: int = 16
    """Steps between two penalties; each counts this many times."""
    density_every: int = 4
    """Steps between two density regularisations; each counts this many times."""
    density_points: int = 1000
    """Pairs of points per image."""


@dataclass(frozen=True)
class ScheduleConfig:
    """What fades in or out; kimg is a thousand real images."""

    swap_fade_kimg: float = 1000.0
    """Until then the conditioning camera is swapped less and less: from always to the generator's share."""
    blur_first_px: float = 10.0
    """Deviation of the blur of the discriminator's images at the start."""
    blur_fade_kimg: float = 200.0
    """The blur is gone from then on."""
    neural_first: int = 64
    """Side of the volume-rendered image at the start."""
    neural_last: int = 128
    """Its side at the end."""
    neural_from_kimg: float = 25_000.0
    """From then on the side grows."""
    neural_fade_kimg: float = 1000.0
    """Length of the growth."""
    ema_half_life_kimg: float = 10.0
    """Of the averaged generator's memory (EG3D: batch * 10 / 32)."""
    ema_ramp_up: float | None = 0.05
    """The half-life is at most this share of the images seen; None switches that off."""


@dataclass(frozen=True)
class AdamConfig:
    """Both optimisers. Where a regulariser runs lazily, rate and betas are corrected for it."""

    lr_generator: float = 0.0025
    lr_discriminator: float = 0.002
    beta1: float = 0.0
    beta2: float = 0.99
    epsilon: float = 1e-8


@dataclass(frozen=True)
class GanConfig:
    """Adversarial training; the defaults are EG3D's for FFHQ at 512 px."""

    generator: Eg3dConfig = field(default_factory=Eg3dConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    adam: AdamConfig = field(default_factory=AdamConfig)
    batch: int = 32
    """Images per step, over all processes."""
    chunk: int = 4
    """Images that pass through the networks together; cameras are swapped, spreads compared within them."""
    mirror: bool = True
    """Use each picture mirrored too, with its mirrored camera."""
    seed: int = 0


def checked(config: GanConfig) -> GanConfig:
    """The config itself; InputError if no training can be done with it."""
    g, d = config.generator, config.discriminator
    _require(g.image_px == d.image_px, f"the images have {g.image_px} px, the discriminator {d.image_px} px",
             "equal sizes")  # fmt: skip
    _require(0 < config.chunk <= config.batch and config.batch % config.chunk == 0,
             f"a batch of {config.batch} in chunks of {config.chunk}",
             "a batch that is a multiple of its chunk")  # fmt: skip
    group = min(d.group_size, config.chunk)
    _require(config.chunk % group == 0, f"chunks of {config.chunk} and groups of {group}",
             "chunks that are a multiple of the discriminator's group")  # fmt: skip
    _require(g.training.reg_type == "l1", f"density regularisation {g.training.reg_type!r}", "'l1'")
    _require(config.loss.r1_every > 0 and config.loss.density_every > 0, "a rhythm below 1", "1 or more")
    return config


def with_batch(config: GanConfig, batch: int, chunk: int | None = None) -> GanConfig:
    """The same with another batch; the average's half-life stays as many steps."""
    half_life = config.schedule.ema_half_life_kimg * batch / config.batch
    return replace(
        config,
        batch=batch,
        chunk=chunk or min(config.chunk, batch),
        schedule=replace(config.schedule, ema_half_life_kimg=half_life),
    )


def _require(fine: bool, found: str, expected: str) -> None:
    if not fine:
        raise InputError(
            f"The settings of the training have {found}; expected {expected}. Change one of them."
        )


def to_json(config: GanConfig) -> dict[str, Any]:
    """A config as plain JSON."""
    return {**asdict(config), "generator": config_to_json(config.generator)}


def config_hash(config: GanConfig) -> str:
    """SHA-256 of all settings."""
    return hashlib.sha256(json.dumps(to_json(config), sort_keys=True).encode()).hexdigest()


def differences(a: dict[str, Any], b: dict[str, Any], prefix: str = "") -> list[str]:
    """Names of the settings that differ between two configs as JSON, such as `adam.beta1`."""
    found = []
    for name in sorted(a.keys() | b.keys()):
        x, y = a.get(name), b.get(name)
        if isinstance(x, dict) and isinstance(y, dict):
            found += differences(x, y, f"{prefix}{name}.")
        elif json.dumps(x) != json.dumps(y):
            found.append(f"{prefix}{name}")
    return found


TOY: Final = GanConfig(
    generator=Eg3dConfig(
        backbone=StyleGan2Config(
            LabelMappingConfig(z_dim=64), resolution=32, plane_channels=16, channel_base=2048, channel_max=64
        ),
        decoder=OsgDecoderConfig(inputs=16, hidden=32),
        rendering=RenderingConfig(coarse=12, fine=12, white_back=True),
        superres=Hybrid2XSmallConfig(),
        neural_resolution=24,
        training=TrainingRecord(pose_swap_probability=0.5),
    ),
    discriminator=DiscriminatorConfig(image_px=64, channel_base=1024, channel_max=64, mapping_layers=2),
    loss=LossConfig(r1_gamma=0.3, r1_every=8, density_points=500),
    schedule=ScheduleConfig(
        swap_fade_kimg=4.0, blur_first_px=1.0, blur_fade_kimg=2.0, neural_first=16, neural_last=24,
        neural_from_kimg=8.0, neural_fade_kimg=4.0, ema_half_life_kimg=1.0,
    ),
    batch=8,
    chunk=8,
)  # fmt: skip
"""Heads of 64 px on white, in an hour or less of one core."""

PRESETS: Final[dict[str, GanConfig]] = {
    "ffhq512": GanConfig(),  # EG3D's own; not trained by this project
    "toy": TOY,
}
"""Settings by name."""
