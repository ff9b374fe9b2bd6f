"""Training examples of the image encoder: crops of views as if of photos, made on the device.

Each is an upright crop that is off as a tracker's would be, before another background, with things before the
face, in other colours, less sharp, noisy and packed.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import pi, radians, sqrt
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from mien.core.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from mien.morphable.facecrop import FaceCrop
from mien.training.encoder.clutter import draw_backgrounds, draw_shapes, grid_of, happens, normal, uniform
from mien.training.encoder.views import Views, crop_of


@dataclass(frozen=True)
class AugmentConfig:
    """How far examples are from clean renders in exact crops. Zero everywhere leaves them alone."""

    scale: float = 0.12
    """Largest error of the crop's side, as a share; of its place, in sides; of its roll."""
    shift: float = 0.08
    roll_deg: float = 10.0
    mirror: float = 0.5
    """Share of examples that are mirror images."""
    others: float = 0.3
    """Share with another head in the background."""
    hidden: float = 0.35
    """Share with things before the face."""
    colour: float = 1.0
    """Strength of changes of colour, contrast and brightness."""
    grey: float = 0.12
    soft: float = 0.6
    """Share that is less sharp."""
    noise: float = 0.05
    packed: float = 0.5
    """Share with the traces of JPEG."""


CLEAN: Final = AugmentConfig(*[0.0] * 11)
"""Exact crops of the views themselves, before random backgrounds."""


@dataclass(frozen=True, eq=False)
class CropExamples:
    """Crops and their truth, as in `ImageAnswer`."""

    image: Float[Tensor, "n 3 size size"]
    points: Float[Tensor, "n 478 2"]
    turn: Float[Tensor, "n 3"]
    shape: Float[Tensor, "n deviation"]


def draw_examples(
    views: Views,
    rows: Int[Tensor, " n"],
    size: int,
    random: torch.Generator,
    config: AugmentConfig | None = None,
) -> CropExamples:
    """Examples of some views; all numbers come from the generator, on whose device everything is."""
    config, n, device = config or AugmentConfig(), len(rows), random.device
    mirrored = (uniform(random, n) < config.mirror).long()
    crop = _tracked(crop_of(views.crop[rows, mirrored]), random, config)
    rgba = _cut(views.pixels[rows], crop, mirrored, size)
    image = _before(draw_backgrounds(n, size, random), rgba)
    if config.others > 0:
        other = _before(image, _elsewhere(views.pixels[rows.roll(1)], size, random))
        keep = happens(random, n, config.others)
        image = _before(torch.lerp(image, other, keep), rgba)
    image = _hidden(image, random, config)
    image = photographed(image, random, config)
    R = crop.R_camera_crop.transpose(1, 2) @ axis_angle_to_matrix(views.turn[rows, mirrored])
    return CropExamples(
        image=image.to(device),
        points=crop.from_photo(views.points[rows, mirrored]),
        turn=matrix_to_axis_angle(R),
        shape=views.shape[rows, mirrored],
    )


def _tracked(crop: FaceCrop, random: torch.Generator, config: AugmentConfig) -> FaceCrop:
    """As from points that a tracker sees."""
    n = len(crop.side_px)
    side = crop.side_px * (1 + uniform(random, n, low=-config.scale, high=config.scale))
    shift = config.shift * uniform(random, n, 2, low=-1.0)
    roll = radians(config.roll_deg) * uniform(random, n, low=-1.0)
    return FaceCrop(crop.centre_px + shift * side[:, None], side, crop.roll_rad + roll)


def _cut(
    pixels: Tensor, crop: FaceCrop, mirrored: Int[Tensor, " n"], size: int
) -> Float[Tensor, "n 4 size size"]:
    """Pixels of crops, placed in sides of the (mirrored) view from its corner; nothing beyond it."""
    grid = grid_of(size, pixels.device).flatten(1).T.expand(len(pixels), -1, 2)
    places = 2 * crop.to_photo(grid) - 1
    sign = torch.stack([1 - 2 * mirrored, torch.ones_like(mirrored)], 1)[:, None]
    places = (places * sign).unflatten(1, (size, size))
    return F.grid_sample(pixels.float() / 255, places, mode="bilinear", align_corners=False)


def _before(background: Tensor, rgba: Float[Tensor, "n 4 size size"]) -> Float[Tensor, "n 3 size size"]:
    """Premultiplied colours before a background."""
    return rgba[:, :3] + (1 - rgba[:, 3:]) * background


def _elsewhere(pixels: Tensor, size: int, random: torch.Generator) -> Float[Tensor, "n 4 size size"]:
    """Whole views, at other places and turned anyhow."""
    n = len(pixels)
    angle, side = 0.4 * normal(random, n), uniform(random, n, low=0.5, high=2.0)
    centre = 0.5 + side[:, None] * uniform(random, n, 2, low=-0.6, high=0.6)
    mirrored = (uniform(random, n) < 0.5).long()
    return _cut(pixels, FaceCrop(centre, side, angle), mirrored, size)


