"""Motions made by hand: sliders (one frame) and keyframed sliders (a clip).

Sliders are a mapping from ARKit names to [0, 1] and from `yaw_deg`, `pitch_deg`, `roll_deg` to degrees.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.animation.filling import usual_place
from mien.animation.keyframes import Keyframe, check_times, evaluate, slider_values
from mien.animation.live_link import read_csv
from mien.animation.motion import Motion, MotionSource
from mien.core.errors import InputError

DEFAULT_FPS: Final = Fraction(25)
TIME_COLUMNS: Final = ("time_s", "time")


def motion_from_sliders(sliders: Mapping[str, Any], *, name: str = "sliders") -> Motion:
    """A motion of one frame, or of a whole clip if `sliders` holds "keyframes".

    Keyframes: `{"fps": 25, "keyframes": [{"time_s": 0}, {"time_s": 1, "jawOpen": 0.6, "yaw_deg": 20}, ...]}`;
    see `mien.animation.keyframes.evaluate`. Raises InputError on unknown names and values out of range.
    """
    fps = _fps(sliders, name)
    if "keyframes" not in sliders:
        values = slider_values({key: value for key, value in sliders.items() if key != "fps"}, name)
        return motion_from_keyframes([Keyframe(0.0, values)], fps, name)
    return motion_from_keyframes(keyframes_of_mapping(sliders, name), fps, name)


def motion_from_keyframes(
    keyframes: Sequence[Keyframe], fps: Fraction = DEFAULT_FPS, name: str = "keyframes"
) -> Motion:
    """The clip that ends with the last keyframe; one frame if that is at the start."""
    count = max(1, round(float(keyframes[-1].time_s * fps)))
    time_s = np.arange(count) / float(fps)
    return motion_of_track(keyframes, time_s, fps, name)


def motion_of_track(
    keyframes: Sequence[Keyframe], time_s: NDArray[np.float64], fps: Fraction, name: str
) -> Motion:
    """The keyframed sliders at the times [T], before a camera half a metre away."""
    track = evaluate(keyframes, time_s)
    return Motion(
        time_s=time_s,
        coefficients=np.clip(track.coefficients, 0, 1).astype(np.float32),
        R_camera_head=track.R.astype(np.float32),
        translation_head=usual_place(len(time_s)),
        found=np.ones(len(time_s), bool),
        fps=fps,
        source=MotionSource(name, ""),
    )


def keyframes_of_mapping(sliders: Mapping[str, Any], name: str, *, lowest: float = 0.0) -> list[Keyframe]:
    """The list under "keyframes"; coefficients from `lowest` to 1."""
    frames = sliders["keyframes"]
    extra = set(sliders) - {"keyframes", "fps"}
    if extra or not isinstance(frames, list) or not frames or not all(isinstance(f, Mapping) for f in frames):
        raise InputError(
            f'{name} has keyframes of another form, expected {{"fps": 25, "keyframes": [{{"time_s": 0}}]}}'
            " and nothing beside them; see docs/motion.md."
        )
    keyframes = []
    for frame in frames:
        time_s = frame.get("time_s")
        if not isinstance(time_s, int | float) or isinstance(time_s, bool):
            raise InputError(
                f"{name} has a keyframe at time_s {time_s!r}, expected a number of seconds; correct it."
            )
        values = {key: value for key, value in frame.items() if key != "time_s"}
        keyframes.append(Keyframe(float(time_s), slider_values(values, name, lowest=lowest)))
    check_times(keyframes, name)
    return keyframes


def is_keyframe_table(header: Sequence[str]) -> bool:
    """Whether the first line of a CSV file is that of keyframes."""
    return bool(header) and header[0].strip().lower() in TIME_COLUMNS


def read_keyframe_table(path: Path, *, lowest: float = 0.0) -> list[Keyframe]:
    """Keyframes of a CSV file: a line of names `time_s,jawOpen,yaw_deg`, then a keyframe a line. A cell left
    blank does not set its slider. Raises InputError that names the line."""
    header, rows = read_csv(path)
    if not is_keyframe_table(header):
        raise InputError(
            f"{path} starts with the column {header[0]!r}, expected time_s and then names of sliders, or "
            "Timecode as in the files of Live Link Face; see docs/motion.md."
        )
    names = [cell.strip() for cell in header]
    keyframes = []
    for line, row in rows:
        where = f"{path.name}, line {line}"
        if len(row) != len(names):
            raise InputError(f"{where} has {len(row)} columns, expected {len(names)} as in the first line.")
        try:
            cells = [float(cell) if cell.strip() else None for cell in row]
        except ValueError as error:
            raise InputError(f"{where} has a cell that is no number ({error}); correct it.") from error
        if cells[0] is None:
            raise InputError(f"{where} has no time, expected seconds in the first column; fill it in.")
        values = {name: value for name, value in zip(names[1:], cells[1:], strict=True) if value is not None}
        keyframes.append(Keyframe(cells[0], slider_values(values, where, lowest=lowest)))
    check_times(keyframes, path.name)
    return keyframes


def _fps(sliders: Mapping[str, Any], name: str) -> Fraction:
    return checked_fps(sliders.get("fps", DEFAULT_FPS), name)


def checked_fps(fps: object, name: str) -> Fraction:
    """A frame rate from 1 to 240, given as a number or text; InputError otherwise."""
    try:
        rate = Fraction(str(fps)).limit_denominator(1001)
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"{name} has fps {fps!r}, expected a number such as 25 or 30000/1001.") from error
    if not 1 <= rate <= 240:
        raise InputError(f"{name} has fps {fps!r}, expected 1 to 240; change it.")
    return rate
