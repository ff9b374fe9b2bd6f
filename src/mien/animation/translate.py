"""What an avatar is asked to show, and what must be sent so that a tracker sees it there."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from mien.animation.response import ExpressionResponse
from mien.animation.retarget import DrivenMotion
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

    def motion(self) -> DrivenMotion:
        """The motion as the response alone translates it."""
        return replace(self.plain, expression=self.sent())

    def sent(self, bias: NDArray[np.floating] | float = 0.0) -> Float32[np.ndarray, "frame 52"]:
        """Coefficients to send where more is measured, by `bias` [T, 52], than the response predicts."""
        shown = self.plain.expression
        target = np.clip(self.wanted - bias, 0.0, 1.0)
        sent = self.response.apply(target, near=shown, anchor=ANCHOR, weight=WEIGHT)
        return np.where(self.kept, shown, sealed(sent, shown))


def sealed(
    sent: Float32[np.ndarray, "frame 52"], shown: Float32[np.ndarray, "frame 52"]
) -> Float32[np.ndarray, "frame 52"]:
    """What is sent, with lips that close as large a part of the jaw's opening as the driver's do.

    Of pursed and pressed lips a tracker sees other numbers than of lips that close over an open jaw, and the
    two are easily traded for each other; then teeth show through.
    """
    jaw, close = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
    share = np.minimum(shown[:, close] / np.maximum(shown[:, jaw], LEAST_OPENING), 1.0)
    result = sent.copy()
    result[:, close] = np.maximum(sent[:, close], share * sent[:, jaw])
    return result
