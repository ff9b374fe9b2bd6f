"""Colour of skin from its melanin and blood, over the visible spectrum.

Light crosses the epidermis, where melanin absorbs, is scattered back by the dermis, where haemoglobin
absorbs, and crosses the epidermis again. Two chromophores of one spectrum each are what Jimenez et al. 2010
(A practical appearance model for dynamic facial color) and Donner and Jensen 2006 (A spectral BSSRDF for
shading human skin) use; here both layers are closed formulas.

Sources: haemoglobin, Prahl 1999 (Optical absorption of hemoglobin); melanosomes, scattering and the skin's
baseline, Jacques 2013 (Optical properties of biological tissues: a review); reflectance of a thick layer,
Jensen et al. 2001 (A practical model for subsurface light transport); eyes' response, Wyman et al. 2013.
"""

# mypy: disable-error-code="no-untyped-def"
from functools import lru_cache
from typing import Final, no_type_check

import numpy as np
from numba import njit

NM: Final = np.arange(400, 701, 10, dtype=np.float64)
OXYGENATED: Final = np.array(
    [266232, 466840, 480360, 246072, 102580, 62816, 44480, 33209, 26629, 23684, 20933, 20035, 24202, 39956,
     53236, 43016, 32613, 44496, 50104, 14400, 3200, 1506, 942, 610, 442, 368, 320, 294, 278, 276, 290]
)  # fmt: skip
REDUCED: Final = np.array(
    [223296, 303956, 407560, 528600, 413280, 103292, 23389, 16156, 14550, 16684, 20862, 25773, 31589, 39036,
     46592, 53412, 53788, 45072, 37020, 28324, 14677, 9444, 6510, 5149, 4345, 3750, 3227, 2795, 2408, 2052,
     1794]
)  # fmt: skip
"""Molar extinction at `NM`, 1 / (cm mol/l)."""
BLOOD_CM: Final = 2.303 * 150 / 64500
"""Takes molar extinction to the absorption of whole blood (150 g/l), 1/cm."""
EPIDERMIS_CM: Final = 0.0065
DIFFUSE_PATH: Final = 2.0
"""Mean path of diffuse light through a thin layer, in thicknesses."""
PACKED: Final = (0.2, 0.6, 1.2, 2.0)
"""Melanin lies in grains and columns, unevenly: some paths cross less of it, which flattens its spectrum."""
EPIDERMIS_BACK: Final = 0.022
"""Share of light at 600 nm that the epidermis itself scatters back, between its melanin: less in the blue."""
MELANIN_RANGE: Final = (0.011, 0.85)
"""Share of melanosomes in the epidermis: lightest and darkest person."""
BLOOD_RANGE: Final = (0.0015, 0.09)
"""Share of blood in the dermis: pale skin, red lips."""
GRID: Final = 64


def blood_absorption(oxygenation: float) -> np.ndarray:
    """Absorption of whole blood at `NM`, 1/cm."""
    return BLOOD_CM * (oxygenation * OXYGENATED + (1 - oxygenation) * REDUCED)


def reflectance(melanin: np.ndarray, blood: np.ndarray, oxygenation: float = 0.72) -> np.ndarray:
    """Spectral albedo [..., 31] at `NM` for shares of melanosomes and blood [...]."""
    baseline = 0.244 + 85.3 * np.exp(-(NM - 154) / 66.2)
    melanosome = 6.6e11 * NM**-3.33
    share = melanin[..., None]
    through = np.mean(
        [
            np.exp(-DIFFUSE_PATH * EPIDERMIS_CM * (k * share * melanosome + (1 - share) * baseline))
            for k in PACKED
        ],
        0,
    )
    absorbed = blood[..., None] * blood_absorption(oxygenation) + baseline * 0.4
    scattered = 46 * (NM / 500) ** -1.421
    lost = np.sqrt(3 * absorbed / (absorbed + scattered))
    single = scattered / (absorbed + scattered)
    inner = 2.9  # (1 + F) / (1 - F) at the skin's refractive index 1.4
    dermis = single / 2 * (1 + np.exp(-4 / 3 * inner * lost)) * np.exp(-lost)
    return np.asarray(through**2 * dermis + EPIDERMIS_BACK * (NM / 600) ** 2)


