"""A person from anywhere and with any expression, whichever generator the person lives in."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from mien.core.camera import Camera


@dataclass(frozen=True, eq=False)
class FittedFace:
    """The head model laid over the photo, which every kind of avatar knows."""

    camera: Camera
    """Of the whole working picture, in the head's frame."""
    identity: Float[Tensor, " component"]
    expression: Float[Tensor, "52"]
    """Of the photo."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A person without background."""

    rgb: Float[Tensor, "height width 3"]
    """In [0, 1], premultiplied by alpha."""
    alpha: Float[Tensor, "height width"]
    distance: Float[Tensor, "height width"] | None = None
    """Along the rays, units of the head's frame; 0 where nothing is seen, and where what is seen has no
    surface (a chest that is only the photo's). None if it is not known."""


@runtime_checkable
class Viewer(Protocol):
    """A person whom any camera can see, with any expression, in the working picture's own framing."""

    @property
    def face(self) -> FittedFace:
        """What was fitted to the photo; `face.camera` sees the person as in the photo."""
        ...

    def see(self, camera: Camera, expression: Float[Tensor, "52"], size_px: tuple[int, int]) -> Seen:
        """The bust at rest from a camera of the head's frame whose intrinsics are those of `face.camera`.

        `size_px` is (height, width).
        """
        ...
