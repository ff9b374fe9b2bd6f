"""CSV files of Live Link Face, Epic's app for the iPhone: read, and written so that its readers take them.

What the files hold was found in recordings of the app (docs/motion.md): a `Timecode`, a `BlendShapeCount`,
the 52 ARKit coefficients by name with a capital letter, and nine angles in rad of the head and both eyes.
"""

import csv
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mien.animation.coefficient_names import (
    clipped_coefficients,
    coefficient_columns,
    placed_coefficients,
)
from mien.animation.filling import filled_motion
from mien.animation.motion import Motion, MotionSource
from mien.animation.timecode import format_timecode, parse_timecode, rate_of_timecodes, timecode_seconds
from mien.core.arkit import ARKIT_INDEX
from mien.core.atomic import atomic_path
from mien.core.errors import InputError

EYE_ACTIONS: Final = ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
LIVE_LINK_NAMES: Final = (
    *(f"eye{action}{side}" for side in ("Left", "Right") for action in EYE_ACTIONS),
    "jawForward", "jawRight", "jawLeft", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRight",
    "mouthLeft", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft",
    "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft", "browDownRight",
    "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
"""The app's order of the coefficients: jaw and mouth have right before left."""
HEAD: Final = ("HeadYaw", "HeadPitch", "HeadRoll")
EYES: Final = tuple(f"{side}Eye{angle}" for side in ("Left", "Right") for angle in ("Yaw", "Pitch", "Roll"))
COLUMNS: Final = tuple(name[0].upper() + name[1:] for name in LIVE_LINK_NAMES) + HEAD + EYES
EYE_RAD: Final = {"In": 0.62, "Out": 0.58, "Down": 0.61, "Up": 0.44}
"""Turn of an eye where its look coefficient is 1, rad: the slopes in recordings of the app."""
BASE: Final = 60
"""Frame numbers in a second of written timecodes: older readers know no other."""


def is_live_link(header: list[str]) -> bool:
    """Whether the first line of a CSV file is that of the app."""
    return bool(header) and header[0].strip().lower() == "timecode"


def read_live_link(path: Path, *, fps: Fraction | None = None) -> Motion:
    """The motion in a CSV file of the app. With `fps`, rows are counted and timecodes are not looked at.

    Rows without a face (a count of 0, or numbers that are missing or not finite) are interpolated and not
    `found`. Raises InputError that names the line for anything else.
    """
    header, rows = read_csv(path)
    if not is_live_link(header):
        raise InputError(
            f"{path} starts with the columns {', '.join(header[:3])}, expected Timecode, BlendShapeCount, "
            "EyeBlinkLeft and so on, as Live Link Face writes them; give such a file."
        )
    columns = coefficient_columns(header, path.name)
    values = np.stack([_numbers(row, header, f"{path.name}, line {line}") for line, row in rows])
    times, rate = _row_times([row[0] for _, row in rows], [line for line, _ in rows], path.name, fps)
    rising = np.asarray(np.diff(np.maximum.accumulate(times), prepend=-np.inf) > 0)
    if rising.sum() * 2 < len(times):
        raise InputError(
            f"{path.name} has timecodes that do not rise in {int((~rising).sum())} of {len(times)} rows, "
            "expected one later than the other; give the frame rate to count rows instead."
        )
    values, times = values[rising], times[rising] - times[rising][0]
    needed = np.concatenate([values[:, list(columns)], _head_columns(values, header)], 1)
    found: NDArray[np.bool_] = np.isfinite(needed).all(axis=1)
    if not found.any():
        raise InputError(f"{path.name} has no row with numbers in all columns; expected a recorded face.")
    coefficients = placed_coefficients(values[found], columns)
    return filled_motion(
        clipped_coefficients(coefficients, path.name),
        head_rotations(_head_columns(values[found], header)),
        None,
        found=found,
        time_s=times,
        fps=rate,
        source=MotionSource(path.name, ""),
    )


def write_live_link(motion: Motion, path: Path) -> None:
    """Write a motion as the app would: 61 numbers a row, timecodes of 60 frames a second.

    Kept are times (to a 60,000th of a second), coefficients and head rotation; the place of the head and what
    was interpolated have no column.
    """
    order = [ARKIT_INDEX[name] for name in LIVE_LINK_NAMES]
    coefficients = motion.coefficients.astype(np.float64)
    numbers = np.concatenate(
        [coefficients[:, order], head_columns(motion.R_camera_head), eye_columns(coefficients)], 1
    )
    times = motion.time_s - motion.time_s[0]
    short = times[-1] * BASE <= BASE / 2  # a reader must see a number above 30 to know that there are 60
    times = times + (31 / BASE if short else 0.0)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("Timecode", "BlendShapeCount", *COLUMNS))
        for time_s, row in zip(times, numbers, strict=True):
            code = format_timecode(float(time_s), BASE)
            writer.writerow((code, len(COLUMNS), *(f"{x:.10f}" for x in row)))