def colour_matching() -> np.ndarray:
    """CIE 1931 colour matching functions [31, 3] at `NM`, Wyman's sums of lobes."""

    def lobe(peak: float, below: float, above: float) -> np.ndarray:
        return np.asarray(np.exp(-0.5 * ((NM - peak) * np.where(peak > NM, below, above)) ** 2))

    x = 0.362 * lobe(442.0, 0.0624, 0.0374) + 1.056 * lobe(599.8, 0.0264, 0.0323)
    x = x - 0.065 * lobe(501.1, 0.0490, 0.0382)
    y = 0.821 * lobe(568.8, 0.0213, 0.0247) + 0.286 * lobe(530.9, 0.0613, 0.0322)
    z = 1.217 * lobe(437.0, 0.0845, 0.0278) + 0.681 * lobe(459.0, 0.0385, 0.0725)
    return np.stack([x, y, z], 1)


XYZ_TO_RGB: Final = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)


def linear_rgb(spectrum: np.ndarray) -> np.ndarray:
    """Linear sRGB [..., 3] of reflectances [..., 31]; a white surface is (1, 1, 1) under any lamp."""
    matching = colour_matching()
    rgb = spectrum @ matching @ XYZ_TO_RGB.T
    return np.asarray(rgb / (matching.sum(0) @ XYZ_TO_RGB.T))


@lru_cache(maxsize=1)
def skin_table() -> np.ndarray:
    """Linear albedo float32 [GRID, GRID, 3]: rows melanin, columns blood, both 0..1 in `unit_*` steps."""
    unit = np.linspace(0, 1, GRID)
    melanin = melanin_share(unit)[:, None] * np.ones(GRID)
    blood = blood_share(unit)[None] * np.ones((GRID, 1))
    return np.clip(linear_rgb(reflectance(melanin, blood)), 0.004, 1).astype(np.float32)


def blood_share(unit: np.ndarray) -> np.ndarray:
    """Share of blood for 0..1 (pale to lips), in even ratios."""
    low, high = BLOOD_RANGE
    return np.asarray(low * (high / low) ** unit)


@lru_cache(maxsize=1)
def _lightness_curve() -> tuple[np.ndarray, np.ndarray]:
    share = np.geomspace(*MELANIN_RANGE, 200)
    rgb = linear_rgb(reflectance(share, np.full(200, float(blood_share(np.array(0.45))))))
    lightness = 116 * np.cbrt(rgb @ [0.2126, 0.7152, 0.0722]) - 16
    return lightness, share


def melanin_share(unit: np.ndarray) -> np.ndarray:
    """Share of melanosomes for 0..1, in even steps of lightness L* from the lightest to the darkest skin."""
    lightness, share = _lightness_curve()
    wanted = lightness[0] + (lightness[-1] - lightness[0]) * np.clip(unit, 0, 1)
    return np.asarray(np.interp(-wanted, -lightness, share))


def skin_albedo(melanin: np.ndarray, blood: np.ndarray) -> np.ndarray:
    """Linear albedo float32 [..., 3] for melanin and blood, each 0..1."""
    a, b = (np.ascontiguousarray(t, dtype=np.float32) for t in np.broadcast_arrays(melanin, blood))
    out = np.empty((*a.shape, 3), np.float32)
    _look_up(skin_table(), a.ravel(), b.ravel(), out.reshape(-1, 3))
    return out


@njit(cache=True, fastmath=True)
@no_type_check
def _look_up(table, melanin, blood, out):
    last = table.shape[0] - 2
    for n in range(melanin.shape[0]):
        a = min(max(melanin[n], np.float32(0)), np.float32(1)) * (last + 1)
        b = min(max(blood[n], np.float32(0)), np.float32(1)) * (last + 1)
        i, j = min(int(a), last), min(int(b), last)
        a, b = np.float32(a - i), np.float32(b - j)
        for c in range(3):
            low = table[i, j, c] * (1 - b) + table[i, j + 1, c] * b
            high = table[i + 1, j, c] * (1 - b) + table[i + 1, j + 1, c] * b
            out[n, c] = low * (1 - a) + high * a
