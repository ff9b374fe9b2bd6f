"""Rendering one latent many times: what depends on it alone is made once."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.camera import Camera, Rays
from mien.generator.eg3d.fast.config import FAST, FastConfig, RayEngineName
from mien.generator.eg3d.fast.rays import RAY_ENGINES, Field, RayCast, TorchRays, Warp, choose_rays
from mien.generator.eg3d.fast.superres import SUPERRES_ENGINES, choose_superres
from mien.generator.eg3d.fast.tables import decoder_layers, hidden_tables
from mien.generator.eg3d.generator import RGB, Eg3dGenerator, Eg3dRender
from mien.generator.eg3d.rays import camera_rays


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
        self._prepared: tuple[Any, Any] = (None, None)
        self._stamps: tuple[Any, Any] = (None, None)
        self._bent: tuple[Any, Field] | None = None

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
        """Features [1, F, R, R], depth and alpha [1, 1, R, R], before super-resolution. Bent rays go through
        torch, as the compiled engine knows straight ones only."""
        side = neural_resolution or self.generator.config.neural_resolution
        rays = camera_rays((camera,), side, self.planes)
        flat, rendering = Rays(rays.origins[0], rays.directions[0]), self.generator.config.rendering
        if warp is None:
            engine, field = self._field()
            cast = engine.cast(field, flat, rendering, self.config)
        else:
            cast = TorchRays().cast(self._bent_field(), flat, rendering, self.config, warp)
        self.last_cast = cast
        maps = (cast.features, cast.depth, cast.alpha)
        features, depth, alpha = (m.T.reshape(1, -1, side, side) for m in maps)
        return features, depth, alpha

    def _bent_field(self) -> Field:
        if self._bent is None or self._bent[0] != _stamp(self.planes, *self.generator.decoder.parameters()):
            self._bent = (
                _stamp(self.planes, *self.generator.decoder.parameters()),
                self._fresh_field("torch")[1],
            )
        return self._bent[1]

    def _field(self) -> tuple[Any, Field]:
        stamp = _stamp(self.planes, *self.generator.decoder.parameters())
        if stamp != self._stamps[0]:
            self._prepared = (self._fresh_field(self.config.rays), self._prepared[1])
            self._stamps = (stamp, self._stamps[1])
        return self._prepared[0]

    def _fresh_field(self, rays: RayEngineName) -> tuple[Any, Field]:
        rendering, layers = self.generator.config.rendering, decoder_layers(self.generator.decoder)
        tables = hidden_tables(self.planes[0], layers, box_side=rendering.box_side, axes=rendering.plane_axes)
        engine = RAY_ENGINES[choose_rays(rays, tables, layers)]()
        return engine, engine.prepare(tables, layers, rendering, self.config)

    def _superres(self) -> Any:
        network = self.generator.superresolution
        stamp = _stamp(self.w, *network.parameters())
        if stamp != self._stamps[1]:
            make = SUPERRES_ENGINES[choose_superres(self.config.superres, network)]
            engine = make(network, self.generator.backbone.layered(self.w)[:, -1])
            self._prepared = (self._prepared[0], engine)
            self._stamps = (self._stamps[0], stamp)
        return self._prepared[1]


def _stamp(*tensors: Tensor) -> tuple[tuple[int, int], ...]:
    """Changes when a tensor is replaced or changed in place (which tensors of inference mode do not show)."""
    return tuple((id(t), -1 if t.is_inference() else t._version) for t in tensors)
