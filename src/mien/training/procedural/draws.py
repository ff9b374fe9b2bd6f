"""Drawing expressions and cameras."""

from typing import Final

import numpy as np

from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera
from mien.generator.samples import rest_expression

MOODS: Final[tuple[tuple[float, dict[str, tuple[float, float]]], ...]] = (
    (0.22, {}),
    (0.22, {"mouthSmile": (0.2, 0.9), "cheekSquint": (0.1, 0.6), "eyeSquint": (0.0, 0.4)}),
    (0.10, {"mouthSmile": (0.5, 1.0), "mouthUpperUp": (0.2, 0.6), "jawOpen": (0.05, 0.3),
            "cheekSquint": (0.2, 0.7)}),
    (0.14, {"jawOpen": (0.1, 0.7), "mouthFunnel": (0.0, 0.4)}),
    (0.08, {"browInnerUp": (0.3, 1.0), "browOuterUp": (0.2, 1.0), "eyeWide": (0.2, 0.8)}),
    (0.08, {"browDown": (0.3, 1.0), "eyeSquint": (0.1, 0.6), "mouthPress": (0.0, 0.5)}),
    (0.08, {"eyeBlink": (0.3, 1.0)}),
    (0.08, {"mouthPucker": (0.2, 0.9), "mouthFunnel": (0.0, 0.3)}),
)  # fmt: skip
"""Odds and ranges of coefficients; a name without a side means both sides."""


def draw_expression(rng: np.random.Generator) -> np.ndarray:
    """Random ARKit coefficients float32 [52]: a mood, a few stray actions, a direction of gaze."""
    e = np.zeros(52, np.float32)
    odds = np.array([m[0] for m in MOODS])
    for name, (low, high) in MOODS[rng.choice(len(MOODS), p=odds / odds.sum())][1].items():
        value = rng.uniform(low, high)
        for side in ("", "Left", "Right"):
            if name + side in ARKIT_INDEX:
                lean = 1.0 if side == "" else rng.uniform(0.85, 1.0)
                e[ARKIT_INDEX[name + side]] = value * lean
    for j in rng.choice(52, rng.integers(0, 4), replace=False):
        e[j] = max(e[j], rng.uniform(0, 0.6))
    _look_aside(e, rng)
    e[ARKIT_INDEX["tongueOut"]] = 0
    return np.asarray(np.clip(e + rest_expression().numpy(), 0, 1), dtype=np.float32)


def _look_aside(e: np.ndarray, rng: np.random.Generator) -> None:
    """Turn both eyes the same way."""
    side, up = np.clip(rng.normal(0, 0.25, 2), -0.8, 0.8)
    for name in ("eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeLookDown"):
        e[[ARKIT_INDEX[name + "Left"], ARKIT_INDEX[name + "Right"]]] = 0
    first, second = ("Left", "Right") if side > 0 else ("Right", "Left")
    e[ARKIT_INDEX["eyeLookOut" + first]] = e[ARKIT_INDEX["eyeLookIn" + second]] = abs(side)
    for eye in ("Left", "Right"):
        e[ARKIT_INDEX[("eyeLookUp" if up > 0 else "eyeLookDown") + eye]] = abs(up)


def draw_camera(rng: np.random.Generator) -> Camera:
    """A view on EG3D's orbit: yaw mostly within 50 degrees, sometimes from the side or the back."""
    yaw = rng.uniform(-np.pi, np.pi) if rng.uniform() < 0.08 else np.clip(rng.normal(0, 0.45), -1.4, 1.4)
    return Camera.orbit(float(yaw), float(np.clip(rng.normal(0, 0.15), -0.5, 0.5)))