def _hidden(image: Tensor, random: torch.Generator, config: AugmentConfig) -> Tensor:
    """With shapes before it, half of them in colours of the picture itself: hands, hair, microphones."""
    n, size = len(image), image.shape[-1]
    cover, colours = draw_shapes(n, size, random, count=3, largest=0.22)
    place = torch.randint(size, (2, n), generator=random, device=random.device)
    own = image[torch.arange(n, device=random.device), :, place[0], place[1]][..., None, None]
    grain = F.interpolate(normal(random, n, 1, 12, 12), size=(size, size), mode="bicubic")
    own = own * (1 + 0.15 * grain)
    colours = torch.lerp(colours, own, happens(random, n, 0.5))
    return torch.lerp(image, colours, cover * happens(random, n, config.hidden)).clamp(0, 1)


def photographed(image: Tensor, random: torch.Generator, config: AugmentConfig) -> Tensor:
    """Pictures [n, 3, h, w] in [0, 1] in other colours, less sharp, noisy and packed; h, w multiples of 8."""
    image = _soft(_recoloured(image, random, config), random, config)
    grain = config.noise * uniform(random, len(image), 1, 1, 1).square()
    coarse = F.interpolate(normal(random, len(image), 3, 40, 40), size=image.shape[-2:], mode="bilinear")
    image = image + grain * (normal(random, *image.shape) + 0.7 * coarse)
    packed = _packed(image.clamp(0, 1), uniform(random, len(image), 1, 1, 1, 1, low=0.01, high=0.08))
    return torch.lerp(image, packed, happens(random, len(image), config.packed)).clamp(0, 1)


def _recoloured(image: Tensor, random: torch.Generator, config: AugmentConfig) -> Tensor:
    """White balance, curve, saturation and hue, contrast, brightness, a share of grey."""
    n, k = len(image), config.colour
    image = image * (0.15 * k * normal(random, n, 3, 1, 1)).exp()
    image = image.clamp(1e-4, 1) ** (0.3 * k * normal(random, n, 1, 1, 1)).clamp(-1, 1).exp()
    grey = image.mean(1, keepdim=True)
    saturation = 1 + k * uniform(random, n, 1, 1, 1, low=-0.7, high=0.6)
    saturation = saturation * (1 - happens(random, n, config.grey))
    axis = image.new_full((3,), 1 / sqrt(3))
    hue = axis_angle_to_matrix(axis * (0.15 * k * normal(random, n, 1)).clamp(-pi / 4, pi / 4))
    image = grey + saturation * torch.einsum("nij,njhw->nihw", hue, image - grey)
    contrast = 1 + k * uniform(random, n, 1, 1, 1, low=-0.4, high=0.35)
    return ((image - 0.5) * contrast + 0.5 + 0.07 * k * normal(random, n, 1, 1, 1)).clamp(0, 1)


def _soft(image: Tensor, random: torch.Generator, config: AugmentConfig) -> Tensor:
    """Between the picture and copies of half and a quarter of its pixels."""
    size = image.shape[-2:]
    half = F.avg_pool2d(image, 2)
    coarse = [F.interpolate(t, size=size, mode="bilinear") for t in (half, F.avg_pool2d(half, 2))]
    level = 2 * uniform(random, len(image), 1, 1, 1).square() * happens(random, len(image), config.soft)
    soft = torch.lerp(image, coarse[0], level.clamp(max=1))
    return torch.lerp(soft, coarse[1], (level - 1).clamp(min=0))


def _packed(image: Tensor, step: Float[Tensor, "n 1 1 1 1"]) -> Tensor:
    """Cosine transforms of 8 x 8 pixels rounded as by JPEG: to multiples of `step`, larger for fine waves."""
    D = _cosines(image.device)
    blocks = image.unflatten(3, (-1, 8)).unflatten(2, (-1, 8))
    found = torch.einsum("ui,nchiwj,vj->nchwuv", D, blocks, D)
    frequency = torch.arange(8, device=image.device)
    table = step[..., None] * (1 + frequency[:, None] + frequency)
    found = table * (found / table).round()
    back = torch.einsum("ui,nchwuv,vj->nchiwj", D, found, D)
    return back.flatten(4, 5).flatten(2, 3)


@lru_cache(maxsize=2)
def _cosines(device: torch.device) -> Float[Tensor, "8 8"]:
    """The orthonormal discrete cosine transform; rows are frequencies."""
    k = torch.arange(8, device=device)
    D = torch.cos(pi / 8 * (k + 0.5) * k[:, None]) / 2
    return torch.cat([D[:1] / sqrt(2), D[1:]])
