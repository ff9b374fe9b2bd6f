"""Hair over the forehead."""

import numpy as np

from mien.training.procedural.strands.looks import HairLook
from mien.training.procedural.strands.plan import Plan
from mien.training.procedural.strands.skull import Pool

BROW_Y = 0.078
"""Height of the brows, template head, EG3D units."""


def add_fringe(plan: Plan, look: HairLook, roots: Pool, edge: np.ndarray, rng: np.random.Generator) -> None:
    """Comb the strands next to the forehead's hairline forward and cut them above the brows.

    edge [S]: how far inside the hairline roots lie.
    """
    if look.fringe == "none":
        return
    width = {"straight": 0.85, "side": 0.8, "wispy": 0.6}[look.fringe]
    near = (np.abs(roots.azimuth) < width) & (edge < 0.05) & (roots.xyz[:, 2] > -0.02)
    if look.fringe == "wispy":
        near &= rng.uniform(size=len(near)) < 0.4
    which = np.flatnonzero(near)
    n = len(which)
    aside = {"straight": 0.0, "side": 1.1 * (-np.sign(look.parting) or 1.0), "wispy": 0.0}[look.fringe]
    x = roots.xyz[which, 0]
    comb = np.stack([aside + 2.5 * x + 0.1 * rng.normal(size=n), np.full(n, -0.2), np.full(n, 0.8)], 1)
    plan.comb[which] = comb
    plan.reach[which] = 0.05 if look.fringe != "side" else 0.12
    plan.lift[which] = 0.5
    plan.gravity[which] = 0.9
    plan.layer[which] = 0.004 + (0.006 + 0.012 * look.volume) * rng.uniform(size=n)
    plan.open_x[which] = 0
    plan.length[which] = 0.24
    lower = 0.004 if look.fringe == "wispy" else 0.0
    plan.cut_y[which] = BROW_Y + lower - 0.9 * np.abs(x) ** 1.5 + rng.normal(0, 0.005 + 2 * lower, n)
    plan.locks[which] = 0.8 if look.fringe == "straight" else 0.9
    plan.wave[which] *= 0.3
