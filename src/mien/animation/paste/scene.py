"""A photo in which one or more heads move."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from mien.animation.kinds.interface import Stage
from mien.animation.layer import Layer
from mien.animation.paste.place import Placed
from mien.animation.paste.seam import Toning
from mien.animation.retarget import DrivenMotion

BEYOND: Final = 0.25
"""How far a head may move out of its part of the photo, in sides of the working picture."""


@dataclass(frozen=True, eq=False)
class Actor:
    """A head in the photo, and what it does; all actors of a scene have the same times."""

    stage: Stage
    driven: DrivenMotion
    placed: Placed
    toning: Toning

    def layers(self, indices: Iterable[int]) -> Iterator[Layer | None]:
        """The head on the photo's grid."""
        beyond = round(BEYOND * max(self.placed.shape))
        for layer in self.stage.layers(self.driven, indices, beyond_px=beyond):
            yield None if layer is None else self.placed.in_photo(self.toning.applied(layer))


@dataclass(frozen=True, eq=False)
class Bystander:
    """Somebody who stays as they are in the photo, before heads that move."""

    layer: Layer
    before: int
    """How many of the scene's actors are behind."""


@dataclass(frozen=True, eq=False)
class PhotoScene:
    """Actors before a photo's plate, those behind first. Where nobody moves, pixels are the plate's own."""

    plate: UInt8[np.ndarray, "height width 3"]
    actors: Sequence[Actor]
    bystanders: Sequence[Bystander] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """The photo's."""
        return int(self.plate.shape[0]), int(self.plate.shape[1])

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Those of the first driver, which all have."""
        return self.actors[0].driven.time_s

    @property
    def fps(self) -> Fraction:
        """The same."""
        return self.actors[0].driven.fps

    def key(self) -> str:
        """Hash of all that the pictures depend on."""
        digest = hashlib.sha256(np.ascontiguousarray(self.plate).tobytes())
        for actor in self.actors:
            digest.update(f"{actor.stage.key(actor.driven)} {actor.placed} {actor.toning}".encode())
        for bystander in self.bystanders:
            digest.update(f"{bystander.before} {bystander.layer.corner_px}".encode())
            digest.update(np.ascontiguousarray(bystander.layer.cover).tobytes())
        return digest.hexdigest()

    def frames(self, indices: Iterable[int]) -> Iterator[np.ndarray]:
        """Pictures of the photo's size."""
        chosen = list(indices)
        for layers in zip(*(actor.layers(chosen) for actor in self.actors), strict=True):
            frame = self.plate.copy()
            for number, layer in enumerate(layers, 1):
                if layer is not None:
                    lay_over(frame, layer)
                for bystander in self.bystanders:
                    if bystander.before == number:
                        lay_over(frame, bystander.layer)
            yield frame


def lay_over(picture: UInt8[np.ndarray, "height width 3"], layer: Layer) -> None:
    """Draw a layer on a picture, in place; what is out of the picture is left out."""
    (x, y), (height, width) = layer.corner_px, layer.cover.shape
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, picture.shape[1]), min(y + height, picture.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    inside = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
    part = picture[y0:y1, x0:x1]
    drawn = layer.rgb[inside] * 255 + (1 - layer.cover[inside][..., None]) * part
    part[...] = (drawn + 0.5).clip(0, 255).astype(np.uint8)
