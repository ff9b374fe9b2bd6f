"""Light on a head: surroundings as spherical harmonics and as a picture, and one key light with shadows.

All colours are linear. A surface of albedo a under irradiance e shines with a * e: irradiances are kept
divided by pi. The harmonics are real, of order 2, in the order (0,0), (1,-1), (1,0), (1,1), (2,-2) ... (2,2)
with x, y, z as in the head frame (x right, y up, z to the viewer).
"""

# mypy: disable-error-code="no-untyped-def"
import math
from dataclasses import dataclass, replace
from typing import Final, no_type_check

import numpy as np
from numba import njit

COSINE: Final = np.array([1.0] + [2 / 3] * 3 + [1 / 4] * 5, np.float32)
"""Factors per coefficient that turn radiance into irradiance / pi (Ramamoorthi and Hanrahan 2001)."""
PICTURE_SAMPLES: Final = 1024


def sh_basis(directions: np.ndarray) -> np.ndarray:
    """Real spherical harmonics up to order 2 of unit directions [..., 3]: float32 [..., 9]."""
    if directions.ndim != 2 or directions.dtype != np.float32:
        return plain_sh_basis(directions)
    out = np.empty((len(directions), 9), np.float32)
    _sh_basis(directions, out)
    return out


@njit(cache=True, nogil=True)
@no_type_check
def _sh_basis(directions, out):
    """The compiled `plain_sh_basis`: without fast mathematics, so that it is equal to the last bit."""
    one, linear, square = np.float32(0.28209479), np.float32(0.48860251), np.float32(1.09254843)
    up, across = np.float32(0.31539157), np.float32(0.54627422)
    for n in range(directions.shape[0]):
        x, y, z = directions[n, 0], directions[n, 1], directions[n, 2]
        out[n, 0], out[n, 1], out[n, 2], out[n, 3] = one, linear * y, linear * z, linear * x
        out[n, 4], out[n, 5], out[n, 7] = square * x * y, square * y * z, square * x * z
        out[n, 6] = up * (np.float32(3) * z * z - np.float32(1))
        out[n, 8] = across * (x * x - y * y)


def plain_sh_basis(directions: np.ndarray) -> np.ndarray:
    """The same with NumPy, for any shape and precision."""
    x, y, z = (directions[..., k] for k in range(3))
    return np.stack(
        [
            np.full_like(x, 0.28209479),
            0.48860251 * y, 0.48860251 * z, 0.48860251 * x,
            1.09254843 * x * y, 1.09254843 * y * z, 0.31539157 * (3 * z * z - 1),
            1.09254843 * x * z, 0.54627422 * (x * x - y * y),
        ],
        -1,
    ).astype(np.float32)  # fmt: skip


@dataclass(frozen=True, eq=False)
class KeyLight:
    """The brightest light, far away: it alone throws shadows."""

    direction: np.ndarray
    """float32 [3], unit, from the head towards the light."""
    colour: np.ndarray
    """float32 [3], irradiance / pi on a surface that faces it."""
    softness_rad: float
    """Half the angle under which the light is seen: 0.005 for the sun, 0.3 for a large soft box."""


@dataclass(frozen=True, eq=False)
class Panel:
    """A bright rectangle in the surroundings: a window, a lamp, a soft box."""

    direction: np.ndarray
    """float32 [3], unit, to its middle."""
    half_size: tuple[float, float]
    """Half its width and height at distance 1."""
    colour: np.ndarray
    """float32 [3], radiance."""
    bars: bool
    """Whether a window's cross of bars divides it."""

    def radiance(self, directions: np.ndarray) -> np.ndarray:
        """Radiance [N, 3] seen in unit directions [N, 3]."""
        side = np.cross([0.0, 1.0, 0.0], self.direction)
        side /= max(float(np.linalg.norm(side)), 1e-6)
        axes = np.stack([side, np.cross(self.direction, side), self.direction]).astype(np.float32)
        x, y, z = axes @ directions.T
        z = np.where(z > 1e-3, z, 1e3)
        x, y = np.abs(x / z) / self.half_size[0], np.abs(y / z) / self.half_size[1]
        lit = np.clip((1 - np.maximum(x, y)) / 0.12, 0, 1)
        if self.bars:
            lit = lit * np.clip((np.minimum(x, y) - 0.04) / 0.05, 0, 1)
        return np.where((z < 1e3)[:, None], lit[:, None] * self.colour, 0).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Light:
    """Surroundings and key light. The key is not among the surroundings' harmonics."""

    kind: str
    """What was drawn, see `draw_light`."""
    sh: np.ndarray
    """float32 [9, 3], harmonics of the surroundings' irradiance / pi."""
    key: KeyLight
    sky: np.ndarray
    """float32 [3], radiance straight up; also the ceiling's."""
    horizon: np.ndarray
    """float32 [3], radiance at eye level: walls, trees, haze."""
    ground: np.ndarray
    """float32 [3], radiance from below."""
    panels: tuple[Panel, ...]
    """What is sharp in reflections, the key light's own panel included."""

    def irradiance(self, normals: np.ndarray) -> np.ndarray:
        """Irradiance / pi [N, 3] of the surroundings, without the key, on unit normals [N, 3]."""
        return np.maximum(sh_basis(normals) @ self.sh, 0.0)

    def direct(self, normals: np.ndarray) -> np.ndarray:
        """Irradiance / pi [N, 3] of the key light, where nothing shades it."""
        return np.clip(normals @ self.key.direction, 0, None)[:, None] * self.key.colour

    @property
    def total_sh(self) -> np.ndarray:
        """float32 [9, 3]: as `sh`, with the key light taken in."""
        lobe = sh_basis(self.key.direction) * COSINE * math.pi
        return (self.sh + lobe[:, None] * self.key.colour).astype(np.float32)

    def backdrop(self, directions: np.ndarray) -> np.ndarray:
        """Radiance [N, 3] of sky, horizon and ground without the panels."""
        y = directions[:, 1:2]
        up, down = np.clip(y, 0, 1) ** 0.6, np.clip(-y, 0, 1) ** 0.4
        out = self.horizon * (1 - up - down) + self.sky * up + self.ground * down
        return np.asarray(np.maximum(out, 0), dtype=np.float32)

    def radiance(self, directions: np.ndarray) -> np.ndarray:
        """Radiance [N, 3] that comes from unit directions [N, 3], as a mirror would show it."""
        out = self.backdrop(directions)
        for panel in self.panels:
            out = out + panel.radiance(directions)
        return out

    def scaled(self, factor: float | np.ndarray) -> "Light":
        """The same light, brighter by a factor, or by one for each colour [3]."""
        k = np.asarray(factor, np.float32)
        return replace(
            self,
            sh=self.sh * k,
            key=replace(self.key, colour=self.key.colour * k),
            sky=self.sky * k,
            horizon=self.horizon * k,
            ground=self.ground * k,
            panels=tuple(replace(p, colour=p.colour * k) for p in self.panels),
        )


def irradiance_sh(directions: np.ndarray, radiance: np.ndarray) -> np.ndarray:
    """Harmonics float32 [9, 3] of irradiance / pi, of radiance [N, 3] at N evenly spread directions."""
    moments = sh_basis(directions).T @ radiance * (4 * math.pi / len(directions))
    return (COSINE[:, None] * moments).astype(np.float32)
