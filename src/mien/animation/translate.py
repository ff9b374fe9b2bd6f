"""What an avatar is asked to show, and what must be sent so that a tracker sees it there."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from mien.animation.brows import brow_level, levelled_brows
from mien.animation.face_regions import GAZE_ACROSS, GAZE_ALONG
from mien.animation.measures import LEVELLED, model_measures
from mien.animation.response import ExpressionResponse
from mien.animation.retarget import DrivenMotion
from mien.animation.shapes import shaped
from mien.animation.smoothing import blurred_in_time
from mien.core.arkit import ARKIT_INDEX, ARKIT_NAMES

ANCHOR: Final = np.select(
    [
        np.char.startswith(ARKIT_NAMES, "eyeBlink"),
        np.char.startswith(ARKIT_NAMES, "eye"),
        np.isin(ARKIT_NAMES, ["mouthPucker", "mouthFunnel"]),
    ],
    [0.1, 0.2, 0.3],
    0.12,
)
"""[52] how much the avatar is asked for what the driver shows rather than for what would be measured: most
for eyes, of which a tracker sees least, and for rounded lips, which it hardly sees on some faces."""
PARTED: Final = (0.04, 0.14)
"""Coefficients of what opens lips below which a driver's lips are shut, and from which on they are not."""
ROLLED: Final = 0.25
"""Of lips rolled in: a tracker sees as much more of an open jaw behind lips that are shut."""
LIPS_SHUT: Final = 0.13
"""mouthClose that shuts the lips of the head model at rest all along."""
ALSO_CLOSE: Final = ("mouthRollLower", "mouthRollUpper", "mouthShrugLower")
ALSO_CLOSES: Final = 0.08
"""mouthClose that each of these is worth."""
LEAST_OPENING: Final = 0.1
"""jawOpen below which lips need not close over it."""
WEIGHT: Final = np.select(
    [
        np.char.startswith(ARKIT_NAMES, "eyeBlink"),
        np.char.startswith(ARKIT_NAMES, "eyeSquint"),
        np.array(ARKIT_NAMES) == "jawOpen",
        np.char.startswith(ARKIT_NAMES, "mouthSmile"),
    ],
    [3.0, 0.3, 4.0, 1.5],
    1.0,
)
"""[52] lids, jaw and smile are what people look at: lids are not closed for the sake of a driver's constant
squint, nor is a jaw held back because its opening is also seen as lips drawn down."""


def _group(name: str) -> str:
    return next(
        (start for start in ("eyeBlink", "eyeLook", "eye", "brow", "jawOpen") if name.startswith(start)),
        "mouth",
    )


_GROUPS: Final = np.array([_group(name) for name in ARKIT_NAMES])
ANSWERS: Final = _GROUPS[:, None] == _GROUPS
"""[52, 52] what is sent (row) is only changed for the sake of what is measured (column) of the same group:
eyes are not shut because a shut eye also looks less to the side, nor is a jaw held back for the lower lip."""
PUCKER: Final = ARKIT_INDEX["mouthPucker"]
PUCKER_REACH: Final = 0.8
"""How much further than the head model's a pucker goes where a tracker sees one of 1: it narrows the
mouths of two drivers by 33 and 38 %, the model's by 16 %."""
CALM_S: Final = 0.045
"""Standard deviation of the blur over time of what is sent less what is shown, seconds."""
LIDS: Final = np.char.startswith(ARKIT_NAMES, "eyeBlink")
HIGHEST: Final = np.select(
    [
        np.char.startswith(ARKIT_NAMES, "brow"),
        np.array(ARKIT_NAMES) == "mouthPucker",
        np.array(ARKIT_NAMES) == "jawOpen",
    ],
    [1.4, 1 + PUCKER_REACH, 1.15],
    1.0,
)
"""[52] brows may be sent beyond what they are at their utmost on the average head, of which a tracker sees
about half; so may pursed lips, and a jaw, with which mouths of drivers open wider than the model's."""


