"""Closing the loop: render known expressions of an avatar, track the renders, and learn its response.

What a tracker measures on a render is not what was sent: lids, lips and brows of a person have their own
reach. With the response known (`mien.animation.response`), a driver's coefficients are translated so that
the same coefficients are measured on the avatar.
"""

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Float32
from numpy.typing import NDArray

from mien.animation.brows import highest_level
from mien.animation.drive import Puppet, crop_canvas, head_motion, render_moving
from mien.animation.motion import Motion
from mien.animation.response import ExpressionResponse, fit_response
from mien.animation.retarget import DrivenMotion, Retargeting, retarget
from mien.animation.shapes import shaped_motion
from mien.animation.translate import Translation
from mien.core.arkit import ARKIT_INDEX
from mien.core.parallel import ordered
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
    (("mouthPressLeft", 0.8), ("mouthPressRight", 0.8)),
    (("mouthRollLower", 0.9), ("mouthRollUpper", 0.8)),
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
LIDS: Final = (0.15, 0.3, 0.45, 0.75, 0.9)
"""Closures of both lids that are tried alone: a tracker sees little of the first third of a blink."""


def translation_of(
    motion: Motion,
    response: ExpressionResponse | None,
    *,
    R_camera_head_source: NDArray[np.floating],
    expression_source: NDArray[np.floating],
    options: Retargeting,
) -> DrivenMotion | Translation:
    """The motion carried to a source (see `retarget`), to be translated by its response if there is one.

    What is wanted to be seen counts from what is seen of the source's own expression; what is sent stays near
    the same motion counted from the source's own coefficients, and has its shape if the driver was measured.
    Brows of motions that nobody's face was seen for, such as sliders, stand where they are asked to.
    """
    if motion.measures is None:
        options = replace(options, own_brows=False)
    shaped = shaped_motion(motion)
    plain = retarget(
        shaped,
        R_camera_head_source=R_camera_head_source,
        expression_source=expression_source,
        options=options,
    )
    if response is None or not (options.use_expression or options.edits):
        return plain
    seen = response.predict(np.asarray(expression_source, np.float64)[None])[0]
    wanted = retarget(
        motion, R_camera_head_source=R_camera_head_source, expression_source=seen, options=options
    )
    kept = options.gains.of_coefficients()[1]
    highest = highest_level(expression_source) if options.own_brows else None
    return Translation(
        plain, wanted.expression, response, kept, highest_brows=highest, is_shaped=shaped is not motion
    )


def calibrated_motion(
    motion: Motion,
    response: ExpressionResponse | None,
    *,
    R_camera_head_source: NDArray[np.floating],
    expression_source: NDArray[np.floating],
    options: Retargeting,
) -> DrivenMotion:
    """`translation_of` a motion, as the response alone translates it."""
    carried = translation_of(
        motion,
        response,
        R_camera_head_source=R_camera_head_source,
        expression_source=expression_source,
        options=options,
    )
    return carried if isinstance(carried, DrivenMotion) else carried.motion()


def probe_expressions(count: int, seed: int = 0) -> Float32[np.ndarray, "count 52"]:
    """Expressions to render: neutral, every action alone, lids alone, then random mixes."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((count, 52), np.float32)
    lids = [(("eyeBlinkLeft", x), ("eyeBlinkRight", x)) for x in LIDS]
    for k, alone in zip(range(1, count), (*ACTIONS, *lids), strict=False):
        rows[k] = _together([(alone, 1.0)])
    for k in range(1 + len(ACTIONS) + len(lids), count):
        chosen = rng.choice(len(ACTIONS), rng.integers(1, 4), replace=False)
        rows[k] = _together([(ACTIONS[a], rng.uniform(0.2, 1.0)) for a in chosen])
    return rows


def measure_response(puppet: Puppet, *, probes: int = 72) -> ExpressionResponse:
    """The avatar's response to `probes` expressions in its own pose.

    The identity where its face is not found in at least half of the probes.
    """
    canvas = crop_canvas(puppet.avatar, SIZE_PX)
    still = head_motion(puppet, puppet.avatar.fit.R_camera_head, torch.zeros(3))
    sent, measured = [], []

    def picture(expression: Float32[np.ndarray, "52"]) -> NDArray[np.uint8]:
        with torch.no_grad():
            return render_moving(puppet, canvas, torch.from_numpy(expression), still)

    expressions = probe_expressions(probes)
    with FaceTracker(running="video", num_faces=4) as tracker:
        for k, (expression, frame) in enumerate(zip(expressions, ordered(picture, expressions), strict=True)):
            faces = tracker.detect(frame, k / 25)
            if faces:
                sent.append(expression)
                measured.append(faces[0].coefficients)
    if len(sent) < max(probes // 2, 2):
        return ExpressionResponse.identity()
    return fit_response(np.stack(sent), np.stack(measured))


def _together(actions: list[tuple[tuple[tuple[str, float], ...], float]]) -> Float32[np.ndarray, "52"]:
    """Actions with strengths; where two move the same coefficient, the stronger counts."""
    row = np.zeros(52, np.float32)
    for action, strength in actions:
        for name, value in action:
            row[ARKIT_INDEX[name]] = max(row[ARKIT_INDEX[name]], value * strength)
    return row
