"""Rendering one latent many times: what depends on it alone is made once."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.camera import Camera, Rays
from mien.generator.eg3d.fast.config import FAST, FastConfig, RayEngineName
from mien.generator.eg3d.fast.rays import CompiledRays, Field, RayCast, RayEngine, TorchRays, prepare_rays
from mien.generator.eg3d.fast.superres import SUPERRES_ENGINES, SuperResEngine, choose_superres
from mien.generator.eg3d.generator import RGB, Eg3dGenerator, Eg3dRender, Warp
from mien.generator.eg3d.rays import camera_rays
from mien.morphable.warp import HeadWarp

T = TypeVar("T")


class FastRenderer:
    """Renders planes with one style, as `Eg3dGenerator.render` does without random numbers, but faster.

    Tables, occupancy grid and styled weights are made at the first picture and again whenever the planes, the
    latent or the generator's weights have been changed in place or replaced. For gradients there is
    `differentiable_render`.
    """

    def __init__(
        self,
        generator: Eg3dGenerator,
        planes: Float[Tensor, "1 3 channel y x"],
        w: Float[Tensor, "1 *layer w"],
        *,
        config: FastConfig = FAST,
    ) -> None:
        self.generator, self.planes, self.w, self.config = generator, planes, w, config
        self.last_cast: RayCast | None = None
        """Of the last picture: how many samples were decoded."""
        self._prepared: dict[str, tuple[Any, Any]] = {}

    @classmethod
    def of_latent(
        cls, generator: Eg3dGenerator, w: Float[Tensor, "1 *layer w"], *, config: FastConfig = FAST
    ) -> "FastRenderer":
        """With the planes of a latent."""
        with torch.no_grad():
            return cls(generator, generator.planes(w), w, config=config)

    @torch.no_grad()
    def render(
        self,
        cameras: Camera | Sequence[Camera],
        *,
        neural_resolution: int | None = None,
        warp: Warp | None = None,
    ) -> Eg3dRender:
        """The final image of each camera, of a person bent by `warp`."""
        cameras = (cameras,) if isinstance(cameras, Camera) else tuple(cameras)
        raws = [self.render_raw(c, neural_resolution=neural_resolution, warp=warp) for c in cameras]
        enhance = self._superres()
        images = torch.cat([enhance(features) for features, _, _ in raws])
        features, depth, alpha = (torch.cat(parts) for parts in zip(*raws, strict=True))
        return Eg3dRender(images, features[:, :RGB], depth, features, alpha)

    @torch.no_grad()
    def render_raw(
        self, camera: Camera, *, neural_resolution: int | None = None, warp: Warp | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Features [1, F, R, R], depth and alpha [1, 1, R, R], before super-resolution.

        A `HeadWarp` goes through any engine, any other warp through torch.
        """
        side = neural_resolution or self.generator.config.neural_resolution
        rays = camera_rays((camera,), side, self.planes)
        flat, rendering = Rays(rays.origins[0], rays.directions[0]), self.generator.config.rendering
        engine, field = self._field(self.config.rays)
        if warp is None:
            cast = engine.cast(field, flat, rendering, self.config)
        elif isinstance(engine, CompiledRays) and isinstance(warp, HeadWarp):
            cast = engine.cast(field, flat, rendering, self.config, warp)
        else:
            cast = TorchRays().cast(self._field("torch")[1], flat, rendering, self.config, warp)
        self.last_cast = cast
        return cast.images(side)

    def _field(self, rays: RayEngineName) -> tuple[RayEngine, Field]:
        decoder, rendering = self.generator.decoder, self.generator.config.rendering
        return self._kept(
            f"rays: {rays}",
            (self.planes, *decoder.parameters()),
            lambda: prepare_rays(self.planes, decoder, rendering, self.config, rays),
        )

    def _superres(self) -> SuperResEngine:
        network = self.generator.superresolution

        def prepare() -> SuperResEngine:
            make = SUPERRES_ENGINES[choose_superres(self.config.superres, network)]
            return make(network, self.generator.backbone.layered(self.w)[:, -1])

        return self._kept("superres", (self.w, *network.parameters()), prepare)

    def _kept(self, name: str, made_of: tuple[Tensor, ...], prepare: Callable[[], T]) -> T:
        """What `prepare` makes, made again when a tensor it is made of has changed."""
        stamp = _stamp(*made_of)
        if self._prepared.get(name, (None, None))[0] != stamp:
            self._prepared[name] = (stamp, prepare())
        kept: T = self._prepared[name][1]
        return kept


def _stamp(*tensors: Tensor) -> tuple[tuple[int, int], ...]:
    """Changes when a tensor is replaced or changed in place (which tensors of inference mode do not show)."""
    return tuple((id(t), -1 if t.is_inference() else t._version) for t in tensors)
