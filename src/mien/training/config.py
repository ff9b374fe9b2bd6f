"""Settings of distillation; saved with a run, so that it goes on as it began."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DistilConfig:
    """Training of mien-base."""

    minutes: float = 90.0
    """Wall-clock length of the learning-rate schedule."""
    heads_per_step: int = 4
    views_per_head: int = 2
    body_pixels: int = 400
    hair_pixels: int = 200
    volume_points: int = 900
    rays: int = 96
    basis_every: int = 4
    """Adam touches the basis (most of the parameters) once in so many steps, on the summed gradient."""
    lr_mean: float = 1e-3
    lr_basis: float = 1.5e-4
    lr_network: float = 1e-3
    lr_latent: float = 2e-3
    held_out: int = 40
    """Heads at the end of the set that training never sees."""
    checkpoint_every_s: float = 240.0
    seed: int = 0
    start_sha256: str = ""
    """Of the generator file that training went on from; empty for a start from principal components."""
    start_hours: float = 0.0
    """Training that this file had had."""
