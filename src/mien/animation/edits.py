"""Edits: sliders laid over a motion as offsets, constant or keyframed (`--edit`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.animation.keyframes import Keyframe, SliderTrack, check_times, evaluate, slider_values
from mien.animation.motion import Motion
from mien.animation.motion_files import read_json
from mien.animation.sliders import (
    DEFAULT_FPS,
    keyframes_of_mapping,
    motion_from_keyframes,
    motion_of_track,
    read_keyframe_table,
)
from mien.core.errors import InputError

FILES: Final = (".json", ".csv")
STILL_S: Final = 1.0
"""Length of a clip that is made of edits without times."""


@dataclass(frozen=True)
class Edits:
    """Offsets on coefficients, in [-1, 1], and turns of the head, degrees."""

    constant: Mapping[str, float] = field(default_factory=dict)
    """Sliders that are the same at all times."""
    keyframes: tuple[Keyframe, ...] = ()
    """Sliders over time, added to the constant ones; see `mien.animation.keyframes.evaluate`."""

    def __bool__(self) -> bool:
        return bool(self.constant or self.keyframes)

    @property
    def duration_s(self) -> float:
        """Until the last keyframe; a second where there is none after the start."""
        last_s = self.keyframes[-1].time_s if self.keyframes else 0.0
        return last_s or STILL_S

    def at(self, time_s: NDArray[np.float64]) -> SliderTrack:
        """Offsets at the times [T]: of coefficients, and the rotation that the head is turned by."""
        return evaluate(self._joined(), time_s)

    def motion(self, fps: Fraction = DEFAULT_FPS) -> Motion:
        """The edits by themselves, on a neutral face that looks straight ahead."""
        keyframes = self._joined()
        if keyframes[-1].time_s > 0:
            return motion_from_keyframes(keyframes, fps, "edits")
        time_s = np.arange(round(self.duration_s * fps)) / float(fps)
        return motion_of_track(keyframes, time_s, fps, "edits")

    def _joined(self) -> list[Keyframe]:
        """One list of keyframes: those over time with the constant values added, or one of these."""
        if not self.keyframes:
            return [Keyframe(0.0, self.constant)]
        moving = {name for key in self.keyframes for name in key.values}
        still = {name: value for name, value in self.constant.items() if name not in moving}
        keyframes = []
        for number, key in enumerate(self.keyframes):
            named = key.values or dict.fromkeys(moving, 0.0)
            values = {name: value + self.constant.get(name, 0.0) for name, value in named.items()}
            keyframes.append(replace(key, values=values | (still if number == 0 else {})))
        return keyframes


def parse_edits(texts: Sequence[str]) -> Edits:
    """Edits of texts such as `jawOpen=0.4,yaw=20`, `1.5:jawOpen=0.6` (at 1.5 s), `2:` (all 0), or the path of
    a keyframe file. Raises InputError that quotes the text."""
    constant: dict[str, float] = {}
    keyframes: list[Keyframe] = []
    for text in texts:
        if Path(text).suffix.lower() in FILES:
            edits = read_edits(Path(text))
            constant |= edits.constant
            keyframes += edits.keyframes
            continue
        start, colon, rest = text.partition(":")
        values = _values(rest if colon else text, text, allow_none=bool(colon))
        if colon:
            keyframes.append(Keyframe(_number(start, text), values))
        else:
            constant |= values
    keyframes.sort(key=lambda key: key.time_s)
    check_times(keyframes, "--edit")
    return Edits(constant, tuple(keyframes))


def read_edits(path: Path) -> Edits:
    """Edits of a keyframe file: JSON as sliders have it, or CSV (docs/motion.md)."""
    if not path.is_file():
        raise InputError(f"There is no keyframe file {path}; give a .json or .csv file, or edits such as "
                         "jawOpen=0.4,yaw=20.")  # fmt: skip
    if path.suffix.lower() == ".csv":
        return Edits(keyframes=tuple(read_keyframe_table(path, lowest=-1.0)))
    data = read_json(path)
    if not isinstance(data, Mapping):
        raise InputError(f"{path} holds a JSON {type(data).__name__}, expected sliders or keyframes.")
    if "keyframes" in data:
        return Edits(keyframes=tuple(keyframes_of_mapping(data, path.name, lowest=-1.0)))
    return Edits(constant=slider_values(data, path.name, lowest=-1.0))


def _values(text: str, whole: str, *, allow_none: bool) -> dict[str, float]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts and not allow_none:
        raise InputError(f"The edit {whole!r} names no slider, expected one such as jawOpen=0.4,yaw=20.")
    values: dict[str, float] = {}
    for part in parts:
        name, equals, number = part.partition("=")
        if not equals or name.strip() in values:
            raise InputError(
                f"The edit {whole!r} has {part!r}, expected each slider once as name=number, such as "
                "jawOpen=0.4,yaw=20, or the path of a .json or .csv file."
            )
        values[name.strip()] = _number(number, whole)
    return slider_values(values, f"The edit {whole!r}", lowest=-1.0)


def _number(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(
            f"The edit {whole!r} has {text!r} where a number is expected; write jawOpen=0.4,yaw=20, with a "
            "time in seconds before it if it is a keyframe: 1.5:jawOpen=0.6."
        ) from error
