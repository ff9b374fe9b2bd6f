"""Engines for the super-resolution. A new one is one file and two lines here."""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from mien.core.device import fast_bfloat16
from mien.generator.eg3d.fast.config import SuperResEngineName
from mien.generator.eg3d.fast.superres.base import SuperResEngine
from mien.generator.eg3d.fast.superres.cached import CachedSuperRes, half_type
from mien.generator.eg3d.fast.superres.plain import PlainSuperRes
from mien.generator.eg3d.fast.superres.winograd import WinogradSuperRes
from mien.generator.eg3d.superres import HybridSuperRes

SUPERRES_ENGINES: Final[dict[SuperResEngineName, Callable[[HybridSuperRes, Tensor], SuperResEngine]]] = {
    "plain": PlainSuperRes,
    "cached": CachedSuperRes,
    "half": lambda network, w: CachedSuperRes(network, w, dtype=half_type(w.device)),
    "winograd": WinogradSuperRes,
    "winograd32": lambda network, w: WinogradSuperRes(network, w, products=torch.float32),
}


def choose_superres(name: SuperResEngineName, network: HybridSuperRes) -> SuperResEngineName:
    """The engine that "auto" means for a network: the fastest that its noise and its device allow."""
    if name != "auto":
        return name
    if network.config.noise == "random":
        return "plain"
    if WinogradSuperRes.supports(network):
        return "winograd" if fast_bfloat16() else "winograd32"
    device = next(network.parameters()).device
    return "half" if fast_bfloat16(device) else "cached"


__all__ = [
    "SUPERRES_ENGINES", "CachedSuperRes", "PlainSuperRes", "SuperResEngine", "WinogradSuperRes",
    "choose_superres",
]  # fmt: skip
