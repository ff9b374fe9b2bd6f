"""Inversion of one aligned photo into an EG3D generator, after Lin et al. 2022: masked W, then tuning.

The cost looks at the person only, where the matte says so; the background is the photo's own, kept apart and
in-painted, as with mien-base. What the generator draws around the person is never shown.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from mien.core.camera import Camera
from mien.generator.eg3d.generator import Eg3dGenerator, unit_image
from mien.inversion.eg3d.cost import Target
from mien.inversion.eg3d.descent import Kept
from mien.inversion.eg3d.latent import LatentConfig, find_w
from mien.inversion.eg3d.tuning import Tuning, TuningConfig, tune, tuned_generator, tuned_planes

Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Eg3dInversionConfig:
    """Both stages. The defaults are for a CPU: at full size (512 px) six minutes of one core."""

    latent: LatentConfig = field(default_factory=LatentConfig)
    tuning: TuningConfig = field(default_factory=TuningConfig)
    mouth_steps: int = 16
    """Of the search in W for each opened mouth (`mien.animation.paper.keymouths`); 0 leaves them out."""
    seed: int = 0


QUICK = Eg3dInversionConfig(
    LatentConfig(steps=20, samples=(16, 16)),
    TuningConfig(steps=20, whole=2, side_px=32, samples=(16, 16)),
    mouth_steps=0,
)
PAPER = Eg3dInversionConfig(
    LatentConfig(steps=2000, side_px=128, samples=(48, 48)),
    TuningConfig(way="weights", steps=2000, whole=2000, samples=(48, 48)),
    mouth_steps=100,
)
"""The steps of Lin et al. 2022, for GPUs: days on two cores."""
EFFORTS: Final = {"quick": QUICK, "normal": Eg3dInversionConfig(), "paper": PAPER}


@dataclass(frozen=True, eq=False)
class Eg3dInversion:
    """A person in an EG3D generator."""

    w: Float[Tensor, "1 w"]
    tuning: Tuning
    error: float
    """Mean absolute error of the final picture where the person is, in [0, 1]."""


def person_target(crop: UInt8[np.ndarray, "side side 3"], alpha: Float32[np.ndarray, "side side"]) -> Target:
    """What the inversion shall show."""
    image = torch.from_numpy(np.array(crop)).permute(2, 0, 1).float() / 127.5 - 1
    return Target(image, torch.from_numpy(np.array(alpha))[None].clamp(0, 1))


def invert_eg3d(
    target: Target,
    camera: Camera,
    generator: Eg3dGenerator,
    *,
    config: Eg3dInversionConfig | None = None,
    kept: Kept | None = None,
    report: Report = lambda stage, share: None,
) -> Eg3dInversion:
    """Find the person and tune the generator to it. Deterministic for a seed, killed in between or not."""
    config = config or Eg3dInversionConfig()
    tuned = 0.0 if config.tuning.way == "none" else 0.5
    w = find_w(
        generator, target, camera, config=config.latent, seed=config.seed, kept=kept,
        report=lambda share: report("W", (1 - tuned) * share),
    )  # fmt: skip
    tuning = tune(
        generator, w, target, camera, config=config.tuning, seed=config.seed, kept=kept,
        report=lambda share: report("tuning", 1 - tuned + tuned * share),
    )  # fmt: skip
    return Eg3dInversion(w, tuning, _error(generator, w, tuning, target, camera))


@torch.no_grad()
def _error(generator: Eg3dGenerator, w: Tensor, tuning: Tuning, target: Target, camera: Camera) -> float:
    tuned = tuned_generator(generator, tuning)
    image = tuned.render(tuned_planes(tuned, w, tuning), w, camera).image
    goal = target.resized(image.shape[-1])
    off = ((unit_image(image[0]) - unit_image(goal.image)).abs() * goal.mask).sum()
    return float(off / (3 * goal.mask.sum() + 1e-6))
