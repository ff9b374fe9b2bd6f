"""EG3D's generator: mapping, planes, field, rendering and super-resolution in one module.

Images of this class are RGB in [-1, 1], not clamped, as EG3D was trained; `unit_image` takes them to mien's
[0, 1]. Cameras are `mien.Camera`s; only the mapping network takes EG3D's 25 numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mien.core.camera import Camera, Rays
from mien.generator.backbones import BOX_BACKBONES
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.eg3d.decoder import FieldSamples, OsgDecoder
from mien.generator.eg3d.march import Marched
from mien.generator.eg3d.rays import camera_rays
from mien.generator.eg3d.render import RenderingConfig, march_rays
from mien.generator.eg3d.superres import SUPERRES
from mien.generator.eg3d.triplanes import sample_triplanes
from mien.generator.stylegan2.layers import NoiseMode

RGB = 3
Warp = Callable[[Float[Tensor, "batch point 3"]], Float[Tensor, "batch point 3"]]
"""Carries world points of a picture to where the planes hold what is seen there."""


@dataclass(frozen=True, eq=False)
class RawRender:
    """The volume-rendered image, before super-resolution."""

    features: Float[Tensor, "batch feature height width"]
    """In [-1, 1]; the first three are RGB."""
    depth: Float[Tensor, "batch 1 height width"]
    """Distance along the ray in EG3D units."""
    alpha: Float[Tensor, "batch 1 height width"]
    """Sum of the samples' weights, in [0, 1]."""

    @property
    def image_raw(self) -> Float[Tensor, "batch 3 height width"]:
        """RGB in [-1, 1]."""
        return self.features[:, :RGB]


@dataclass(frozen=True, eq=False)
class Eg3dRender:
    """An image and what it was made from."""

    image: Float[Tensor, "batch 3 height width"]
    """RGB in [-1, 1] (not clamped)."""
    image_raw: Float[Tensor, "batch 3 height2 width2"]
    """The volume-rendered RGB in [-1, 1]."""
    depth: Float[Tensor, "batch 1 height2 width2"]
    """Distance along the ray in EG3D units."""
    features: Float[Tensor, "batch feature height2 width2"]
    alpha: Float[Tensor, "batch 1 height2 width2"]


