"""The shapes in which JSON files hold coefficients over time, brought to one mapping a frame."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from mien.animation.sliders import checked_fps
from mien.core.errors import InputError

FRAME_KEYS: Final = ("frames", "data", "recording", "samples")
FACE_KEYS: Final = (
    "blendshapes",
    "blendshape",
    "faceblendshapes",
    "arkit",
    "coefficients",
    "shapes",
    "weights",
)
NAME_KEYS: Final = ("name", "categoryname", "displayname", "blendshapelocation", "key", "k")
VALUE_KEYS: Final = ("score", "value", "weight", "v")
TIME_KEYS: Final = ("time", "times", "timesec", "timestamp", "t", "timems", "timestampms", "timecode")
FRAME_NUMBER_KEYS: Final = ("frame", "framenumber", "frameindex", "index")
FPS_KEYS: Final = ("fps", "framerate", "exportfps")
TABLES: Final = (("facsnames", "weightmat"), ("blendshapekeys", "blendshapevalues"), ("names", "values"))
"""Names and rows of numbers, as Audio2Face and others have them."""


def is_arkit(data: object) -> bool:
    """Whether parsed JSON looks like coefficients over time, and not like sliders or keyframes."""
    if isinstance(data, list):
        return bool(data)
    if not isinstance(data, Mapping) or "keyframes" in data:
        return False
    entries = {plain(key) for key in data}
    return bool(
        entries & {*FRAME_KEYS, *FACE_KEYS}
        or any(names in entries and values in entries for names, values in TABLES)
        or (data and all(number_of(key) is not None for key in data))
    )


def frames_of(data: object, name: str) -> tuple[list[Mapping[str, Any]], Fraction | None]:
    """A mapping for each frame, and the frame rate that the file tells."""
    if isinstance(data, list):
        return _joined([mapping(frame, name) for frame in data]), None
    assert isinstance(data, Mapping)
    entries = {plain(key): value for key, value in data.items()}
    told = next((entries[key] for key in FPS_KEYS if entries.get(key) is not None), None)
    rate = None if told is None else checked_fps(told, name)
    for names, values in TABLES:
        if names in entries and values in entries:
            return _of_table(entries[names], entries[values], name), rate
    for key in FRAME_KEYS:
        if isinstance(entries.get(key), list):
            frames = [mapping(frame, name) for frame in entries[key]]
            if entries.get("names"):
                return [_named(frame, entries["names"], name) for frame in frames], rate
            return _joined(frames), rate
    shapes = next((entries[key] for key in FACE_KEYS if key in entries), None)
    if isinstance(shapes, Mapping) and shapes and all(isinstance(v, list) for v in shapes.values()):
        return _of_columns(shapes, entries, name)
    if shapes is not None:
        return [data], rate
    return [{"time": float(key)} | dict(mapping(data[key], name)) for key in data], rate


def _of_table(names: object, rows: object, name: str) -> list[Mapping[str, Any]]:
    if not isinstance(names, list) or not isinstance(rows, list):
        raise InputError(
            f"{name} has names and rows of another form, expected two lists; see docs/motion.md."
        )
    return [_named({"weights": row}, names, name) for row in rows]


def _named(frame: Mapping[str, Any], names: Sequence[Any], name: str) -> Mapping[str, Any]:
    """A frame whose numbers are under the names of the whole file."""
    numbers = next((frame[key] for key in frame if plain(key) in FACE_KEYS), None)
    if isinstance(numbers, list) and len(numbers) != len(names):
        raise InputError(
            f"{name} has a frame of {len(numbers)} numbers, expected {len(names)} as it has names."
        )
    if not isinstance(numbers, list):
        return frame
    rest = {key: value for key, value in frame.items() if plain(key) not in FACE_KEYS}
    return rest | {"blendshapes": dict(zip(map(str, names), numbers, strict=True))}


def _of_columns(
    shapes: Mapping[str, Any], entries: Mapping[str, Any], name: str
) -> tuple[list[Mapping[str, Any]], Fraction | None]:
    """Frames of a list of numbers for each coefficient, with the times of start and end in milliseconds."""
    lengths = {len(values) for values in shapes.values()}
    if len(lengths) != 1:
        raise InputError(f"{name} has coefficients of {sorted(lengths)} numbers, expected as many for each.")
    count = lengths.pop()
    start, end = (number_of(entries.get(key)) for key in ("starttime", "endtime"))
    times: list[dict[str, Any]] = [{}] * count
    if start is not None and end is not None and end > start and count > 1:
        times = [{"time_ms": (end - start) * k / (count - 1)} for k in range(count)]
    turns = next((entries[key] for key in ("rotations", "headrotations") if key in entries), None)
    poses: list[dict[str, Any]] = [{}] * count
    if isinstance(turns, list) and len(turns) == count:
        poses = [{"rotation": turn} for turn in turns]
    told = next((entries[key] for key in FPS_KEYS if entries.get(key) is not None), None)
    frames: list[Mapping[str, Any]] = [
        {"blendshapes": {key: shapes[key][k] for key in shapes}} | times[k] | poses[k] for k in range(count)
    ]
    return frames, None if told is None else checked_fps(told, name)


def _joined(frames: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Frames of a list that has one entry a coefficient and moment, {timestamp, name, value}; without times
    the entries are one frame."""
    moments: dict[object, dict[str, Any]] = {}
    for frame in frames:
        entries = {plain(key): value for key, value in frame.items()}
        name = next((entries[key] for key in NAME_KEYS if key in entries), None)
        value = next((entries[key] for key in VALUE_KEYS if key in entries), None)
        if name is None or value is None:
            return frames
        time = {key: entries[key] for key in TIME_KEYS if key in entries}
        moment = moments.setdefault(tuple(time.values()), time | {"blendshapes": {}})
        moment["blendshapes"][str(name)] = value
    return list(moments.values())


def mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(
            f"{where} has a {type(value).__name__} where names and numbers are expected, such as "
            '{"jawOpen": 0.4}; see docs/motion.md for the forms that are read.'
        )
    return value


def number_of(value: object) -> float | None:
    """A number, also one written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def plain(key: object) -> str:
    return str(key).lower().replace("_", "")
