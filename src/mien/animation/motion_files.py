"""Motion files: documented JSON for people and other programs, npz for speed (docs/motion.md)."""

import json
import math
import zipfile
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.animation.measures import MEASURE_INDEX
from mien.animation.motion import MAX_ROTATION_ERROR, Motion, MotionSource
from mien.animation.rotations import nearest_rotation
from mien.core.arkit import ARKIT_NAMES
from mien.core.atomic import atomic_path
from mien.core.errors import InputError

FORMAT: Final = "mien-motion"
VERSION: Final = 1
SUFFIXES: Final = (".json", ".npz")
MAX_FILE_BYTES: Final = 512 * 1024**2
MAX_FRAMES: Final = 2_000_000
ROTATION_DIGITS: Final = 9
DIGITS: Final = 8
ARRAYS: Final = ("time_s", "coefficients", "R_camera_head", "translation_head", "found")


def check_suffix(path: str | Path) -> str:
    """The suffix of a motion file in lower case; InputError if it is not a motion file's."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path} has the suffix {suffix!r}, a motion file ends in .json or .npz; rename it.")
    return suffix


def save_motion(motion: Motion, path: str | Path) -> None:
    """Write the motion as JSON (numbers rounded to 1e-8) or npz (exact), chosen by the suffix."""
    path = Path(path)
    suffix = check_suffix(path)
    with atomic_path(path) as temporary:
        if suffix == ".json":
            temporary.write_text(motion_to_json(motion), encoding="utf-8")
        else:
            arrays = {name: getattr(motion, name) for name in ARRAYS}
            if motion.measures is not None:
                arrays["measures"] = motion.measures
            with temporary.open("wb") as file:
                np.savez_compressed(file, header=np.array(json.dumps(_header(motion))), **arrays)


def load_motion(path: str | Path) -> Motion:
    """Read a motion file of either kind. Raises InputError with the reason if it is not one."""
    path = Path(path)
    suffix = check_suffix(path)
    if not path.is_file():
        raise InputError(f"There is no motion file {path}; give a file made by `mien motion`.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise InputError(
            f"{path} has {path.stat().st_size} bytes, a motion file has at most {MAX_FILE_BYTES}; "
            "give a file made by `mien motion`."
        )
    if suffix == ".json":
        return motion_from_json(read_json(path), name=path.name)
    return _load_npz(path)


def motion_to_json(motion: Motion) -> str:
    """The JSON text: a header, then one line a frame."""
    lines = [json.dumps(_frame_to_json(motion, index)) for index in range(len(motion))]
    head = json.dumps(_header(motion), indent=1, ensure_ascii=False)
    return head[:-2] + ',\n "frames": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"


def motion_from_json(data: object, *, name: str) -> Motion:
    """The motion in parsed JSON; `name` is used in errors."""
    header = _checked_header(data, name)
    assert isinstance(data, Mapping)
    frames = data.get("frames")
    if not isinstance(frames, list) or not 0 < len(frames) <= MAX_FRAMES:
        raise _bad(name, "no list of frames", 'a list "frames" with at least one frame')
    order = _coefficient_order(header, name)
    try:
        rows = [_frame_from_json(frame, order) for frame in frames]
        arrays = dict(zip(ARRAYS, (np.array(column) for column in zip(*rows, strict=True)), strict=True))
        if "measures" in header:
            arrays["measures"] = np.array([frame["measures"] for frame in frames], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise _bad(name, f"a frame that cannot be read ({error!r})", "frames as in docs/motion.md") from error
    return _motion(arrays, header, name)


def read_json(path: Path) -> object:
    """Parsed JSON of a small text file; InputError if it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is not JSON ({error}); expected a motion file as made by `mien motion` or sliders such "
            'as {"jawOpen": 0.5, "yaw_deg": 10}.'
        ) from error


def _load_npz(path: Path) -> Motion:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            missing = [name for name in ("header", *ARRAYS) if name not in file]
            if missing:
                raise _bad(path.name, f"no array {missing[0]}", "the arrays of docs/motion.md")
            data: object = json.loads(str(file["header"]))
            arrays = {name: file[name] for name in (*ARRAYS, "measures") if name in file}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _bad(path.name, f"no readable npz ({error})", "a file made by `mien motion`") from error
    header = _checked_header(data, path.name)
    order = _coefficient_order(header, path.name)
    coefficients = arrays["coefficients"]
    if coefficients.ndim != 2 or coefficients.shape[1] != len(order):
        raise _bad(path.name, f"coefficients of shape {coefficients.shape}", f"[frames, {len(order)}]")
    arrays["coefficients"] = coefficients[:, order]
    return _motion(arrays, header, path.name)


