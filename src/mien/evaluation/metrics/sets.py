"""FID and KID between two sets of pictures, named by the network whose features they compare.

FID: `frechet_distance`; KID: mean of `kernel_distance` over random subsets, and its deviation. Only with the
standard Inception (`inception`, weights given by the user) may they be called FID and KID; over other
features every figure carries the network's name. Sources: Heusel et al. 2017; Binkowski et al. 2018.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.core.errors import InputError
from mien.core.featuresets import frechet_distance, kernel_distance
from mien.evaluation.metrics.features import FeatureNetwork


@dataclass(frozen=True)
class KidConfig:
    """How KID is averaged; the defaults are the paper's, subsets being no larger than the smaller set."""

    subsets: int = 100
    subset_size: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class SetDistance:
    """How far two sets of pictures are apart."""

    network: str
    frechet: float
    """0 to infinity, lower is better; grows as sets get smaller."""
    kernel: float
    """Mean over subsets; about 0 for sets of one distribution, and then also below 0."""
    kernel_std: float
    """Deviation over subsets."""
    counts: tuple[int, int]
    """Pictures in each set."""

    def figures(self) -> dict[str, float]:
        """By honest names: `fid_...` with the network's name, plain fid and kid for Inception only."""
        tail = "" if self.network == "inception" else f"_{self.network}"
        return {f"fid{tail}": self.frechet, f"kid{tail}": self.kernel, f"kid{tail}_std": self.kernel_std}


def set_features(
    network: FeatureNetwork, batches: Iterable[UInt8[Tensor, "_ 3 _ _"]]
) -> Float[np.ndarray, "n feature"]:
    """Pooled features of all pictures. Raises InputError if there are none."""
    with torch.no_grad():
        rows = [network.pooled(batch).double().cpu() for batch in batches]
    if not rows:
        raise InputError("A set of pictures is empty; give at least two pictures.")
    return np.asarray(torch.cat(rows).numpy())


def set_distance(
    network: FeatureNetwork,
    fakes: Iterable[UInt8[Tensor, "_ 3 _ _"]],
    reals: Iterable[UInt8[Tensor, "_ 3 _ _"]],
    *,
    kid: KidConfig | None = None,
) -> SetDistance:
    """Both distances. Raises InputError for sets of less than two pictures."""
    a, b = set_features(network, fakes), set_features(network, reals)
    if min(len(a), len(b)) < 2:
        raise InputError(f"Sets of {len(a)} and {len(b)} pictures have no spread; give two or more of each.")
    mean, std = kernel_inception_distance(a, b, config=kid)
    return SetDistance(network.name, frechet_distance(a, b), mean, std, (len(a), len(b)))


def kernel_inception_distance(
    a: Float[np.ndarray, "n feature"], b: Float[np.ndarray, "m feature"], *, config: KidConfig | None = None
) -> tuple[float, float]:
    """Mean and deviation of the unbiased MMD over random subsets drawn without replacement."""
    config = config or KidConfig()
    rng = np.random.default_rng(config.seed)
    size = min(config.subset_size, len(a), len(b))
    found = [
        kernel_distance(
            a[rng.choice(len(a), size, replace=False)], b[rng.choice(len(b), size, replace=False)]
        )
        for _ in range(config.subsets)
    ]
    return float(np.mean(found)), float(np.std(found))
