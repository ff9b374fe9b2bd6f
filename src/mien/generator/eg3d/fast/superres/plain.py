"""The network itself."""

from jaxtyping import Float
from torch import Tensor

from mien.generator.eg3d.superres import HybridSuperRes
from mien.generator.eg3d.superres.base import RGB


class PlainSuperRes:
    """The reference as an engine: right everywhere, with any noise but random."""

    def __init__(self, network: HybridSuperRes, w: Float[Tensor, "1 w"]) -> None:
        self.network, self.w = network, w

    def __call__(self, features: Float[Tensor, "1 feature height width"]) -> Float[Tensor, "1 3 side side"]:
        """See `SuperResEngine`."""
        return self.network(features[:, :RGB], features, self.w)
