"""Engines for rays. A new one is one file and two lines here."""

from typing import Final

from jaxtyping import Float
from torch import Tensor

from mien.generator.eg3d.decoder import OsgDecoder
from mien.generator.eg3d.fast.config import FastConfig, RayEngineName
from mien.generator.eg3d.fast.rays.base import Field, RayCast, RayEngine
from mien.generator.eg3d.fast.rays.compiled import CompiledRays
from mien.generator.eg3d.fast.rays.plain_torch import TorchRays
from mien.generator.eg3d.fast.tables import DecoderLayers, HiddenTables, decoder_layers, hidden_tables
from mien.generator.eg3d.render import RenderingConfig

RAY_ENGINES: Final[dict[RayEngineName, type[RayEngine]]] = {"torch": TorchRays, "compiled": CompiledRays}


def choose_rays(name: RayEngineName, tables: HiddenTables, layers: DecoderLayers) -> RayEngineName:
    """The engine that "auto" means: compiled where it can be."""
    if name != "auto":
        return name
    return "compiled" if CompiledRays.supports(tables, layers) else "torch"


def prepare_rays(
    planes: Float[Tensor, "1 3 channel y x"],
    decoder: OsgDecoder,
    rendering: RenderingConfig,
    config: FastConfig,
    name: RayEngineName,
) -> tuple[RayEngine, Field]:
    """An engine and the field of planes, prepared for it."""
    layers = decoder_layers(decoder)
    tables = hidden_tables(planes[0], layers, box_side=rendering.box_side, axes=rendering.plane_axes)
    engine = RAY_ENGINES[choose_rays(name, tables, layers)]()
    return engine, engine.prepare(tables, layers, rendering, config)


__all__ = [
    "RAY_ENGINES",
    "CompiledRays",
    "Field",
    "RayCast",
    "RayEngine",
    "TorchRays",
    "choose_rays",
    "prepare_rays",
]