def _motion(arrays: dict[str, NDArray[Any]], header: Mapping[str, Any], name: str) -> Motion:
    source = header.get("source")
    source = source if isinstance(source, Mapping) else {}
    try:
        fps = Fraction(str(header["fps"]))
        motion = Motion(
            time_s=arrays["time_s"].astype(np.float64),
            coefficients=arrays["coefficients"].astype(np.float32),
            R_camera_head=_as_rotations(arrays["R_camera_head"], name),
            translation_head=arrays["translation_head"].astype(np.float32),
            found=arrays["found"].astype(bool),
            fps=fps,
            source=MotionSource(str(source.get("name", name)), str(source.get("sha256", ""))),
            measures=_measures(arrays, header, name),
        )
    except (KeyError, ValueError, TypeError, ZeroDivisionError) as error:
        raise _bad(
            name, f"a header or array that cannot be read ({error!r})", "a file as in docs/motion.md"
        ) from error
    return motion


def _as_rotations(array: NDArray[Any], name: str) -> NDArray[np.float32]:
    """[T, 3, 3] of [T, 9] or [T, 3, 3]; rounded numbers are put back on the nearest rotation."""
    if array.size != 9 * len(array):
        raise _bad(name, f"R_camera_head of shape {array.shape}", "nine numbers a frame")
    R = array.reshape(-1, 3, 3).astype(np.float64)
    error = np.abs(R @ np.swapaxes(R, -1, -2) - np.eye(3))
    if not np.isfinite(R).all() or error.max() > MAX_ROTATION_ERROR or (np.linalg.det(R) < 0).any():
        raise _bad(name, "a head rotation that is not a rotation", "orthonormal rows, determinant 1")
    R = np.where(error.max((-1, -2), keepdims=True) > 1e-6, nearest_rotation(R), R)
    return R.astype(np.float32)


def _measures(
    arrays: dict[str, NDArray[Any]], header: Mapping[str, Any], name: str
) -> NDArray[np.float32] | None:
    """The measures [T, M], or None where there are none, or others than this version takes."""
    if "measures" not in arrays or header.get("measures") != list(MEASURE_INDEX):
        return None
    measures, shape = arrays["measures"].astype(np.float32), (len(arrays["time_s"]), len(MEASURE_INDEX))
    if measures.shape != shape or not np.isfinite(measures).all():
        raise _bad(name, f"measures of shape {measures.shape}", f"{list(shape)} finite numbers")
    return measures


def _header(motion: Motion) -> dict[str, Any]:
    names = {} if motion.measures is None else {"measures": list(MEASURE_INDEX)}
    return {
        "format": FORMAT,
        "version": VERSION,
        "fps": str(motion.fps),
        "source": {"name": motion.source.name, "sha256": motion.source.sha256},
        "names": list(ARKIT_NAMES),
        **names,
    }


def _checked_header(data: object, name: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, Mapping) else type(data).__name__
        raise _bad(name, f"format {found!r}", f'"format": "{FORMAT}"')
    if data.get("version") != VERSION:
        raise _bad(
            name, f"version {data.get('version')!r}", f"version {VERSION}; update mien or make it again"
        )
    return data


def _coefficient_order(header: Mapping[str, Any], name: str) -> list[int]:
    """Where each of mien's coefficients stands in the file; other programs may use another order."""
    names = header.get("names")
    if not isinstance(names, list) or sorted(map(str, names)) != sorted(ARKIT_NAMES):
        raise _bad(name, "other coefficient names", "the 52 ARKit names, each once, in any order")
    return [names.index(coefficient) for coefficient in ARKIT_NAMES]


def _frame_to_json(motion: Motion, index: int) -> dict[str, Any]:
    measures = [] if motion.measures is None else motion.measures[index]
    return {
        "time_s": round(float(motion.time_s[index]), ROTATION_DIGITS),
        "found": bool(motion.found[index]),
        "rotation": [round(float(x), ROTATION_DIGITS) for x in motion.R_camera_head[index].reshape(-1)],
        "translation": [round(float(x), DIGITS) for x in motion.translation_head[index]],
        "coefficients": [round(float(x), DIGITS) for x in motion.coefficients[index]],
        **({"measures": [round(float(x), DIGITS) for x in measures]} if len(measures) else {}),
    }


def _frame_from_json(frame: Mapping[str, Any], order: list[int]) -> tuple[Any, ...]:
    rotation = [float(x) for x in frame["rotation"]]
    translation = [float(x) for x in frame["translation"]]
    coefficients = [float(x) for x in frame["coefficients"]]
    lengths = (len(rotation), len(translation), len(coefficients))
    if lengths != (9, 3, len(order)):
        raise ValueError(f"{lengths} numbers for rotation, translation, coefficients; expected (9, 3, 52)")
    if not math.isfinite(frame["time_s"]):
        raise ValueError("a time that is not a number")
    ordered = [coefficients[place] for place in order]
    return float(frame["time_s"]), ordered, rotation, translation, bool(frame.get("found", True))


def _bad(name: str, found: str, expected: str) -> InputError:
    return InputError(f"{name} is not a motion file: found {found}, expected {expected}.")
