"""Drawing clothes."""

from typing import Final

import numpy as np

from mien.training.procedural.factors import ClothesLook, Fabric, Neckline, Pattern

NECKLINES: Final[dict[Neckline, float]] = {
    "crew": 0.32, "v_neck": 0.14, "shirt": 0.22, "turtleneck": 0.1, "hoodie": 0.12, "scoop": 0.1,
}  # fmt: skip
FABRICS: Final[dict[Neckline, tuple[Fabric, ...]]] = {
    "crew": ("cotton", "cotton", "knit", "wool"),
    "v_neck": ("cotton", "knit", "wool"),
    "shirt": ("cotton", "denim", "silk", "cotton"),
    "turtleneck": ("knit", "wool"),
    "hoodie": ("cotton", "wool"),
    "scoop": ("cotton", "silk", "knit"),
}
PATTERNS: Final[dict[Neckline, dict[Pattern, float]]] = {
    "crew": {"plain": 0.66, "stripes": 0.14, "dots": 0.04, "print": 0.16},
    "v_neck": {"plain": 0.8, "stripes": 0.08, "print": 0.12},
    "shirt": {"plain": 0.5, "stripes": 0.22, "checks": 0.2, "dots": 0.08},
    "turtleneck": {"plain": 0.9, "stripes": 0.1},
    "hoodie": {"plain": 0.85, "print": 0.15},
    "scoop": {"plain": 0.6, "stripes": 0.12, "dots": 0.12, "print": 0.16},
}
DYES: Final = np.array(
    [[0.02, 0.02, 0.022], [0.75, 0.74, 0.71], [0.018, 0.03, 0.09], [0.22, 0.22, 0.23], [0.35, 0.02, 0.03],
     [0.03, 0.10, 0.045], [0.10, 0.19, 0.42], [0.42, 0.27, 0.14], [0.12, 0.035, 0.06], [0.62, 0.40, 0.06],
     [0.55, 0.22, 0.26], [0.16, 0.28, 0.26], [0.07, 0.045, 0.03], [0.5, 0.45, 0.36], [0.30, 0.20, 0.42]]
)  # fmt: skip
"""Linear colours of cloth, chosen by us: black, white, navy and grey first, as they are worn most."""
DYE_ODDS: Final = np.array([4, 4, 3, 3] + [1] * 11) / 25
LINES: Final[dict[Neckline, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]]] = {
    "crew": ((-0.255, -0.225), (0.02, 0.05), (0.008, 0.012)),
    "v_neck": ((-0.255, -0.225), (0.09, 0.17), (0.007, 0.012)),
    "shirt": ((-0.225, -0.195), (0.06, 0.11), (0.010, 0.014)),
    "turtleneck": ((-0.19, -0.165), (0.005, 0.015), (0.012, 0.018)),
    "hoodie": ((-0.235, -0.20), (0.05, 0.09), (0.016, 0.024)),
    "scoop": ((-0.285, -0.25), (0.08, 0.13), (0.006, 0.009)),
}
"""Ranges of height at the neck's side, depth of the front, and thickness, EG3D units."""


def draw_clothes(rng: np.random.Generator) -> ClothesLook:
    """Random clothes."""
    neckline: Neckline = list(NECKLINES)[rng.choice(len(NECKLINES), p=list(NECKLINES.values()))]
    fabric = FABRICS[neckline][rng.integers(len(FABRICS[neckline]))]
    patterns = PATTERNS[neckline]
    pattern: Pattern = list(patterns)[rng.choice(len(patterns), p=list(patterns.values()))]
    first, second = rng.choice(len(DYES), 2, replace=False, p=DYE_ODDS)
    tint = rng.uniform(0.75, 1.25, (2, 3)) ** 0.5 * rng.uniform(0.8, 1.15, (2, 1))
    colours = np.clip(DYES[[first, second]] * tint, 0.008, 0.85).astype(np.float32)
    line, depth, thick = LINES[neckline]
    return ClothesLook(
        neckline=neckline,
        fabric=fabric,
        pattern=pattern,
        colour=colours[0],
        second_colour=colours[1],
        scale=float(np.exp(rng.uniform(np.log(0.022), np.log(0.08)))),
        thickness=float(rng.uniform(*thick)),
        line_y=float(rng.uniform(*line)),
        depth=float(rng.uniform(*depth)),
    )
