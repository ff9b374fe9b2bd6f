"""The families of hair: each takes a plain plan and combs, cuts and curls it. A new one is a function and a
line of `STYLES`."""

from collections.abc import Callable
from typing import Final

import numpy as np

from mien.training.procedural.strands.looks import Family, HairLook
from mien.training.procedural.strands.plan import (
    Plan,
    away_from_crown,
    from_parting,
    jitter,
    topness,
)

Style = Callable[[Plan, HairLook, np.random.Generator], None]


def _random(rng: np.random.Generator, low: float, high: float, n: int) -> np.ndarray:
    return rng.uniform(low, high, n).astype(np.float32)


def buzz(plan: Plan, look: HairLook, rng: np.random.Generator) -> None:
    """Clipped to a few millimetres."""
    n, top = len(plan.xyz), topness(plan.xyz)
    plan.comb = away_from_crown(plan.xyz) + jitter(rng, n, 0.35)
    plan.lift[:] = 1.0
    plan.gravity[:] = 0
    plan.length = (look.length * (0.55 + 0.45 * top) * _random(rng, 0.75, 1.1, n)).astype(np.float32)
    plan.layer[:] = 0.001
    plan.locks[:] = 0
    plan.points, plan.width = 4, 0.00075


def short(plan: Plan, look: HairLook, rng: np.random.Generator) -> None:
    """Short sides, longer top that stands a little and leans forward and aside."""
    n, top = len(plan.xyz), topness(plan.xyz)
    lean = np.array([np.sign(look.parting) * 0.7, 0.15, 0.75], np.float32)
    plan.comb = away_from_crown(plan.xyz) * (1 - 0.75 * top[:, None]) + lean * top[:, None]
    plan.comb += jitter(rng, n, 0.22 + 0.35 * (1 - look.neatness))
    plan.lift = 0.35 + (0.35 + 0.9 * look.volume) * top
    plan.reach[:] = 0.12
    plan.gravity = 0.25 + 0.2 * top
    side = 0.016 + 0.35 * look.length
    plan.length = ((side + (look.length - side) * top) * _random(rng, 0.65, 1.08, n)).astype(np.float32)
    plan.layer = (0.003 + (0.006 + 0.022 * look.volume) * top * _random(rng, 0.1, 1.0, n)).astype(np.float32)
    plan.locks = (0.25 + 0.45 * top).astype(np.float32)
    plan.points, plan.strands_per_lock = 9, 16
    plan.wave = (0.006 * look.curl * top).astype(np.float32)
    plan.pitch, plan.wave_order = 0.06, 0.8


def side_part(plan: Plan, look: HairLook, rng: np.random.Generator) -> None:
    """Combed from a side parting over the head, short sides."""
    n, top = len(plan.xyz), topness(plan.xyz)
    comb = from_parting(look, plan.xyz, back=0.25 + 0.5 * look.swept)
    plan.comb = comb * top[:, None] + away_from_crown(plan.xyz) * (1 - top[:, None])
    plan.comb += jitter(rng, n, 0.06 + 0.2 * (1 - look.neatness))
    rear = np.clip((-plan.xyz[:, 2] - 0.06) / 0.12, 0, 1)
    plan.lift = 0.3 + (0.3 + 0.5 * look.volume) * top * (1 - 0.6 * rear)
    plan.reach[:] = 0.16
    plan.cling[:] = 0.5
    plan.gravity = 0.3 + 0.1 * top
    long = top * (1 - 0.45 * rear)
    plan.length = ((0.035 + (look.length - 0.035) * long) * _random(rng, 0.5, 1.05, n)).astype(np.float32)
    plan.layer = (0.003 + (0.006 + 0.022 * look.volume) * long * _random(rng, 0.15, 1.0, n)).astype(np.float32)
    plan.locks = (0.35 + 0.35 * top).astype(np.float32)
    plan.points = 12


