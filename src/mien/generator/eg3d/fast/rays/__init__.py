"""Engines for rays. A new one is one file and two lines here."""

from typing import Final

from mien.generator.eg3d.fast.config import RayEngineName
from mien.generator.eg3d.fast.rays.base import Field, RayCast, RayEngine, Warp
from mien.generator.eg3d.fast.rays.compiled import CompiledRays
from mien.generator.eg3d.fast.rays.plain_torch import TorchRays
from mien.generator.eg3d.fast.tables import DecoderLayers, HiddenTables

RAY_ENGINES: Final[dict[RayEngineName, type[RayEngine]]] = {"torch": TorchRays, "compiled": CompiledRays}


def choose_rays(name: RayEngineName, tables: HiddenTables, layers: DecoderLayers) -> RayEngineName:
    """The engine that "auto" means: compiled where it can be."""
    if name != "auto":
        return name
    return "compiled" if CompiledRays.supports(tables, layers) else "torch"


__all__ = ["RAY_ENGINES", "CompiledRays", "Field", "RayCast", "RayEngine", "TorchRays", "Warp", "choose_rays"]
