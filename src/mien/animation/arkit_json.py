"""ARKit coefficients over time in JSON, in the forms that recorders, web pages and data sets write.

Frames may stand in a list or under a time each; coefficients as a mapping, as a list of {name, value}, or as
rows of numbers under one list of names (docs/motion.md shows them all).
"""

import json
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.animation.arkit_forms import (
    FACE_KEYS,
    FRAME_NUMBER_KEYS,
    NAME_KEYS,
    TIME_KEYS,
    VALUE_KEYS,
    frames_of,
    mapping,
    number_of,
    plain,
)
from mien.animation.arkit_poses import HeadPose, head_pose
from mien.animation.coefficient_names import (
    clipped_coefficients,
    coefficient_columns,
    coefficient_index,
    placed_coefficients,
)
from mien.animation.filling import filled_motion, usual_place
from mien.animation.motion import UNITS_PER_METRE, Motion, MotionSource
from mien.animation.timecode import parse_timecode, rate_of_times, timecode_seconds
from mien.core.arkit import ARKIT_NAMES
from mien.core.atomic import atomic_path
from mien.core.errors import InputError

MILLISECONDS_FROM: Final = 1.0
"""A usual step of this much or more is in milliseconds."""

Row = dict[str, float]


def motion_of_arkit(data: object, *, name: str, fps: Fraction | None = None) -> Motion:
    """The motion in parsed JSON. `fps` counts frames where the file has no times, and overrides those it has.

    Frames without coefficients, or with numbers that are not finite, are interpolated and not `found`.
    Raises InputError that says what was found and which frame it is.
    """
    frames, rate = frames_of(data, name)
    if not frames:
        raise InputError(f"{name} has no frame of coefficients, expected at least one; see docs/motion.md.")
    rows = [_row(frame, f"{name}, frame {number}") for number, frame in enumerate(frames)]
    found = np.array([bool(row) and all(map(math.isfinite, row.values())) for row in rows])
    if not found.any():
        raise InputError(f"{name} has no frame with numbers for its coefficients; expected a recorded face.")
    times = _times(frames, fps, rate, name)
    poses = [
        head_pose(_pose_entries(frame), f"{name}, frame {k}") for k, frame in enumerate(frames) if found[k]
    ]
    names = list(dict.fromkeys(key for row in rows for key in row))
    columns = coefficient_columns(names, name)
    values = np.array(
        [[row.get(key, 0.0) for key in names] for row, there in zip(rows, found, strict=True) if there]
    )
    return filled_motion(
        clipped_coefficients(placed_coefficients(values, columns), name),
        _rotations(poses),
        _places(poses),
        found=found,
        time_s=times,
        fps=fps or rate or rate_of_times(times),
        source=MotionSource(name, ""),
    )


def write_arkit(motion: Motion, path: Path) -> None:
    """Write `{"fps", "frames": [{"time", "blendShapes": {name: value}, "transform": 4 x 4 or null}]}`.

    The transform's columns stand one after the other, as ARKit's do, in metres.
    """
    frames = []
    for frame in motion:
        M = np.eye(4)
        M[:3, :3] = frame.R_camera_head
        M[:3, 3] = frame.translation_head / UNITS_PER_METRE
        shapes = dict(zip(ARKIT_NAMES, (round(float(x), 8) for x in frame.coefficients), strict=True))
        frames.append(
            {
                "time": round(frame.time_s, 9),
                "blendShapes": shapes if frame.found else None,
                "transform": [[round(float(x), 9) for x in column] for column in M.T],
            }
        )
    lines = ",\n  ".join(json.dumps(frame) for frame in frames)
    with atomic_path(path) as temporary:
        text = f'{{"fps": {float(motion.fps)!r}, "frames": [\n  {lines}\n]}}\n'
        temporary.write_text(text, encoding="utf-8")