class Eg3dGenerator(nn.Module):
    """z and label -> w -> planes -> image of a camera. Parameters start at zero: see `draw_weights`."""

    def __init__(self, config: Eg3dConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = BOX_BACKBONES[type(config.backbone)](config.backbone)
        self.decoder = OsgDecoder(config.decoder)
        self.superresolution = SUPERRES[type(config.superres)](config.superres)

    def mapping(
        self,
        z: Float[Tensor, "batch z"],
        label: Float[Tensor, "batch 25"],
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
    ) -> Float[Tensor, "batch layer w"]:
        """Latents per layer. Truncation 1 leaves them, 0 gives the mean; `cutoff`: only the first layers."""
        ws = self.backbone.layered(self.map_w(z, label))
        if truncation == 1:
            return ws
        moved = self.backbone.mapping.truncated(ws, truncation)
        return moved if cutoff is None else torch.cat([moved[:, :cutoff], ws[:, cutoff:]], 1)

    def map_w(
        self, z: Float[Tensor, "batch z"], label: Float[Tensor, "batch 25"]
    ) -> Float[Tensor, "batch w"]:
        """The latents themselves, not truncated; `label` is the camera that the person is conditioned on."""
        label = torch.zeros_like(label) if self.config.zero_conditioning else label * self.config.c_scale
        return self.backbone.mapping(z, label)

    def planes(
        self,
        w: Float[Tensor, "batch *layer w"],
        *,
        noise: NoiseMode = "const",
        random: torch.Generator | None = None,
    ) -> Float[Tensor, "batch 3 channel y x"]:
        """Planes of each latent."""
        return self.backbone.planes(w, noise=noise, random=random)

    def field(
        self, planes: Float[Tensor, "batch 3 channel y x"], points: Float[Tensor, "batch point 3"]
    ) -> FieldSamples:
        """Density and colour features at world points."""
        r = self.config.rendering
        return self.decoder(sample_triplanes(planes, points, box_side=r.box_side, axes=r.plane_axes))

    def march(
        self,
        planes: Float[Tensor, "batch 3 channel y x"],
        rays: Rays,
        *,
        samples: tuple[int, int] | None = None,
        random: torch.Generator | None = None,
        warp: Warp | None = None,
    ) -> Marched:
        """What any rays [batch, ray] meet; `samples` are those of the two passes."""
        rendering = _with_samples(self.config.rendering, samples)
        where = warp or (lambda points: points)
        return march_rays(lambda points: self.field(planes, where(points)), rays, rendering, random)

    def render_raw(
        self,
        planes: Float[Tensor, "batch 3 channel y x"],
        cameras: Camera | Sequence[Camera],
        *,
        neural_resolution: int | None = None,
        samples: tuple[int, int] | None = None,
        random: torch.Generator | None = None,
        warp: Warp | None = None,
    ) -> RawRender:
        """The image before super-resolution; one camera per set of planes, or several of a single set."""
        side = neural_resolution or self.config.neural_resolution
        cameras = (cameras,) if isinstance(cameras, Camera) else tuple(cameras)
        rays = camera_rays(cameras, side, planes)
        marched = self.march(_for_cameras(planes, cameras), rays, samples=samples, random=random, warp=warp)
        return RawRender(*(_as_image(m, side) for m in (marched.features, marched.depth, marched.alpha)))

    def enhance(
        self,
        features: Float[Tensor, "batch feature height width"],
        w: Float[Tensor, "batch *layer w"],
        *,
        random: torch.Generator | None = None,
    ) -> Float[Tensor, "batch 3 height2 width2"]:
        """Super-resolution of rendered features, styled by the last layer's latent."""
        last = self.backbone.layered(w)[:, -1]
        return self.superresolution(features[:, :RGB], features, last, random=random)

    def render(
        self,
        planes: Float[Tensor, "batch 3 channel y x"],
        w: Float[Tensor, "batch2 *layer w"],
        cameras: Camera | Sequence[Camera],
        *,
        neural_resolution: int | None = None,
        samples: tuple[int, int] | None = None,
        random: torch.Generator | None = None,
        warp: Warp | None = None,
    ) -> Eg3dRender:
        """The final image of each camera; without `random` the same every time."""
        cameras = (cameras,) if isinstance(cameras, Camera) else tuple(cameras)
        raw = self.render_raw(
            planes, cameras, neural_resolution=neural_resolution, samples=samples, random=random, warp=warp
        )
        image = self.enhance(raw.features, _for_cameras(w, cameras), random=random)
        return Eg3dRender(image, raw.image_raw, raw.depth, raw.features, raw.alpha)


def unit_image(image: Float[Tensor, "*batch height width"]) -> Float[Tensor, "*batch height width"]:
    """From [-1, 1] to mien's [0, 1], clamped."""
    return ((image + 1) / 2).clamp(0, 1)


def signed_image(image: Float[Tensor, "*batch height width"]) -> Float[Tensor, "*batch height width"]:
    """From mien's [0, 1] to [-1, 1]: the inverse of `unit_image`."""
    return image * 2 - 1


def _with_samples(config: RenderingConfig, samples: tuple[int, int] | None) -> RenderingConfig:
    return config if samples is None else replace(config, coarse=samples[0], fine=samples[1])


def _for_cameras(x: Tensor, cameras: Sequence[Camera]) -> Tensor:
    """A single item serves all cameras."""
    if len(x) == len(cameras):
        return x
    if len(x) != 1:
        raise ValueError(
            f"There are {len(x)} latents or planes for {len(cameras)} cameras; give one or as many."
        )
    return x.expand(len(cameras), *x.shape[1:])


def _as_image(
    x: Float[Tensor, "batch ray channel"], side: int
) -> Float[Tensor, "batch channel height width"]:
    return x.transpose(1, 2).unflatten(2, (side, side))
