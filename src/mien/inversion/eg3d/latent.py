"""A photo's latent in W: Lin et al. 2022 (section 3.2), from the mean, masked, small pictures only."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.camera import Camera
from mien.generator.eg3d.fast import differentiable_planes
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.inversion.eg3d.cost import CostConfig, Target, image_cost
from mien.inversion.eg3d.descent import DescentConfig, Kept, descend

FIRST_SEED: Final = 123
"""Of the mean of W, as in the usual projectors; other seeds give the same mean within a percent."""


@dataclass(frozen=True)
class LatentConfig:
    """The search in W. At full size a step takes 4.4 s of one core, nearly all of it in the backbone."""

    steps: int = 60
    rate: float = 0.025
    side_px: int = 32
    """Side of the rendered pictures that are compared."""
    samples: tuple[int, int] = (24, 24)
    mean_of: int = 600
    """Latents that the start is the mean of."""
    noise: float = 0.05
    """First noise on w, in deviations of W; it fades to none after `noise_until` of the steps."""
    noise_until: float = 0.75
    cost: CostConfig = field(default_factory=CostConfig)


@dataclass(frozen=True, eq=False)
class MeanW:
    """Mean and deviation of W under a camera."""

    mean: Float[Tensor, "1 w"]
    deviation: float
    """Root of the mean squared distance from the mean."""


@torch.no_grad()
def mean_w(generator: Eg3dGenerator, camera: Camera, count: int) -> MeanW:
    """Of `count` latents that are conditioned on the camera."""
    random = torch.Generator().manual_seed(FIRST_SEED)
    z = torch.randn(count, generator.config.backbone.mapping.z_dim, generator=random)
    like = next(generator.parameters())
    label = camera.to_label().to(like).expand(count, -1)
    w = generator.map_w(z.to(like), label)
    mean = w.mean(0, keepdim=True)
    return MeanW(mean, float(((w - mean).square().sum() / count).sqrt()))


def find_w(
    generator: Eg3dGenerator,
    target: Target,
    camera: Camera,
    *,
    config: LatentConfig | None = None,
    seed: int = 0,
    kept: Kept | None = None,
    report: Callable[[float], None] = lambda share: None,
) -> Float[Tensor, "1 w"]:
    """The latent whose picture is nearest to the target."""
    config = config or LatentConfig()
    start = mean_w(generator, camera, config.mean_of)
    return search_w(
        generator, target, camera, start, config=config, seed=seed, kept=kept, report=report
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tie:
    """What holds a latent to another one, of a frame before."""

    w: Float[Tensor, "1 w"]
    weight: float
    """Of the squared distance, in deviations of W."""


def search_w(
    generator: Eg3dGenerator,
    target: Target,
    camera: Camera,
    start: MeanW,
    *,
    config: LatentConfig,
    residual: Float[Tensor, "1 3 channel y x"] | None = None,
    tie: Tie | None = None,
    name: str = "latent",
    seed: int = 0,
    kept: Kept | None = None,
    report: Callable[[float], None] = lambda share: None,
) -> Float[Tensor, "1 w"]:
    """`find_w` from any latent (`start.mean`), with what tuning adds to the planes, and tied to another."""
    w = start.mean.clone().requires_grad_(True)
    small = target.resized(config.side_px)

    def slope(step: int) -> float:
        random = torch.Generator().manual_seed(seed * 1_000_003 + step)
        share = max(0.0, 1 - step / config.steps / config.noise_until)
        noise = torch.randn(w.shape, generator=random).to(w) * (start.deviation * config.noise * share**2)
        planes = differentiable_planes(generator, w + noise)
        planes = planes if residual is None else planes + residual.to(planes)
        raw = generator.render_raw(
            planes, camera, neural_resolution=config.side_px, samples=config.samples, random=random
        )
        cost = image_cost(raw.image_raw, small, config.cost)
        if tie is not None:
            cost = cost + tie.weight * (w - tie.w).square().sum() / max(start.deviation**2, 1e-12)
        cost.backward()
        return float(cost.detach())

    descent = DescentConfig(config.steps, config.rate)
    descend([w], slope, descent, name=name, kept=kept, report=report)
    return w.detach()
