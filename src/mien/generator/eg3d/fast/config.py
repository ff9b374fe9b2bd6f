"""How exact and how fast."""

from dataclasses import dataclass
from typing import Final, Literal

RayEngineName = Literal["auto", "torch", "compiled"]
SuperResEngineName = Literal["auto", "plain", "cached", "half", "winograd", "winograd32"]


@dataclass(frozen=True)
class FastConfig:
    """Tolerances and engines of the fast path."""

    grid: int = 128
    """Cells along each side of the occupancy grid."""
    empty_opacity: float = 0.005
    """What counts as empty adds no more than this opacity over the whole ray."""
    stop_transmittance: float = 0.004
    """A ray ends when less of its light than this passes on."""
    least_share: float = 1e-3
    """Colours of samples that weigh less than this are left out."""
    decoded_together: float = 0.06
    """Neighbouring samples share one colour until their weights add up to more than this."""
    fine_share: float = 0.35
    """Share of the reference's second-pass samples that are placed; 1 puts them where it does."""
    rays: RayEngineName = "auto"
    """"compiled" needs numba and a processor; "auto" takes it where it can."""
    superres: SuperResEngineName = "auto"
    """"plain": the network itself; "cached": float32 with weights made once per latent; "half": the same in
    bfloat16 (processor) or float16 (GPU); "winograd": bfloat16 products in Winograd's domain (numba);
    "winograd32": the same with float32 products, for processors that do not multiply bfloat16."""


FAST: Final = FastConfig()
"""The default: 40 dB and more to the reference."""
CAREFUL: Final = FastConfig(
    grid=192, empty_opacity=2e-4, stop_transmittance=1e-5, least_share=1e-6, decoded_together=0.0,
    fine_share=1.0, superres="cached",
)  # fmt: skip
"""Skips only what cannot be seen; super-resolution in float32."""