def slicked(plan: Plan, look: HairLook, rng: np.random.Generator) -> None:
    """Combed straight back in wet locks."""
    n, top = len(plan.xyz), topness(plan.xyz)
    back = np.stack([0.5 * plan.xyz[:, 0], np.zeros(n), np.full(n, -1.0)], 1).astype(np.float32)
    down = np.clip((-plan.xyz[:, 2] - 0.08) / 0.1, 0, 1)[:, None]
    plan.comb = back * (1 - down) + away_from_crown(plan.xyz) * down + jitter(rng, n, 0.06)
    plan.lift = 0.25 + (0.2 + 0.6 * look.volume) * top
    plan.reach[:] = 0.25
    plan.cling[:] = 0.7
    plan.length = ((0.05 + (look.length - 0.05) * top) * _random(rng, 0.55, 1.05, n)).astype(np.float32)
    plan.layer = (0.003 + (0.006 + 0.016 * look.volume) * top * _random(rng, 0.2, 1.0, n)).astype(np.float32)
    plan.locks[:] = 0.7
    plan.points, plan.strands_per_lock = 14, 28


def ring(plan: Plan, look: HairLook, rng: np.random.Generator) -> None:
    """What is left around a bald top, cut short."""
    n = len(plan.xyz)
    plan.comb = away_from_crown(plan.xyz) + jitter(rng, n, 0.25)
    plan.lift[:] = 0.5
    plan.gravity[:] = 0.3
    plan.length = (look.length * _random(rng, 0.7, 1.1, n)).astype(np.float32)
    plan.layer = _random(rng, 0.001, 0.006, n)
    plan.locks[:] = 0.3
    plan.points = 6


def curly(plan: Plan, look: HairLook, rng: np.random.Generator) -> None:
    """Springy curls that stand off the head and fall a little."""
    n = len(plan.xyz)
    plan.comb = 0.9 * plan.normals + 0.5 * from_parting(look, plan.xyz, back=0.2, sharp=0.02)
    plan.comb += jitter(rng, n, 0.35)
    plan.lift[:] = 0.8
    plan.reach[:] = 0.07
    plan.gravity[:] = 0.8
    plan.stiff[:] = 0.75
    plan.cling[:] = 0
    plan.layer = (0.008 + (0.02 + 0.035 * look.volume) * _random(rng, 0.0, 1.0, n)).astype(np.float32)
    plan.length = (look.length * _random(rng, 0.7, 1.1, n)).astype(np.float32)
    plan.open_x[:] = 0.085
    plan.locks[:] = 0.85
    plan.wave = (0.0055 + 0.006 * (1 - look.curl)) * _random(rng, 0.8, 1.2, n)
    plan.pitch, plan.flatness, plan.ramp, plan.wave_order = 0.032 + 0.03 * (1 - look.curl), 0.9, 0.12, 0.96
    plan.points, plan.strands_per_lock = 26, 26


def afro(plan: Plan, look: HairLook, rng: np.random.Generator) -> None:
    """A round cloud of small coils."""
    n = len(plan.xyz)
    up = np.array([0, 0.35, -0.1], np.float32)
    plan.comb = plan.normals + up + jitter(rng, n, 0.28)
    plan.lift[:] = 1.0
    plan.reach[:] = 2.0
    plan.gravity[:] = 0.05
    plan.stiff[:] = 0.8
    plan.cling[:] = 0
    plan.layer = _random(rng, 0.002, 0.01, n)
    round_off = 0.7 + 0.3 * np.clip((plan.xyz[:, 1] + 0.1) / 0.2, 0, 1)
    plan.length = (look.length * round_off * rng.beta(5, 1.2, n)).astype(np.float32)
    plan.locks[:] = 0.35
    plan.wave = _random(rng, 0.0035, 0.007, n)
    plan.pitch, plan.flatness, plan.ramp, plan.wave_order = 0.022, 1.0, 0.1, 0.5
    plan.points, plan.strands_per_lock, plan.width = 24, 14, 0.00085


