"""From a set of procedural heads on disk to a generator's basis: maps in, planes in blocks and codes out."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.core.parallel import ordered
from mien.core.progress import progress
from mien.generator.backbones.blocks import BlocksBackbone, BlocksConfig
from mien.generator.decoder import OUTPUTS, DecoderConfig
from mien.generator.mapping import BlockMappingConfig
from mien.generator.model import Generator, GeneratorConfig
from mien.morphable.carry import chart_grid, surface_points
from mien.morphable.model import MorphableModel
from mien.morphable.raster import vertex_normals
from mien.training.blockstart import BlockStart, HeadMaps, block_start, plane_targets
from mien.training.procedural.atlas import rasterise_chart
from mien.training.procedural.light import sh_basis
from mien.training.procedural.shards import read_shard

MAP_NAMES: Final = ("body", "body_albedo", "hair", "hair_albedo", "height", "opacity", "clothed")
HAIR_ABOVE: Final = 0.03
"""Height above the body of the smooth surface that stands for hair under light, EG3D units."""


def generator_config(backbone: BlocksConfig | None = None) -> GeneratorConfig:
    """Of a generator with blocks."""
    backbone = backbone or BlocksConfig()
    sizes = tuple(part.stop - part.start for part in backbone.blocks.values())
    return GeneratorConfig(
        backbone=backbone,
        decoder=DecoderConfig(outputs=OUTPUTS + 1),
        mapping=BlockMappingConfig(sizes),
    )


def start_generator(
    paths: Sequence[Path], model: MorphableModel, config: GeneratorConfig | None = None
) -> tuple[Generator, BlockStart]:
    """A generator whose basis are the principal components of the heads in the files, and their codes.

    Its decoder is linear; mapping network and super-resolution are untrained.
    """
    config = config or generator_config()
    generator = Generator(config).eval().requires_grad_(False)
    backbone = generator.backbone
    assert isinstance(backbone, BlocksBackbone)
    size = backbone.config.basis_size
    for plane in (
        backbone.mean_uh,
        backbone.mean_vh,
        backbone.hair_uh,
        backbone.hair_vh,
        backbone.expression_uv,
    ):
        plane.zero_()
    return generator, block_start(backbone, load_maps(paths, size), chart_harmonics(model, size))


def codes_of(
    generator: Generator, maps: HeadMaps, spread: Float[Tensor, " w"], average: Float[Tensor, " w"]
) -> Float[Tensor, "head w"]:
    """Latents whose planes are nearest to heads' maps: ridge regression; the prior is N(average, spread)."""
    backbone = generator.backbone
    assert isinstance(backbone, BlocksBackbone)
    size, k = backbone.config.basis_size, len(average)
    target, weight = plane_targets(maps)
    zero = torch.zeros(k, 52, device=average.device)
    mean = _shrunk(generator.planes(average[None], zero[:1]).uv, size)
    moved = _shrunk(generator.planes(average + torch.diag(spread), zero).uv, size) - mean
    codes = []
    for head in range(len(target)):
        A = (moved * weight[head].sqrt()).flatten(1)
        b = ((target[head] - mean[0]) * weight[head].sqrt()).flatten()
        codes.append(average + spread * torch.linalg.solve(A @ A.T + torch.eye(k, device=A.device), A @ b))
    return torch.stack(codes)


def _shrunk(planes: Tensor, size: int) -> Float[Tensor, "head 8 size size"]:
    return torch.nn.functional.interpolate(planes[:, : OUTPUTS + 1], size=(size, size), mode="area")


def load_maps(paths: Sequence[Path], size: int, *, workers: int = 1) -> HeadMaps:
    """Maps of the heads in the files, at a smaller size."""
    small = partial(_small_maps, size=size)
    maps = map(small, paths) if workers == 1 else ordered(small, paths, workers=workers)
    found = list(progress(maps, desc="maps", total=len(paths)))
    stacked = {name: torch.from_numpy(np.stack([head[name] for head in found])) for name in MAP_NAMES}
    return HeadMaps(**stacked)


def chart_harmonics(model: MorphableModel, size: int) -> Float[Tensor, "2 9 size size"]:
    """Spherical harmonics of the template's normals over the chart: of the body, and of hair around it."""
    normals = vertex_normals(model.mean.numpy(), model.faces_np).astype(np.float32)
    body = rasterise_chart(model, normals[model.faces_np], size)
    points = surface_points(model, chart_grid(size), torch.full((size, size), HAIR_ABOVE)).numpy()
    across = np.roll(points, -1, 1) - np.roll(points, 1, 1)
    hair = np.cross(across, np.gradient(points, axis=0))
    hair *= np.sign((hair * points).sum(-1, keepdims=True) + 1e-9)
    both = np.stack([_unit(body), _unit(cv2.GaussianBlur(_unit(hair), (0, 0), 1.5))])
    return torch.from_numpy(sh_basis(both)).permute(0, 3, 1, 2).contiguous()


def _small_maps(path: Path, size: int) -> dict[str, np.ndarray]:
    arrays = read_shard(path, MAP_NAMES).arrays
    out = {}
    for name, values in arrays.items():
        image = values.astype(np.float32) / (255 if values.dtype == np.uint8 else 1)
        small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        out[name] = np.atleast_3d(small).transpose(2, 0, 1).astype(np.float32)
    return out


def _unit(v: np.ndarray) -> np.ndarray:
    return np.asarray(v / (np.linalg.norm(v, axis=-1, keepdims=True) + 1e-9), dtype=np.float32)
