"""What the growing of hair is told, strand by strand, and directions on the skull."""

from dataclasses import dataclass, field

import numpy as np

from mien.training.procedural.strands.looks import HairLook
from mien.training.procedural.strands.scalp import CROWN
from mien.training.procedural.strands.skull import Pool

NO_CUT = np.float32(-9.0)


@dataclass(eq=False)
class Plan:
    """How S strands grow. Styles fill it in; arrays are float32 [S] unless said otherwise."""

    xyz: np.ndarray
    """[S, 3] roots, template head."""
    normals: np.ndarray
    """[S, 3]."""
    comb: np.ndarray
    """[S, 3] direction of the comb at the root."""
    reach: np.ndarray
    """Length over which the comb's direction fades."""
    lift: np.ndarray
    """How steeply strands leave the skin."""
    gravity: np.ndarray
    stiff: np.ndarray
    layer: np.ndarray
    """Distance kept from the skin."""
    length: np.ndarray
    cut_y: np.ndarray
    """Height at which scissors end the strand."""
    tie: np.ndarray
    """[S, 3]."""
    pull: np.ndarray
    open_x: np.ndarray
    cling: np.ndarray
    """How strongly hair that stands off falls back to the head."""
    locks: np.ndarray
    """How much strands gather in locks, 0..1."""
    wave: np.ndarray
    """Radius of waves or curls."""
    points: int = 12
    pitch: float = 0.1
    """Length of one turn of a wave."""
    flatness: float = 0.6
    """Of the waves: 1 round helices."""
    ramp: float = 0.25
    """Share of the length over which waves grow to their full radius."""
    wave_order: float = 0.9
    """1: neighbours wave together."""
    strands_per_lock: int = 22
    width: float = 0.0009
    extra: dict[str, np.ndarray] = field(default_factory=dict)


def plain_plan(pool: Pool, look: HairLook, rng: np.random.Generator) -> Plan:
    """Strands along the whorl, lying close: what styles start from."""
    n = len(pool)

    def full(value: float) -> np.ndarray:
        return np.full(n, value, np.float32)

    spread = rng.uniform(size=n).astype(np.float32)
    return Plan(
        xyz=pool.xyz,
        normals=pool.normals,
        comb=away_from_crown(pool.xyz),
        reach=full(0.3),
        lift=full(0.6),
        gravity=full(0.2),
        stiff=full(0.7),
        layer=(0.004 + 0.012 * look.volume * spread).astype(np.float32),
        length=(look.length * rng.uniform(0.8, 1.05, n)).astype(np.float32),
        cut_y=full(float(NO_CUT)),
        tie=np.zeros((n, 3), np.float32),
        pull=full(0.0),
        open_x=full(0.0),
        cling=full(0.25),
        locks=full(0.6),
        wave=full(0.0),
    )


def away_from_crown(xyz: np.ndarray) -> np.ndarray:
    """Unit directions [N, 3] away from the whorl, with its slight turn."""
    out = xyz - CROWN
    out = out / (np.linalg.norm(out, axis=1, keepdims=True) + 1e-6)
    turn = np.exp(-((xyz - CROWN) ** 2).sum(1) / 0.004)[:, None]
    swirl = np.stack([out[:, 2], 0 * out[:, 1], -out[:, 0]], 1)
    return np.asarray(out + 0.8 * turn * swirl, dtype=np.float32)


def from_parting(look: HairLook, xyz: np.ndarray, *, back: float, sharp: float = 0.006) -> np.ndarray:
    """Directions [N, 3] to both sides of the parting, and away from the whorl on the back of the head."""
    side = np.tanh((xyz[:, 0] - look.parting) / sharp)
    out = np.stack([side, 0.0 * side, np.full_like(side, -back)], 1)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    rear = np.clip((-xyz[:, 2] - 0.10) / 0.09, 0, 1)[:, None]
    return np.asarray(out * (1 - rear) + away_from_crown(xyz) * rear, dtype=np.float32)


def topness(xyz: np.ndarray) -> np.ndarray:
    """0 on the sides and the nape to 1 on top of the head, float32 [N]."""
    t = np.clip((xyz[:, 1] - 0.085) / 0.085, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def jitter(rng: np.random.Generator, n: int, spread: float) -> np.ndarray:
    """Random vectors float32 [n, 3]."""
    return (spread * rng.standard_normal((n, 3), np.float32)).astype(np.float32)
