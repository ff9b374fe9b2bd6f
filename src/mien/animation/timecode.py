"""SMPTE timecodes `HH:MM:SS:FF.fff`: frame numbers to seconds and back, and the rate behind them.

A timecode does not tell how many frames a second has. That shows where the seconds change: from `09:58` to
`10:00` with frames two apart there are 60. Drop-frame timecodes, `HH:MM:SS;FF`, leave out the numbers of the
first frames of minutes so that 29.97 frames a second keep time with the clock.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import InputError

RATES: Final = (24, 25, 30, 48, 50, 60)
COMMON_RATES: Final = (
    *(Fraction(rate) for rate in (10, 12, 15, 24, 25, 30, 48, 50, 60, 120)),
    *(Fraction(rate * 1000, 1001) for rate in (24, 30, 60)),
)
RATE_TOLERANCE: Final = 0.004
NEARLY_WHOLE: Final = 0.05
DAY_S: Final = 86400.0
HALF_FULL: Final = 30
"""A frame number from here on is of 60 frames a second; without one, 30 are assumed, as Unreal does."""

_FORM: Final = re.compile(r"\s*(\d{1,2}):(\d{1,2}):(\d{1,2})([:;])(\d{1,3}(?:\.\d+)?)\s*")


@dataclass(frozen=True)
class Timecode:
    """A moment as it is written."""

    whole_s: int
    """Hours, minutes and seconds together."""
    frame: float
    """Frames within the second."""
    drop: bool
    """Whether frame numbers are dropped."""


def parse_timecode(text: str, where: str) -> Timecode:
    """The timecode in a text; InputError names `where` it stands if it is none."""
    found = _FORM.fullmatch(text)
    if found is None or int(found[2]) > 59 or int(found[3]) > 59:
        raise InputError(
            f"{where} has the timecode {text!r}, expected hours:minutes:seconds:frames such as "
            "00:32:09:07.867; correct it, or give the frame rate to count rows instead."
        )
    hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3])
    return Timecode((hours * 60 + minutes) * 60 + seconds, float(found[5]), found[4] == ";")


def frames_a_second(codes: Sequence[Timecode]) -> int:
    """How many frame numbers a second has."""
    steps = [b.frame - a.frame for a, b in pairwise(codes) if a.whole_s == b.whole_s]
    step = float(np.median(steps)) if steps else 0.0
    bases = [a.frame - b.frame + step for a, b in pairwise(codes) if b.whole_s == a.whole_s + 1 and step > 0]
    largest = max(code.frame for code in codes)
    votes = Counter(min(RATES, key=lambda rate: abs(rate - base)) for base in bases)
    fitting = {rate: count for rate, count in votes.items() if rate > largest - 1}
    if fitting:
        return max(fitting, key=lambda rate: fitting[rate])
    return 60 if largest >= HALF_FULL else 30


def timecode_seconds(codes: Sequence[Timecode]) -> NDArray[np.float64]:
    """Seconds of every timecode after the first one, across midnight too."""
    base = frames_a_second(codes)
    seconds = np.array([_clock_s(code, base) for code in codes])
    nights = np.cumsum(np.diff(seconds, prepend=seconds[0]) < -DAY_S / 2)
    return np.asarray(seconds + DAY_S * nights - seconds[0])


def rate_of_timecodes(codes: Sequence[Timecode]) -> Fraction:
    """Frames per second of a recording: its clock's rate, or a whole part of it where numbers are left out.

    Apps round and drift by thousandths of a frame, so the usual step counts as whole where it is nearly so.
    """
    seconds, base = timecode_seconds(codes), frames_a_second(codes)
    steps = np.diff(seconds)
    step = float(np.median(steps[steps > 0])) * base if (steps > 0).any() else 1.0
    if round(step) < 1 or abs(step - round(step)) > NEARLY_WHOLE:
        return rate_of_times(seconds[np.concatenate([[True], steps > 0])])
    rate = Fraction(base, round(step))
    return rate * Fraction(1000, 1001) if codes[0].drop else rate


def _clock_s(code: Timecode, base: int) -> float:
    if not code.drop:
        return code.whole_s + code.frame / base
    dropped, minutes = base // 15, code.whole_s // 60  # 2 numbers a minute at 29.97, but not every tenth
    count = code.whole_s * base + code.frame - dropped * (minutes - minutes // 10)
    return count * 1001 / (base * 1000)


def format_timecode(time_s: float, base: int) -> str:
    """`HH:MM:SS:FF.fff` of a time in seconds, without dropped numbers."""
    milliframes = round(time_s * base * 1000)
    seconds, rest = divmod(milliframes, base * 1000)
    minutes, hours = seconds // 60, seconds // 3600
    return f"{hours % 24:02d}:{minutes % 60:02d}:{seconds % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def rate_of_times(time_s: NDArray[np.float64]) -> Fraction:
    """Frames per second of rising times: of the usual step, and a common rate if it is near one."""
    if len(time_s) < 2:
        return Fraction(25)
    rate = 1.0 / float(np.median(np.diff(time_s)))
    near = min(COMMON_RATES, key=lambda common: abs(rate / float(common) - 1))
    if abs(rate / float(near) - 1) < RATE_TOLERANCE:
        return near
    return max(Fraction(rate).limit_denominator(100), Fraction(1, 100))
