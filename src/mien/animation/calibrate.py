"""Closing the loop: render known expressions of an avatar, track the renders, and learn its response.

What a tracker measures on a render is not what was sent: lids, lips and brows of a person have their own
reach. With the response known (`mien.animation.response`), a driver's coefficients are translated so that
the same coefficients are measured on the avatar.
"""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float32

from mien.animation.drive import Puppet, crop_canvas, head_motion, render_moving
from mien.animation.response import ExpressionResponse, fit_response
from mien.core.arkit import ARKIT_INDEX
from mien.tracking.faces import FaceTracker

SIZE_PX: Final = 224
ACTIONS: Final[tuple[tuple[tuple[str, float], ...], ...]] = (
    (("jawOpen", 0.9),),
    (("jawOpen", 0.5), ("mouthLowerDownLeft", 0.4), ("mouthLowerDownRight", 0.4)),
    (("mouthSmileLeft", 0.9), ("mouthSmileRight", 0.9)),
    (
        ("mouthSmileLeft", 0.7),
        ("mouthSmileRight", 0.7),
        ("mouthUpperUpLeft", 0.6),
        ("mouthUpperUpRight", 0.6),
    ),
    (("eyeBlinkLeft", 1.0), ("eyeBlinkRight", 1.0), ("eyeLookDownLeft", 0.5), ("eyeLookDownRight", 0.5)),
    (("eyeBlinkLeft", 0.6), ("eyeBlinkRight", 0.6)),
    (("eyeSquintLeft", 0.8), ("eyeSquintRight", 0.8)),
    (("browInnerUp", 0.9), ("browOuterUpLeft", 0.8), ("browOuterUpRight", 0.8)),
    (("browInnerUp", 0.8),),
    (("browDownLeft", 0.9), ("browDownRight", 0.9)),
    (("eyeWideLeft", 0.6), ("eyeWideRight", 0.6)),
    (("mouthPucker", 0.9),),
    (("mouthFunnel", 0.6), ("jawOpen", 0.2)),
    (("mouthFrownLeft", 0.7), ("mouthFrownRight", 0.7)),
    (("mouthShrugLower", 0.7), ("mouthShrugUpper", 0.5)),
    (("mouthPressLeft", 0.6), ("mouthPressRight", 0.6)),
    (("mouthRollLower", 0.6), ("mouthRollUpper", 0.4)),
    (("mouthStretchLeft", 0.6), ("mouthStretchRight", 0.6)),
    (("mouthUpperUpLeft", 0.6), ("mouthUpperUpRight", 0.6)),
    (("mouthLowerDownLeft", 0.7), ("mouthLowerDownRight", 0.7)),
    (("eyeLookOutLeft", 0.7), ("eyeLookInRight", 0.7)),
    (("eyeLookInLeft", 0.7), ("eyeLookOutRight", 0.7)),
    (("eyeLookUpLeft", 0.5), ("eyeLookUpRight", 0.5)),
    (("eyeLookDownLeft", 0.7), ("eyeLookDownRight", 0.7)),
    (("mouthLeft", 0.5),),
    (("mouthRight", 0.5),),
    (("noseSneerLeft", 0.5), ("noseSneerRight", 0.5)),
)
"""What faces do together; probes mix up to three of these."""


def probe_expressions(count: int, seed: int = 0) -> Float32[np.ndarray, "count 52"]:
    """Expressions to render: neutral, every action alone, then random mixes with random strengths."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((count, 52), np.float32)
    for k in range(1, count):
        alone = k <= len(ACTIONS)
        chosen = [k - 1] if alone else rng.choice(len(ACTIONS), rng.integers(1, 4), replace=False)
        for a in chosen:
            strength = 1.0 if alone else rng.uniform(0.2, 1.0)
            for name, value in ACTIONS[a]:
                rows[k, ARKIT_INDEX[name]] = max(rows[k, ARKIT_INDEX[name]], value * strength)
    return rows


def measure_response(puppet: Puppet, *, probes: int = 72) -> ExpressionResponse:
    """The avatar's response; the identity where its face is not found in at least half of the probes."""
    canvas = crop_canvas(puppet.avatar, SIZE_PX)
    still = head_motion(puppet, puppet.avatar.fit.R_camera_head, torch.zeros(3))
    sent, measured = [], []
    with FaceTracker(running="video", num_faces=4) as tracker:
        for k, expression in enumerate(probe_expressions(probes)):
            frame = render_moving(puppet, canvas, torch.from_numpy(expression), still)
            faces = tracker.detect(frame, k / 25)
            if faces:
                sent.append(expression)
                measured.append(faces[0].coefficients)
    if len(sent) < probes // 2:
        return ExpressionResponse.identity()
    return fit_response(np.stack(sent), np.stack(measured))
