"""What a checkpoint says of its training; nothing in rendering reads it."""

from dataclasses import dataclass
from typing import Literal

RegType = Literal[
    "l1", "l1-alt", "monotonic-detach", "monotonic-fixed", "total-variation"
]  # the public names of the density regularisers


@dataclass(frozen=True)
class TrainingRecord:
    """Options of EG3D's training (Chan et al. 2022, supplement 1)."""

    pose_swap_probability: float | None = 0.5
    """How often the generator was conditioned on another camera than the rendered one."""
    density_reg: float = 0.25
    """Weight of the density's smoothness."""
    density_reg_distance: float = 0.004
    """Deviation of the distance between compared points."""
    reg_type: RegType = "l1"