@dataclass(frozen=True, eq=False)
class Translation:
    """A motion carried to an avatar, and what a tracker should see of it."""

    plain: DrivenMotion
    """Counted from the source's own coefficients: what is sent stays near it."""
    wanted: Float32[np.ndarray, "frame 52"]
    """What is to be measured: counted from what is measured of the source."""
    response: ExpressionResponse
    kept: NDArray[np.bool_]
    """[52] coefficients that are the source's own."""
    highest_brows: NDArray[np.float64] | None = None
    """How high brows may stand half of the time, see `mien.animation.brows`; as high as `plain` has them is
    always allowed. None for no limit."""
    is_shaped: bool = False
    """Whether `plain` goes as far as the driver's shape: then so does what is sent."""

    def motion(self) -> DrivenMotion:
        """The motion as the response alone translates it."""
        return replace(self.plain, expression=self.sent())

    def sent(
        self, bias: NDArray[np.floating] | float = 0.0, gain: NDArray[np.floating] | float = 1.0
    ) -> Float32[np.ndarray, "frame 52"]:
        """Coefficients to send where more is measured, by `bias` [T, 52], than the response predicts, and
        where the head model must go `gain` [M] times as far as the driver to be seen to go as far."""
        shown = self.plain.expression
        target = np.clip(self.wanted - bias, 0.0, 1.0)
        sent = self.response.apply(
            target,
            near=reaching(shown, self.response),
            anchor=ANCHOR,
            weight=WEIGHT,
            answers=ANSWERS,
            highest=HIGHEST,
        )
        sent = calmed(sealed(rounded(conjugate(sent, shown), shown), shown), shown, self.plain.time_s)
        if self.is_shaped:
            sent = sealed(self._as_far(sent, gain), shown)
        if self.highest_brows is not None:
            sent = levelled_brows(sent, np.maximum(self.highest_brows, brow_level(shown)))
        return np.where(self.kept, shown, sent)

    def _as_far(
        self, sent: Float32[np.ndarray, "frame 52"], gain: NDArray[np.floating] | float
    ) -> Float32[np.ndarray, "frame 52"]:
        """What is sent, with the shape of `plain`: mouth, brows and lids go as far as the driver's.

        How high brows and lids are half of the time is left to the response.
        """
        own = model_measures().changes(self.plain.expression)
        rest = np.where(LEVELLED, np.median(own, axis=0), 0.0)
        level = np.where(LEVELLED, np.median(model_measures().changes(sent), axis=0), 0.0)
        goal = level + gain * (own - rest)
        noticed = np.sqrt(WEIGHT)[:, None] * (np.diag(self.response.gain) + self.response.crosstalk.T)
        return shaped(sent, goal, kept=self.kept, noticed=noticed).astype(np.float32)


def calmed(
    sent: Float32[np.ndarray, "frame 52"],
    shown: Float32[np.ndarray, "frame 52"],
    time_s: NDArray[np.float64],
) -> Float32[np.ndarray, "frame 52"]:
    """What is sent, moving as quickly as what is shown: what was changed of it is blurred over time.

    Single frames are translated one by one, and neighbours may differ by more than the driver does; without
    this, the landmarks of a mesh tremble 2.3 times as much as with the driver's own coefficients. A blink is
    as short as the blur, and stays.
    """
    change = blurred_in_time(sent - shown, time_s, CALM_S)
    return np.where(LIDS, sent, np.clip(shown + change, 0.0, HIGHEST)).astype(np.float32)


