"""Winograd's convolution F(4x4, 3x3): a quarter of the multiplications, in bfloat16 or float32.

Maps go through in strips that stay in the cache: transform (compiled), 36 matrix products (torch), inverse
transform with bias, activation and projection to RGB (compiled). The last maps are never written at all.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.compiled import has_numba, in_pieces
from mien.generator.eg3d.fast.superres.base import StyledBlock, StyledLayer, phase_weights, styled_blocks
from mien.generator.eg3d.superres import HybridSuperRes
from mien.generator.eg3d.superres.base import RGB
from mien.generator.stylegan2.layers import limited
from mien.generator.stylegan2.resample import enlarge

STRIP_TILES = 256
TILE, POINTS, LANES = 4, 36, 16
UNLIMITED = 3e38
NO_RGB = np.zeros((3, 0), np.float32)
MOST_KEPT = 8
_free: list[Tensor] = []
_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class TileWeights:
    """A layer's weights in Winograd's domain."""

    weight: Float[Tensor, "36 inputs outputs"]
    """In the number format of the products; an enlarging layer's outputs are its four phases'."""
    bias: np.ndarray  # float32 [channel]
    clamp: float
    scale: int
    """2 for an enlarging layer."""


class WinogradSuperRes:
    """The engine. Needs numba, a processor, and a network without noise."""

    def __init__(
        self, network: HybridSuperRes, w: Float[Tensor, "1 w"], *, products: torch.dtype = torch.bfloat16
    ) -> None:
        self.network = network
        self.blocks = styled_blocks(network, w)
        self.layers = [
            (tile_weights(b.conv0, products), tile_weights(b.conv1, products)) for b in self.blocks
        ]
        self.projections = [np.ascontiguousarray(b.rgb[:, :, 0, 0].detach().numpy()) for b in self.blocks]

    @staticmethod
    def supports(network: HybridSuperRes) -> bool:
        """Whether numba is there, the numbers are a processor's, and there is no noise."""
        on_cpu = next(network.parameters()).device.type == "cpu"
        return has_numba() and on_cpu and network.config.noise == "none"

    def __call__(self, features: Float[Tensor, "1 feature height width"]) -> Float[Tensor, "1 3 side side"]:
        """See `SuperResEngine`."""
        features = self.network._resized(features).float()
        image = features[:, :RGB]
        maps = to_bits(features[0].permute(1, 2, 0))
        for block, (conv0, conv1), projection in zip(self.blocks, self.layers, self.projections, strict=True):
            maps, _ = convolve_tiles(maps, conv0)
            last = block is self.blocks[-1]
            maps, rgb = convolve_tiles(maps, conv1, to_rgb=projection, keep=not last)
            image = _added(image, rgb, block)
        return image


def _added(image: Tensor, rgb: np.ndarray, block: StyledBlock) -> Tensor:
    seen = torch.from_numpy(rgb).permute(2, 0, 1)[None] + block.rgb_bias[:, None, None]
    seen = limited(seen, block.rgb_clamp)
    return seen + (image if block.image_kernel is None else enlarge(image, block.image_kernel))


def tile_weights(layer: StyledLayer, products: torch.dtype) -> TileWeights:
    """Weights of a layer in Winograd's domain."""
    weight, scale = layer.weight, 1
    if layer.kernel is not None:
        weight, scale = phase_weights(weight, layer.kernel), 2
    g = weight_transform().to(weight)
    # Rows, then columns: as two products, in the order that the batched product wants.
    tiles = torch.einsum("bj,aocj->abco", g, torch.einsum("ai,ocij->aocj", g, weight))
    clamp = UNLIMITED if layer.clamp is None else layer.clamp
    bias = np.ascontiguousarray(layer.bias.detach().float().numpy())
    return TileWeights(tiles.flatten(0, 1).to(products).contiguous(), bias, clamp, scale)


def weight_transform() -> Float[Tensor, "6 3"]:
    """Winograd's G: a kernel's values at 0, +-2/3, +-3/2 and infinity, each divided by its norm."""
    a, b = 2 / 3, 3 / 2
    points = [0.0, a, -a, b, -b]
    norms = [np.prod([p - q for q in points if q != p]) for p in points]
    rows = [[1 / n, p / n, p * p / n] for p, n in zip(points, norms, strict=True)]
    return torch.tensor([*rows, [0.0, 0.0, 1.0]], dtype=torch.float64)


def convolve_tiles(
    maps: np.ndarray, layer: TileWeights, *, to_rgb: np.ndarray = NO_RGB, keep: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Maps (bfloat16 bits [height, width, channel]; sides multiples of 4) and their projection [.., .., 3].

    `keep` False: only the projection is wanted.
    """
    from mien.generator.eg3d.fast.kernels.winograd import analyse_tiles, synthesise_tiles

    height, width, _ = maps.shape
    inputs, outputs = layer.weight.shape[1:]
    size = (height * layer.scale, width * layer.scale)
    out = np.empty((*size, len(layer.bias)) if keep else (0, 0, 0), np.uint16)
    rgb = np.zeros((*size, 3), np.float32)
    across, down = width // TILE, height // TILE
    rows = max(1, STRIP_TILES // across)

    def strip(first: int) -> None:
        tiles = min(rows, down - first) * across
        shapes = ((POINTS, tiles, inputs), (POINTS, tiles, outputs))
        kind = layer.weight.dtype
        with _borrowed(shapes[0], kind) as patches, _borrowed(shapes[1], kind) as products:
            analyse_tiles(maps, first, _raw(patches))
            torch.bmm(patches, layer.weight, out=products)
            synthesise_tiles(
                _raw(products), first, layer.bias, np.float32(layer.clamp), to_rgb, out, rgb, keep
            )

    in_pieces(strip, range(0, down, rows))
    return out, rgb


@contextmanager
def _borrowed(shape: tuple[int, int, int], kind: torch.dtype) -> Iterator[Tensor]:
    """A tensor in memory that is kept: fresh pages cost more than what is written in them."""
    size = shape[0] * shape[1] * shape[2] * kind.itemsize
    with _lock:
        kept = next((_free.pop(i) for i, x in enumerate(_free) if size <= len(x) <= 2 * size), None)
    if kept is None:
        kept = torch.empty(size, dtype=torch.uint8)
    try:
        yield kept[:size].view(kind).view(shape)
    finally:
        with _lock:
            _free.append(kept)
            del _free[:-MOST_KEPT]


def to_bits(x: Tensor) -> np.ndarray:
    """The bits of a tensor as bfloat16."""
    return bits_of(x.bfloat16().contiguous())


def _raw(x: Tensor) -> np.ndarray:
    """float32 numbers, or the bits of bfloat16."""
    return bits_of(x) if x.dtype == torch.bfloat16 else x.numpy()


def bits_of(x: Tensor) -> np.ndarray:
    """The bits of a bfloat16 tensor, over the same memory."""
    return x.view(torch.int16).numpy().view(np.uint16)
