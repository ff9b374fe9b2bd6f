"""Colour of hair from its melanin."""

from typing import Final

import numpy as np

EUMELANIN: Final = np.array([0.419, 0.697, 1.37])
PHEOMELANIN: Final = np.array([0.187, 0.4, 1.05])
"""Absorption (r, g, b) per hair radius and unit of concentration, d'Eon et al. 2011 (An energy-
conserving hair reflectance model), in the units of pbrt: 0.3 of eumelanin is fair, 1.3 brown, 8 black."""
TUFT: Final = 5.888
"""Albedo of a tuft is exp(-TUFT sqrt(absorption)): the fit of Chiang et al. 2016 (A practical and
controllable hair and fur model) at azimuthal roughness 0.3."""
FLOOR: Final = 0.013
CEILING: Final = 0.78
"""Of the albedo: gloss of black hair, hairs' own loss of light."""


def hair_albedo(eumelanin: np.ndarray, pheomelanin: np.ndarray) -> np.ndarray:
    """Linear albedo float32 [..., 3] of tufts of strands with these concentrations [...]."""
    absorption = eumelanin[..., None] * EUMELANIN + pheomelanin[..., None] * PHEOMELANIN
    albedo = np.exp(-TUFT * np.sqrt(np.maximum(absorption, 0)))
    return (FLOOR + (CEILING - FLOOR) * albedo).astype(np.float32)
