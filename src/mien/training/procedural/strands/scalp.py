"""Where hair grows on the head: the hairline, thin places, and the dye of the scalp under hair."""

from functools import lru_cache
from typing import Final

import numpy as np
import torch

from mien.morphable import chart
from mien.morphable.carry import chart_grid
from mien.morphable.model import MorphableModel
from mien.training.procedural.atlas import ATLAS, smooth_noise, smoothstep
from mien.training.procedural.strands.looks import HairLook
from mien.training.procedural.strands.skull import Pool

AZIMUTH_DEG: Final = (0.0, 14.0, 28.0, 42.0, 54.0, 64.0, 70.0, 77.0, 84.0, 112.0, 124.0, 140.0, 180.0)
LINE: Final = (0.128, 0.130, 0.132, 0.122, 0.090, 0.062, 0.030, 0.030, 0.046, 0.020, -0.11, -0.15, -0.165)
"""Average hairline: height over azimuth on the template head, EG3D units (`Pool.height`)."""
RECEDES: Final = (0.10, 0.35, 1.0, 1.0, 0.5, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
SIDEBURN: Final = (0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
RECEDED: Final = 0.085
CROWN: Final = np.array([0.012, 0.235, -0.15], np.float32)
"""The whorl that hair of the head grows away from, template head."""
RING_TOP: Final = 0.10
"""Above this height a ring of hair leaves the head bald."""


def hairline_distance(look: HairLook, azimuth: np.ndarray, height: np.ndarray) -> np.ndarray:
    """How far inside the hair points lie (EG3D units, negative outside) for azimuth (rad) and height."""
    line = np.array(LINE) + look.hairline * (np.array(AZIMUTH_DEG) < 60)
    line = line + RECEDED * look.receding * np.array(RECEDES)
    line = line - 0.055 * look.sideburns * np.array(SIDEBURN)
    distance = height - np.interp(np.degrees(np.abs(azimuth)), AZIMUTH_DEG, line)
    if look.family == "ring":
        distance = np.minimum(distance, RING_TOP - 0.02 * np.cos(azimuth) - height)
        distance = np.minimum(distance, 0.25 * (np.abs(azimuth) - np.radians(66)))
    return np.asarray(distance, dtype=np.float32)


def growth(look: HairLook, pool: Pool, rng: np.random.Generator) -> np.ndarray:
    """Probability float32 [N] that hair grows at the points of a pool: soft at the hairline, less where it is
    thin; along a parting a narrow line stays free."""
    if look.family == "bald":
        return np.zeros(len(pool), np.float32)
    ragged = 0.003 * np.sin(pool.azimuth * 23 + 1.3) + 0.003 * np.sin(pool.azimuth * 61)
    distance = hairline_distance(look, pool.azimuth, pool.height) + ragged
    distance = distance + rng.normal(0, 0.0035, len(pool))
    inside = smoothstep(distance, -0.004, 0.045 if look.family == "ring" else 0.016)
    inside = inside * (0.75 if look.family == "ring" else 1.0)
    return np.asarray(inside * (1 - _bare(look, pool.xyz)), dtype=np.float32)


def _bare(look: HairLook, xyz: np.ndarray) -> np.ndarray:
    """Share of hair missing inside the hairline: thin crown."""
    crown = np.exp(-((xyz - CROWN) ** 2).sum(-1) / (2 * 0.055**2))
    return np.asarray(look.thinning * np.clip(1.2 * crown, 0, 1))


@lru_cache(maxsize=1)
def _atlas_angles() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    uv = chart_grid(ATLAS)
    uv[..., 1] = uv[..., 1].clamp(min=chart.V_BODY[0])
    angles = chart.unchart_uv(uv)
    xyz = chart.uncapsule(torch.cat([angles, torch.full_like(angles[..., :1], 0.19)], -1)).numpy()
    azimuth, height = angles[..., 0].numpy(), angles[..., 1].numpy() + np.float32(chart.CENTRE_Y)
    return azimuth, height, xyz


def scalp_shade(model: MorphableModel, look: HairLook, rng: np.random.Generator) -> np.ndarray:
    """How much roots darken the scalp, float32 [ATLAS, ATLAS] in [0, 1], to be mixed into its albedo."""
    if look.family == "bald":
        return np.zeros((ATLAS, ATLAS), np.float32)
    azimuth, height, xyz = _atlas_angles()
    distance = hairline_distance(look, azimuth, height) + 0.004 * smooth_noise(rng, 60)
    shade = smoothstep(distance, -0.004, 0.03) * (1 - 0.8 * _bare(look, xyz))
    strength = 0.72 if look.family == "buzz" else 0.8
    return np.asarray(np.clip(strength * shade * look.density, 0, 1), dtype=np.float32)