def head_rotations(angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """R_camera_head [T, 3, 3] of HeadYaw, HeadPitch, HeadRoll [T, 3] in rad.

    Yaw turns to the person's own right, pitch looks down, roll turns clockwise in the picture:
    `R = Rz(-roll) Ry(-yaw) Rx(pitch)` in head axes.
    """
    yaw, pitch, roll = angles_rad.T
    return Rotation.from_euler("xyz", np.stack([pitch, -yaw, -roll], -1)).as_matrix()


def head_columns(R_camera_head: NDArray[np.floating]) -> NDArray[np.float64]:
    """HeadYaw, HeadPitch, HeadRoll [T, 3] in rad: the inverse of `head_rotations`."""
    pitch, minus_yaw, minus_roll = Rotation.from_matrix(R_camera_head.astype(np.float64)).as_euler("xyz").T
    return np.stack([-minus_yaw, pitch, -minus_roll], -1)


def eye_columns(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Yaw, pitch, roll of the left and the right eye [T, 6] in rad of coefficients [T, 52].

    In recordings, yaw turns to the person's own right, pitch down, and roll is atan(tan(pitch) sin(yaw)).
    """
    columns = []
    for side, inwards in (("Left", 1.0), ("Right", -1.0)):
        look = {
            way: rad * coefficients[:, ARKIT_INDEX[f"eyeLook{way}{side}"]] for way, rad in EYE_RAD.items()
        }
        yaw, pitch = inwards * (look["In"] - look["Out"]), look["Down"] - look["Up"]
        columns += [yaw, pitch, np.arctan(np.tan(pitch) * np.sin(yaw))]
    return np.stack(columns, -1)


def read_csv(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and rows with their line numbers of a CSV file; InputError if it is none or has no row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path} is not a CSV file ({error}); expected lines of text.") from error
    if len(lines) < 2:
        raise InputError(
            f"{path} has {len(lines)} lines with text, expected a line of names and at least one of numbers; "
            "record it again."
        )
    return lines[0][1], lines[1:]


def _numbers(row: list[str], header: list[str], where: str) -> NDArray[np.float64]:
    """The numbers of a row, [C]; not a number where there is none. The timecode counts as 0."""
    without_face = len(row) > 1 and row[1].strip() == "0"
    if len(row) > len(header) or (len(row) < len(header) and not without_face):
        raise InputError(f"{where} has {len(row)} columns, expected {len(header)} as in the first line.")
    values = np.full(len(header), np.nan)
    values[0] = 0.0
    if without_face:
        return values
    try:
        values[1:] = [float(cell) if cell.strip() else np.nan for cell in row[1:]]
    except ValueError as error:
        raise InputError(f"{where} has a cell that is no number ({error}); correct it.") from error
    return values


def _head_columns(values: NDArray[np.float64], header: list[str]) -> NDArray[np.float64]:
    """Yaw, pitch, roll of the head [T, 3] in rad; 0 where the file has no such column."""
    names = [name.strip().lower() for name in header]
    zero = np.zeros(len(values))
    return np.stack(
        [values[:, names.index(name.lower())] if name.lower() in names else zero for name in HEAD], -1
    )


def _row_times(
    codes: list[str], lines: list[int], name: str, fps: Fraction | None
) -> tuple[NDArray[np.float64], Fraction]:
    """Seconds of every row, and the rate."""
    if fps is not None:
        return np.arange(len(codes)) / float(fps), fps
    parsed = [parse_timecode(code, f"{name}, line {line}") for code, line in zip(codes, lines, strict=True)]
    return timecode_seconds(parsed), rate_of_timecodes(parsed)
