"""The heads of mien-bench and their truth. The only place that knows which procedural head it is.

Another head takes the place of this one by giving `BenchHead`s from `bench_head`.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.core.camera import Camera
from mien.evaluation.bench.plan import BENCH_SEED
from mien.morphable.model import MorphableModel
from mien.training.heads import Head, random_head, render_head, render_rgba


@dataclass(frozen=True, eq=False)
class TrueView:
    """What a camera truly sees."""

    rgb: Float[Tensor, "height width 3"]
    """In [0, 1], premultiplied by alpha."""
    alpha: Float[Tensor, "height width"]
    depth: Float[Tensor, "height width"]
    """Along the ray, EG3D units; 0 where there is nothing."""
    landmarks: Float[Tensor, "478 3"]
    """MediaPipe's points on the true surface, head frame, also those that are hidden."""


@runtime_checkable
class BenchHead(Protocol):
    """A person whose truth is known."""

    def view(self, expression: Float[Tensor, "52"], camera: Camera, size_px: int) -> TrueView:
        """The person with true coefficients, from a camera of the head's frame."""
        ...


@dataclass(frozen=True, eq=False)
class ProceduralBenchHead:
    """A head of `mien.training.heads`."""

    model: MorphableModel
    head: Head

    def view(self, expression: Float[Tensor, "52"], camera: Camera, size_px: int) -> TrueView:
        """Four rays a pixel for the picture, one for the depth."""
        e = expression.numpy()
        rgba = torch.from_numpy(render_rgba(self.model, self.head, e, camera, size_px))
        depth = render_head(self.model, self.head, e, camera, size_px).depth.reshape(size_px, size_px)
        vertices = self.model.vertices(torch.from_numpy(self.head.identity), expression)
        landmarks = self.model.landmarks(vertices)
        return TrueView(rgba[..., :3], rgba[..., 3], torch.from_numpy(depth), landmarks)


def bench_head(model: MorphableModel, index: int) -> BenchHead:
    """The person of a number, the same on every machine."""
    return ProceduralBenchHead(model, random_head(model, np.random.default_rng([BENCH_SEED, index])))


def bench_background(index: int, size_px: int) -> Float[np.ndarray, "size size 3"]:
    """A wall in [0, 1]: one muted colour, a gradient and soft blotches, as behind a portrait."""
    rng = np.random.default_rng([BENCH_SEED, index, 1])
    colour = rng.uniform(0.35, 0.8) * (1 + rng.normal(0, 0.08, 3))
    blotches = cv2.resize(rng.normal(0, 0.03, (4, 4)), (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    across, down = np.meshgrid(*2 * [np.linspace(-0.5, 0.5, size_px)])
    slope = rng.normal(0, 0.12, 2)
    light = 1 + slope[0] * across + slope[1] * down + blotches
    return np.clip(colour * light[..., None], 0, 1).astype(np.float32)


def portrait(
    view: TrueView, background: Float[np.ndarray, "size size 3"]
) -> UInt8[np.ndarray, "size size 3"]:
    """A true view before a background, as a photo shows it."""
    rgb = view.rgb.numpy() + (1 - view.alpha.numpy()[..., None]) * background
    return np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