def reaching(
    shown: Float32[np.ndarray, "frame 52"], response: ExpressionResponse
) -> Float32[np.ndarray, "frame 52"]:
    """What is shown, with lips pursed as far as people purse them, see `PUCKER_REACH`, where a tracker sees
    nothing of the avatar's.

    A little pucker stays as it is: a tracker sees one in full lips at rest.
    """
    unseen = 1 - float(np.clip(response.values[PUCKER, -1], 0.0, 1.0))
    result = shown.copy()
    result[:, PUCKER] += unseen * PUCKER_REACH * np.clip(2 * shown[:, PUCKER] - 1, 0.0, 1.0) ** 2
    return result


def rounded(
    sent: Float32[np.ndarray, "frame 52"], shown: Float32[np.ndarray, "frame 52"]
) -> Float32[np.ndarray, "frame 52"]:
    """What is sent, with the driver's own jaw and funnel where lips are pursed.

    Pursed and funnelled lips open wider together than the response foresees, which knows each alone.
    """
    own = np.clip(shown[:, [PUCKER]], 0.0, 1.0) ** 3
    result = sent.copy()
    for name in ("jawOpen", "mouthFunnel"):
        at = [ARKIT_INDEX[name]]
        result[:, at] += own * (shown[:, at] - sent[:, at])
    return result


def conjugate(
    sent: Float32[np.ndarray, "frame 52"], shown: Float32[np.ndarray, "frame 52"]
) -> Float32[np.ndarray, "frame 52"]:
    """What is sent, with both eyes turned alike from where the driver's look.

    In a turned face a tracker sees the two eyes differently and sees less of the far one; corrected one by
    one, they would squint.
    """
    result = sent.copy()
    for one, other in (GAZE_ACROSS, GAZE_ALONG):
        net = shown[:, one] - shown[:, other]
        net = net + (sent[:, one] - sent[:, other] - net).mean(1, keepdims=True)
        both = np.minimum(shown[:, one], shown[:, other])
        result[:, one] = np.clip(both + np.maximum(net, 0.0), 0.0, 1.0)
        result[:, other] = np.clip(both + np.maximum(-net, 0.0), 0.0, 1.0)
    return result


def sealed(
    sent: Float32[np.ndarray, "frame 52"], shown: Float32[np.ndarray, "frame 52"]
) -> Float32[np.ndarray, "frame 52"]:
    """What is sent, with lips that close as large a part of the jaw's opening as the driver's do.

    Of pursed and pressed lips a tracker sees other numbers than of lips that close over an open jaw, and the
    two are easily traded for each other; then teeth show through. Where nothing of the driver's opens them,
    lips are shut: those of the head model at rest are a little apart.
    """
    jaw, close = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
    share = np.minimum(shown[:, close] / np.maximum(shown[:, jaw], LEAST_OPENING), 1.0)
    result = sent.copy()
    folded = sent[:, [ARKIT_INDEX[name] for name in ALSO_CLOSE]].sum(1)
    shut = (1 - parted(shown)) * np.maximum(LIPS_SHUT + sent[:, jaw] - ALSO_CLOSES * folded, 0)
    result[:, close] = np.maximum.reduce([sent[:, close], share * sent[:, jaw], shut])
    return result


def parted(shown: Float32[np.ndarray, "frame 52"]) -> Float32[np.ndarray, " frame"]:
    """How far anything of a driver parts its lips: 0 for none, 1 from `PARTED` on."""
    left_right = [
        np.mean([shown[:, ARKIT_INDEX[f"{name}{side}"]] for side in ("Left", "Right")], axis=0)
        for name in ("mouthUpperUp", "mouthLowerDown")
    ]
    rolled = shown[:, ARKIT_INDEX["mouthRollLower"]] + shown[:, ARKIT_INDEX["mouthRollUpper"]]
    jaw = shown[:, ARKIT_INDEX["jawOpen"]] - shown[:, ARKIT_INDEX["mouthClose"]] - ROLLED * rolled
    most = np.maximum.reduce([jaw, *left_right, shown[:, ARKIT_INDEX["mouthFunnel"]]])
    low, high = PARTED
    return np.clip((most - low) / (high - low), 0.0, 1.0)
