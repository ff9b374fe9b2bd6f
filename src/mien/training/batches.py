"""What a training step looks at: random heads, pixels, rays and points in the hair's volume."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from mien.core.camera import FFHQ_FOCAL
from mien.morphable import chart
from mien.morphable.carry import sample_chart
from mien.training.config import DistilConfig
from mien.training.dataset import BODY, VIEWS_PER_EXPRESSION, HeadDataset

NEAR, FAR = 2.15, 3.2  # EG3D units along a ray
JITTERED_SAMPLES: Final = 16
NEAR_SURFACE: Final = 0.03  # EG3D units
HEIGHTS: Final = (-0.10, 0.26)


@dataclass(frozen=True, eq=False)
class Batch:
    """Some heads, and some views of each with one expression."""

    heads: Int[Tensor, " batch"]
    images: Int[Tensor, "batch view"]
    expression: Float[Tensor, "batch 52"]


@dataclass(frozen=True, eq=False)
class Pixels:
    """Plane coordinates whose colour is known."""

    points: Float[Tensor, "batch point 3"]
    rgb: Float[Tensor, "batch point 3"]
    weight: Float[Tensor, "batch point"]
    """0 where an image has no pixel of the kind asked for."""


@dataclass(frozen=True, eq=False)
class RayTargets:
    """Rays in the head frame, the body they hit, and what they shall show."""

    origins: Float[Tensor, "batch ray 3"]
    directions: Float[Tensor, "batch ray 3"]
    far: Float[Tensor, "batch ray"]
    """Distance of the body, or the end of the box."""
    hit: Float[Tensor, "batch ray"]
    """1 where the body is hit behind any hair."""
    body_points: Float[Tensor, "batch ray 3"]
    rgb: Float[Tensor, "batch ray 3"]
    """Premultiplied."""
    alpha: Float[Tensor, "batch ray"]
    jitter: Float[Tensor, "batch ray sample"]


class BatchSampler:
    """Draws from a set of heads; all randomness comes from one generator."""

    def __init__(self, data: HeadDataset, heads: int, config: DistilConfig, random: torch.Generator) -> None:
        self.data, self.heads, self.config, self.random = data, heads, config, random

    def draw(self) -> Batch:
        """Heads, and for each an expression and views with it."""
        c, views = self.config, self.data.config.views
        heads = torch.randint(0, self.heads, (c.heads_per_step,), generator=self.random)
        groups = -(-views // VIEWS_PER_EXPRESSION)
        first = torch.randint(0, groups, (c.heads_per_step, 1), generator=self.random) * VIEWS_PER_EXPRESSION
        offset = torch.stack(
            [torch.randperm(VIEWS_PER_EXPRESSION, generator=self.random)[: c.views_per_head] for _ in heads]
        )
        images = heads[:, None] * views + (first + offset).clamp(max=views - 1)
        expression = torch.from_numpy(np.array(self.data.expressions[images[:, 0].numpy()]))
        return Batch(heads, images, expression)

    def pixels(self, batch: Batch, kind: int) -> Pixels:
        """Pixels that show the body, or hair, and where on the planes they lie."""
        name = "body_planes" if kind == BODY else "hair_planes"
        count = self.config.body_pixels if kind == BODY else self.config.hair_pixels
        flat = batch.images.reshape(-1)
        index, weight = [], []
        for i in flat.tolist():
            choices = np.flatnonzero(self.data.pixels["kind"][i, :, 0] == kind)
            weight.append(float(len(choices) > 0))
            pick = torch.randint(0, max(len(choices), 1), (count,), generator=self.random).numpy()
            index.append(choices[pick] if len(choices) else np.zeros(count, np.int64))
        pixel, b = np.stack(index), len(batch.heads)
        return Pixels(
            points=self._gather(name, flat, pixel).reshape(b, -1, 3),
            rgb=self._gather("rgb", flat, pixel).reshape(b, -1, 3) / 255,
            weight=torch.tensor(weight)[:, None].expand(-1, count).reshape(b, -1),
        )

    def rays(self, batch: Batch) -> RayTargets:
        """Rays through random pixels: half anywhere, half in the middle of the image, where the head is."""
        size, flat, b = self.data.config.size, batch.images.reshape(-1), len(batch.heads)
        pixel = self._ray_pixels(len(flat))
        chosen = pixel.numpy()
        T = torch.from_numpy(np.array(self.data.cameras[flat.numpy()]))
        x, y = (pixel % size + 0.5) / size - 0.5, (pixel // size + 0.5) / size - 0.5
        d = torch.stack([x / FFHQ_FOCAL, y / FFHQ_FOCAL, torch.ones_like(x)], -1)
        d = torch.nn.functional.normalize(d, dim=-1) @ T[:, :3, :3].transpose(1, 2)
        depth = self._gather("body_depth", flat, chosen).reshape(b, -1)
        return RayTargets(
            origins=T[:, None, :3, 3].expand_as(d).reshape(b, -1, 3),
            directions=d.reshape(b, -1, 3),
            far=torch.where(depth > 0, depth, torch.full_like(depth, FAR)),
            hit=(depth > 0).float(),
            body_points=self._gather("body_planes", flat, chosen).reshape(b, -1, 3),
            rgb=self._gather("rgb", flat, chosen).reshape(b, -1, 3) / 255,
            alpha=(self._gather("kind", flat, chosen) > 0).float().reshape(b, -1),
            jitter=torch.rand(*depth.shape, JITTERED_SAMPLES, generator=self.random),
        )

    def heights(self, batch: Batch) -> tuple[Float[Tensor, "batch point 3"], Float[Tensor, "batch point"]]:
        """Plane coordinates near the hair's surface and anywhere, and the hair height wanted there."""
        n, b = self.config.volume_points, len(batch.heads)
        uv = torch.rand(b, n, 2, generator=self.random) * 2 - 1
        low, high = chart.V_BODY
        uv[..., 1] = low + (uv[..., 1] + 1) / 2 * (high - low)
        maps = torch.from_numpy(np.array(self.data.maps[batch.heads.numpy(), 6])).float()
        target = torch.stack([sample_chart(m[None], p)[..., 0] for m, p in zip(maps, uv, strict=True)])
        near_surface = target + NEAR_SURFACE * torch.randn(b, n, generator=self.random)
        anywhere = torch.rand(b, n, generator=self.random) * (HEIGHTS[1] - HEIGHTS[0]) + HEIGHTS[0]
        height = torch.where(torch.rand(b, n, generator=self.random) < 0.6, near_surface, anywhere)
        return torch.cat([uv, chart.height_coordinate(height)[..., None]], -1), target

    def _ray_pixels(self, images: int) -> Int[Tensor, "image ray"]:
        size, n = self.data.config.size, self.config.rays
        anywhere = torch.randint(0, size * size, (images, n // 2), generator=self.random)
        rest = (images, n - n // 2)
        row = torch.randint(size // 10, size * 9 // 10, rest, generator=self.random)
        col = torch.randint(size // 6, size * 5 // 6, rest, generator=self.random)
        return torch.cat([anywhere, row * size + col], 1)

    def _gather(self, name: str, images: Tensor, pixel: np.ndarray) -> Float[Tensor, "image point channel"]:
        rows = [self.data.pixels[name][i][p] for i, p in zip(images.tolist(), pixel, strict=True)]
        return torch.from_numpy(np.stack(rows).astype(np.float32))