def hanging(plan: Plan, look: HairLook, rng: np.random.Generator) -> None:
    """Parted hair that falls to both sides of the face: what all long families share."""
    n = len(plan.xyz)
    plan.comb = from_parting(look, plan.xyz, back=0.25 + 0.9 * look.swept)
    plan.comb += jitter(rng, n, 0.05 + 0.1 * (1 - look.neatness))
    plan.lift = (0.25 + 0.4 * look.volume * topness(plan.xyz)).astype(np.float32)
    plan.reach[:] = 0.08 + 0.05 * look.swept
    plan.gravity[:] = 1.0
    plan.stiff[:] = 0.7
    plan.cling[:] = 0.35
    plan.layer = (0.004 + (0.010 + 0.026 * look.volume) * _random(rng, 0.0, 1.0, n)).astype(np.float32)
    plan.open_x[:] = look.face_opening * _random(rng, 0.94, 1.12, n)
    plan.locks[:] = 0.75
    plan.points = 26


def bob(plan: Plan, look: HairLook, rng: np.random.Generator) -> None:
    """Cut in one line between chin and neck."""
    hanging(plan, look, rng)
    line = -0.10 - 1.0 * (look.length - 0.30)
    plan.cut_y = (line + rng.normal(0, 0.006, len(plan.xyz))).astype(np.float32)
    plan.length[:] = 0.62
    plan.wave = np.full(len(plan.xyz), 0.010 * look.curl, np.float32)
    plan.pitch = 0.11


def long_straight(plan: Plan, look: HairLook, rng: np.random.Generator) -> None:
    """To the shoulders or below."""
    hanging(plan, look, rng)
    n = len(plan.xyz)
    plan.cut_y = (0.08 - look.length + rng.normal(0, 0.02, n) - 0.05 * rng.uniform(size=n)).astype(np.float32)
    plan.length[:] = look.length + 0.2
    plan.wave = np.full(n, 0.008 * look.curl, np.float32)
    plan.pitch = 0.16


def long_wavy(plan: Plan, look: HairLook, rng: np.random.Generator) -> None:
    """Long, in waves that begin at the height of the ears."""
    long_straight(plan, look, rng)
    n = len(plan.xyz)
    plan.wave = (0.007 + 0.012 * look.curl) * _random(rng, 0.8, 1.2, n)
    plan.pitch, plan.flatness, plan.ramp, plan.wave_order = 0.085 + 0.06 * (1 - look.curl), 0.65, 0.4, 0.985
    plan.layer += 0.006
    plan.locks[:] = 0.95
    plan.points, plan.strands_per_lock = 32, 40


def shag(plan: Plan, look: HairLook, rng: np.random.Generator) -> None:
    """Of middle length, layered, over the ears to the nape."""
    hanging(plan, look, rng)
    n, top = len(plan.xyz), topness(plan.xyz)
    plan.comb += jitter(rng, n, 0.12)
    plan.length = (look.length * (0.5 + 0.5 * top) * _random(rng, 0.6, 1.1, n)).astype(np.float32)
    plan.gravity[:] = 0.6
    plan.wave = np.full(n, 0.012 * look.curl, np.float32)
    plan.pitch, plan.points = 0.09, 18


def tied(plan: Plan, look: HairLook, rng: np.random.Generator) -> None:
    """Drawn to a knot at the back of the head; what hangs from it is grown apart."""
    n = len(plan.xyz)
    knot = plan.extra["knot"]
    away = np.linalg.norm(plan.xyz - knot, axis=1)
    plan.comb = (knot - plan.xyz) / (away[:, None] + 1e-3) + jitter(rng, n, 0.04 + 0.08 * (1 - look.neatness))
    plan.lift = (0.2 + 0.5 * look.volume * topness(plan.xyz)).astype(np.float32)
    plan.reach[:] = 0.1
    plan.gravity[:] = 0.05
    plan.stiff[:] = 0.55
    plan.layer = (0.003 + (0.004 + 0.014 * look.volume) * _random(rng, 0.0, 1.0, n)).astype(np.float32)
    plan.tie[:] = knot
    plan.pull[:] = 1.2
    plan.length = (away * (1.04 + 0.9 * away)).astype(np.float32)
    plan.locks[:] = 0.55
    plan.points = 18


STYLES: Final[dict[Family, Style]] = {
    "ring": ring, "buzz": buzz, "short": short, "side_part": side_part, "slicked": slicked, "curly": curly,
    "afro": afro, "shag": shag, "bob": bob, "long_straight": long_straight, "long_wavy": long_wavy,
    "bun": tied, "ponytail": tied,
}  # fmt: skip
"""All families but the bald one."""
