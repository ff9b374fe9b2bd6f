"""What mien-bench asks for: persons, turns, expressions. All of it is fixed by numbers here."""

from dataclasses import dataclass
from typing import Final, Literal

from jaxtyping import Float
from torch import Tensor

from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import FFHQ_FOCAL
from mien.generator.samples import rest_expression

BENCH_VERSION: Final = 2
"""Goes up when figures of before and after can no longer be compared."""
BENCH_SEED: Final = 2_971_215_073
"""Of the persons. Training draws head k from (seed, k) with seeds from 0 on: keep them far below this one."""
IDENTITIES: Final = 50
PHOTO_PX: Final = 512
VIEW_PX: Final = 256
"""Side at which everything is compared."""
FOCAL: Final = 0.8 * FFHQ_FOCAL
"""Of the photo, in its sides: the whole head and the shoulders, as in a portrait."""
NEUTRAL: Final = "neutral"

_EXPRESSIONS: Final[dict[str, dict[str, float]]] = {
    NEUTRAL: {},
    "jaw open": {"jawOpen": 0.6},
    "smile": {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4},
    "blink": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    "brows up": {"browInnerUp": 0.9, "browOuterUpLeft": 0.9, "browOuterUpRight": 0.9},
    "mixed": {
        "jawOpen": 0.3, "mouthSmileLeft": 0.6, "mouthLeft": 0.3, "eyeBlinkRight": 0.7, "browDownRight": 0.6,
        "browInnerUp": 0.3,
    },
}  # fmt: skip
EXPRESSIONS: Final = tuple(_EXPRESSIONS)

Preset = Literal["quick", "full"]


@dataclass(frozen=True)
class ViewPlan:
    """Which views of a person are compared."""

    yaws_deg: tuple[float, ...] = (0.0, 15.0, 30.0, 45.0, 60.0)
    """Camera to the picture's right for persons of odd number, to its left for the others."""
    pitches_deg: tuple[float, ...] = (-20.0, 0.0, 20.0)
    """Camera above the face for positive ones."""
    expressions: tuple[str, ...] = EXPRESSIONS
    frames: int = 25
    """Of the turn for jitter."""
    turn_deg: float = 30.0
    """Yaw of that turn, from half of it at one side to half at the other."""


PLANS: Final[dict[Preset, ViewPlan]] = {
    "quick": ViewPlan(pitches_deg=(0.0,), expressions=(NEUTRAL, "jaw open", "smile"), frames=13),
    "full": ViewPlan(),
}


def expression_of(name: str) -> Float[Tensor, "52"]:
    """True coefficients: those of the face at rest, with the named ones set."""
    coefficients = rest_expression()
    for part, value in _EXPRESSIONS[name].items():
        coefficients[ARKIT_INDEX[part]] = value
    return coefficients


def side_of(index: int) -> int:
    """To which side the camera goes around a person: 1 or -1."""
    return 1 if index % 2 else -1
