"""Opened mouths that the generator has in-painted, as textures for the inside of a mouth that opens.

The photo is inverted once with its mouth shut. For a few open mouths the generator is asked what it would
show in the opening (`mien.animation.paper.keymouths`). A point of teeth, tongue or throat that a frame shows
is looked up where these pictures show it, so teeth move with the jaw or stay with the skull, and no frame
needs a latent of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from mien.core.camera import Camera
from mien.generator.planes import lookup
from mien.morphable.model import MorphableModel
from mien.morphable.raster import Hits, RayScene, interpolate

SHOWN_WITHIN: Final = 4e-3
"""A picture shows a point if nothing is this far before it (head units)."""
SAME_GAP: Final = 0.03
"""Difference of the lips' distances over which a picture loses most of its say (head units)."""
LEAST_SAY: Final = 1e-3


@dataclass(frozen=True, eq=False)
class KeyMouth:
    """One opened mouth, seen by the photo's camera."""

    model: MorphableModel
    vertices: Float[Tensor, "vertex 3"]
    """The mesh with the mouth open, in the head's frame."""
    camera: Camera
    """The photo's, in the head's frame."""
    picture: Float32[np.ndarray, "side side 3"]
    opening: Float32[np.ndarray, "side side"]
    """Where the picture shows the mouth's inside."""

    @cached_property
    def gap(self) -> float:
        """Distance of the inner lips, head units."""
        return lip_gap(self.model, self.vertices)

    @cached_property
    def _scene(self) -> RayScene:
        return RayScene(self.vertices.numpy(), self.model.faces_np)

    def look_up(self, hits: Hits) -> tuple[Float32[np.ndarray, "ray 3"], Float32[np.ndarray, " ray"]]:
        """Colours of points of the mesh, and how far the picture shows them."""
        points = interpolate(self.vertices.numpy(), self.model.faces_np, hits).astype(np.float32)
        uv = self.camera.project(torch.from_numpy(points)).uv * 2 - 1
        maps = torch.from_numpy(np.concatenate([self.picture, self.opening[..., None]], -1))
        found = lookup(maps.permute(2, 0, 1)[None], uv[None, :, 0], uv[None, :, 1])[0].numpy()
        return found[:, :3], found[:, 3] * shown_from(self.camera.position, self._scene, points)


def shown_from(
    eye: Float[Tensor, "3"], scene: RayScene, points: Float[np.ndarray, "ray 3"]
) -> Bool[np.ndarray, " ray"]:
    """Whether points of a scene's surface are seen from a place."""
    away = points - eye.numpy()
    distance = np.linalg.norm(away, axis=1)
    first = scene.cast(eye.numpy(), (away / distance[:, None]).astype(np.float32))
    return np.asarray(first.depth > distance - SHOWN_WITHIN)


def lip_gap(model: MorphableModel, vertices: Float[Tensor, "vertex 3"]) -> float:
    """Distance between the middles of the inner lips."""
    upper, lower = model.landmarks(vertices)[[13, 14]]
    return float((upper - lower).norm())


def mixed_mouths(
    keys: Sequence[KeyMouth], hits: Hits, gap: float
) -> tuple[Float32[np.ndarray, "ray 3"], Float32[np.ndarray, " ray"]]:
    """Colours of points in a mouth whose lips are `gap` apart, and how far they are known: pictures of mouths
    that are about as open count most."""
    colours, shares = zip(*(key.look_up(hits) for key in keys), strict=True)
    shown = np.stack(shares)
    say = np.array([np.exp(-(((gap - key.gap) / SAME_GAP) ** 2)) + LEAST_SAY for key in keys], np.float32)
    weight = shown * say[:, None]
    total = np.maximum(weight.sum(0), 1e-9)
    return (weight[..., None] * np.stack(colours)).sum(0) / total[:, None], shown.max(0)
