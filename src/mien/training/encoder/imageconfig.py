"""Settings of the image encoder's training; saved with a run, so that it goes on as it began."""

from dataclasses import dataclass, field

from mien.morphable.imageencoder import ImageEncoderConfig
from mien.training.encoder.augment import AugmentConfig
from mien.training.encoder.imagecosts import CostWeights


@dataclass(frozen=True)
class ImageTraining:
    """Length, rates and examples."""

    minutes: float = 60.0
    """Wall-clock length of the learning-rate schedule."""
    batch: int = 256
    lr: float = 1e-3
    decay: float = 0.05
    """Weight decay (Loshchilov & Hutter 2019)."""
    average: float = 0.999
    """Of the weights' running mean, which is what is used."""
    held_out: float = 1 / 16
    """Share of the heads, at the end of the set, that training never sees."""
    most_turn_deg: float = 70.0
    """Views turned further from the viewer are left out."""
    half: bool = True
    """Convolutions in bfloat16 on a GPU."""
    checkpoint_every_s: float = 60.0
    """State and scores."""
    scaling: int = 2048
    """Examples whose mean and deviations the network's answers are counted from."""
    calibration: int = 8
    """Crops of each held-out view by which errors are measured."""
    seed: int = 0
    network: ImageEncoderConfig = field(default_factory=ImageEncoderConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    weights: CostWeights = field(default_factory=CostWeights)