def _row(frame: Mapping[str, Any], where: str) -> Row:
    """Coefficients by name of one frame; empty if it has none."""
    shapes = next((value for key, value in frame.items() if plain(key) in FACE_KEYS), frame)
    if shapes is None:
        return {}
    if isinstance(shapes, list):
        named = [{plain(key): value for key, value in mapping(entry, where).items()} for entry in shapes]
        shapes = {
            str(next((entry[key] for key in NAME_KEYS if key in entry), "")): next(
                (entry[key] for key in VALUE_KEYS if key in entry), None
            )
            for entry in named
        }
    row: Row = {}
    for key, value in mapping(shapes, where).items():
        if value is None or isinstance(value, int | float):
            is_missing = value is None and coefficient_index(str(key)) is not None
            row[str(key)] = math.nan if is_missing else float(value or 0.0)
        elif coefficient_index(str(key)) is not None:
            raise InputError(f"{where} has {str(key)!r} {value!r}, expected a number in [0, 1]; correct it.")
    return _without_others(row) if shapes is frame else row


def _without_others(row: Row) -> Row:
    """Of a frame that holds its coefficients beside other numbers, the coefficients alone."""
    return {key: value for key, value in row.items() if coefficient_index(key) is not None}


def _pose_entries(frame: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the head's pose may stand: in the frame, or among its coefficients as headYaw and so on."""
    shapes = next((value for key, value in frame.items() if plain(key) in FACE_KEYS), None)
    inner = (
        {key: v for key, v in shapes.items() if plain(key).startswith("head")}
        if isinstance(shapes, Mapping)
        else {}
    )
    return inner | {key: value for key, value in frame.items() if plain(key) not in FACE_KEYS}


def _times(
    frames: Sequence[Mapping[str, Any]], fps: Fraction | None, rate: Fraction | None, name: str
) -> NDArray[np.float64]:
    """Seconds [T] from the first frame."""
    if fps is not None or len(frames) == 1:
        return np.arange(len(frames)) / float(fps or 25)
    keys = [{plain(key): value for key, value in frame.items()} for frame in frames]
    key = next((key for key in TIME_KEYS if all(key in entries for entries in keys)), None)
    number = next((key for key in FRAME_NUMBER_KEYS if all(key in entries for entries in keys)), None)
    if key is not None:
        times = _seconds([entries[key] for entries in keys], key, name)
    elif rate is not None and number is not None:
        times = np.array([_time(entries[number], name) for entries in keys]) / float(rate)
    elif rate is not None:
        times = np.arange(len(frames)) / float(rate)
    else:
        raise InputError(
            f"{name} has {len(frames)} frames without times and no frame rate, expected one of them; give "
            "the frame rate, or write it into the file as fps."
        )
    if (np.diff(times) <= 0).any():
        first = int(np.argmax(np.diff(times) <= 0)) + 1
        raise InputError(
            f"{name} has a time that does not rise at frame {first}, expected rising times; correct it, or "
            "give the frame rate to count frames instead."
        )
    return times - times[0]


def _seconds(values: list[Any], key: str, name: str) -> NDArray[np.float64]:
    if all(isinstance(value, str) and ":" in value for value in values):
        return timecode_seconds([parse_timecode(v, f"{name}, frame {k}") for k, v in enumerate(values)])
    times = np.array([_time(value, name) for value in values])
    in_ms = key.endswith("ms") or float(np.median(np.diff(times))) >= MILLISECONDS_FROM
    return times / 1000.0 if in_ms else times


def _time(value: object, name: str) -> float:
    number = number_of(value)
    if number is None or not math.isfinite(number):
        raise InputError(f"{name} has the time {value!r}, expected seconds or milliseconds; correct it.")
    return number


def _rotations(poses: list[HeadPose | None]) -> NDArray[np.float64]:
    """Of every pose [T, 3, 3]; a frame without one keeps the last, and the first one counts before it."""
    known = [pose for pose in poses if pose is not None]
    R = known[0].R_camera_head if known else np.eye(3)
    rotations = []
    for pose in poses:
        R = R if pose is None else pose.R_camera_head
        rotations.append(R)
    return np.stack(rotations)


def _places(poses: list[HeadPose | None]) -> NDArray[np.float64] | None:
    """Of every pose [T, 3]; None unless all frames have a place."""
    places = [pose.place for pose in poses if pose is not None and pose.place is not None]
    return np.stack(places) if len(places) == len(poses) else usual_place(len(poses)).astype(np.float64)
