"""Random pictures on the device: backgrounds, and shapes that hide things. All in [0, 1], float32."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def uniform(random: torch.Generator, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Uniform numbers on the generator's device."""
    return low + (high - low) * torch.rand(shape, generator=random, device=random.device)


def normal(random: torch.Generator, *shape: int) -> Tensor:
    """Normal numbers on the generator's device."""
    return torch.randn(shape, generator=random, device=random.device)


def happens(random: torch.Generator, n: int, odds: float) -> Float[Tensor, "n 1 1 1"]:
    """1 for a share of the pictures, else 0."""
    return (uniform(random, n, 1, 1, 1) < odds).float()


def grid_of(size: int, device: torch.device) -> Float[Tensor, "2 size size"]:
    """Centres of pixels (x right, y down), in sides from the middle."""
    line = (torch.arange(size, device=device) + 0.5) / size - 0.5
    return torch.stack([line.expand(size, size), line[:, None].expand(size, size)])


def draw_backgrounds(n: int, size: int, random: torch.Generator) -> Float[Tensor, "n 3 size size"]:
    """A colour, with a gradient, smooth and fine noise, and shapes, each in some pictures."""
    image = uniform(random, n, 3, 1, 1) * 0.5 + uniform(random, n, 1, 1, 1, high=0.5)
    image = image.expand(n, 3, size, size)
    along = 0.6 * normal(random, n, 3, 2) * uniform(random, n, 1, 1)
    image = image + torch.einsum("ncd,dhw->nchw", along, grid_of(size, random.device))
    for cells, sd in ((4, 0.3), (14, 0.25), (48, 0.2)):
        noise = normal(random, n, 3, cells, cells)
        noise = torch.lerp(noise, noise.mean(1, keepdim=True), uniform(random, n, 1, 1, 1))
        strength = sd * happens(random, n, 0.45) * uniform(random, n, 1, 1, 1)
        image = image + strength * F.interpolate(noise, size=(size, size), mode="bicubic")
    cover, colour = draw_shapes(n, size, random, count=6, largest=0.4)
    return torch.lerp(image, colour, cover * happens(random, n, 0.5)).clamp(0, 1)


def draw_shapes(
    n: int, size: int, random: torch.Generator, *, count: int, largest: float
) -> tuple[Float[Tensor, "n 1 size size"], Float[Tensor, "n 3 size size"]]:
    """Cover and colours of boxes and ellipses on each other, half axes up to `largest` sides."""
    grid = grid_of(size, random.device)
    cover = torch.zeros(n, 1, size, size, device=random.device)
    colours = torch.zeros(n, 3, size, size, device=random.device)
    for _ in range(count):
        angle = uniform(random, n, high=3.1416)
        turn = torch.stack([angle.cos(), angle.sin(), -angle.sin(), angle.cos()], 1).view(n, 2, 2)
        away = grid - uniform(random, n, 2, 1, 1, low=-0.6, high=0.6)
        half = largest * uniform(random, n, 2, 1, 1).square() + 0.02
        x = torch.einsum("nij,njhw->nihw", turn, away) / half
        ellipse = happens(random, n, 0.6)[:, 0]
        radius = torch.where(ellipse > 0, x.square().sum(1).sqrt(), x.abs().amax(1))
        sharp = half.amin(1) * size / uniform(random, n, 1, 1, low=0.7, high=6.0)
        mask = torch.sigmoid(4 * (1 - radius) * sharp)[:, None]
        shade = along_gradient(random, n, grid)
        colours = torch.lerp(colours, uniform(random, n, 3, 1, 1) + shade, mask)
        cover = torch.maximum(cover, mask)
    return cover, colours


def along_gradient(random: torch.Generator, n: int, grid: Float[Tensor, "2 size size"]) -> Tensor:
    """A slope of light [n, 1, size, size]."""
    return torch.einsum("nd,dhw->nhw", 0.4 * normal(random, n, 2), grid)[:, None]
