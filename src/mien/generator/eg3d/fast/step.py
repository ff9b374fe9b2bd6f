"""A differentiable picture for steps of w: the plain picture's gradient at a fraction of its cost.

What is saved, and where: convolutions run in half precision and scale maps instead of weights, so that no
gradient of a weight is needed; rays are chosen without gradients, and only samples that count are looked up
and decoded with them; the picture may be rendered smaller than the generator's own ("low resolution first").
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mien.core.camera import Camera, Rays
from mien.core.device import fast_bfloat16
from mien.generator.eg3d.fast.config import FastConfig
from mien.generator.eg3d.fast.rays import prepare_rays
from mien.generator.eg3d.fast.superres.cached import half_type
from mien.generator.eg3d.generator import RGB, Eg3dGenerator, Eg3dRender
from mien.generator.eg3d.rays import camera_rays
from mien.generator.eg3d.superres import HybridSuperRes
from mien.generator.eg3d.superres.base import BLOCK_LATENTS
from mien.generator.stylegan2.layers import SynthesisLayer, ToRgb

PlanesOf = Callable[[Tensor], Tensor]
"""w [1, layer?, w] to planes [1, 3, channel, y, x], with gradients."""
STEP_RAYS: Final = FastConfig(
    grid=64, empty_opacity=0.02, stop_transmittance=0.02, least_share=3e-3, fine_share=0.35
)


@dataclass(frozen=True)
class FastStepConfig:
    """What a step of w may leave out."""

    neural_resolution: int | None = None
    """Side of the volume-rendered image; None: the generator's own."""
    full_size: bool = False
    """Bring a smaller rendered image to the super-resolution's own input size, as the reference does. Else
    the super-resolution runs at that size, and its image is smaller by the same factor."""
    half: bool = True
    """Convolutions in the half precision that the device is fast with."""
    rays: FastConfig = STEP_RAYS


EXACT_STEP: Final = FastStepConfig()
"""The whole image. Cosine to the plain gradient: see docs/eg3d_speed.md."""
QUICK_STEP: Final = FastStepConfig(neural_resolution=64)
"""A quarter of the rays and of the pixels."""


def differentiable_render(
    generator: Eg3dGenerator,
    w: Float[Tensor, "1 *layer w"],
    camera: Camera,
    *,
    config: FastStepConfig = QUICK_STEP,
    planes_of: PlanesOf | None = None,
) -> Eg3dRender:
    """The picture of one latent, with gradients to w.

    `planes_of` replaces the backbone, for example to add something to its planes; it runs in half precision
    too. The generator's weights should not require gradients, or they get some.
    """
    side = config.neural_resolution or generator.config.neural_resolution
    planes = differentiable_planes(generator, w, planes_of=planes_of, half=config.half)
    features, depth, alpha = _cast(generator, planes, camera, side, config.rays)
    with scaled_maps(generator), half_convolutions(w.device, config.half):
        last = generator.backbone.layered(w)[:, -1]
        if config.full_size:
            image = generator.superresolution(features[:, :RGB], features, last)
        else:
            image = _enhanced(generator.superresolution, features, last)
    return Eg3dRender(image.float(), features[:, :RGB], depth, features, alpha)


def differentiable_planes(
    generator: Eg3dGenerator,
    w: Float[Tensor, "1 *layer w"],
    *,
    planes_of: PlanesOf | None = None,
    half: bool = True,
) -> Float[Tensor, "1 3 channel y x"]:
    """Planes of one latent, with gradients to w only; see `differentiable_render`."""
    with scaled_maps(generator), half_convolutions(w.device, half):
        return (planes_of or generator.planes)(w).float()


def _cast(
    generator: Eg3dGenerator, planes: Tensor, camera: Camera, side: int, config: FastConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Features, depth and alpha as images."""
    rendering = generator.config.rendering
    engine, field = prepare_rays(planes, generator.decoder, rendering, config, "torch")
    rays = camera_rays((camera,), side, planes)
    return engine.cast(field, Rays(rays.origins[0], rays.directions[0]), rendering, config).images(side)


def _enhanced(network: HybridSuperRes, features: Tensor, w: Tensor) -> Tensor:
    """The super-resolution without bringing its input to one size."""
    if network.config.noise != "none":
        raise ValueError(
            "The super-resolution's noise has a fixed size, so smaller images need full_size=True."
        )
    ws, x, image = w[:, None].expand(-1, BLOCK_LATENTS, -1), features, features[:, :RGB]
    for index in range(len(network.widths)):
        x, image = network.get_submodule(f"block{index}")(x, image, ws, noise="none")
    return image


@contextmanager
def half_convolutions(device: torch.device, half: bool) -> Iterator[None]:
    """Convolutions in half precision, if wanted and if the device is fast with it."""
    enabled = half and fast_bfloat16(device)
    with torch.autocast(device.type, dtype=half_type(device), enabled=enabled):
        yield


@contextmanager
def scaled_maps(generator: nn.Module) -> Iterator[None]:
    """Modulated convolutions scale their maps, not their weights (`modulated_conv`, not fused).

    The results differ by rounding only. With scaled weights, the way to w leads through a gradient for every
    weight, which costs as much as the convolution itself.
    """
    layers = [m for m in generator.modules() if isinstance(m, (SynthesisLayer, ToRgb)) and not m.training]
    for layer in layers:
        layer.training = True
    try:
        yield
    finally:
        for layer in layers:
            layer.training = False
