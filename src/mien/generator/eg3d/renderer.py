"""The one place that decides how an EG3D person is rendered."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.camera import Camera
from mien.generator.eg3d.fast import FastRenderer
from mien.generator.eg3d.generator import Eg3dGenerator, Eg3dRender, Warp


@runtime_checkable
class Eg3dRenderer(Protocol):
    """One person, whose planes are kept."""

    def render(self, camera: Camera, *, warp: Warp | None = None) -> Eg3dRender:
        """The image of a camera, of a person bent by `warp`; the same every time."""
        ...


@dataclass(frozen=True, eq=False)
class PlainRenderer:
    """The reference: every sample of every ray is looked up."""

    generator: Eg3dGenerator
    w: Float[Tensor, "1 layer w"]
    planes: Float[Tensor, "1 3 channel y x"]

    def render(self, camera: Camera, *, warp: Warp | None = None) -> Eg3dRender:
        """The image of a camera."""
        with torch.no_grad():
            return self.generator.render(self.planes, self.w, camera, warp=warp)


def eg3d_renderer(
    generator: Eg3dGenerator,
    w: Float[Tensor, "1 layer w"],
    planes: Float[Tensor, "1 3 channel y x"] | None = None,
    *,
    exact: bool = False,
) -> Eg3dRenderer:
    """A renderer of the person `w`: the fast path, or the `exact` reference. `planes` spares making them."""
    if planes is None:
        with torch.no_grad():
            planes = generator.planes(w)
    return PlainRenderer(generator, w, planes) if exact else FastRenderer(generator, planes, w)
