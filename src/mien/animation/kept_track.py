"""The tracking of a long driver, kept by chunks, so that a killed job goes on where it was."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.animation.motion import MotionFrame
from mien.core.arkit import ARKIT_NAMES
from mien.core.atomic import atomic_path
from mien.core.errors import MienError

CHUNK: Final = 300
"""Frames per file: what a killed job tracks again at most. Trackers begin anew at every chunk, whether or not
the job is killed there, so that the numbers are the same."""

State = Mapping[str, NDArray[Any]]
"""What the tracking of the next frame depends on besides the picture."""


@dataclass(frozen=True, eq=False)
class TrackChunk:
    """Tracked frames, None where no face was found, and the state after them."""

    times_s: list[float]
    frames: list[MotionFrame | None]
    state: State
    is_last: bool


class TrackStore:
    """Chunks in the files of a folder, each there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = 0

    def read(self) -> list[TrackChunk]:
        """The chunks that are kept, in order; new ones come after them. MienError if one is damaged."""
        chunks: list[TrackChunk] = []
        while self._path(len(chunks)).is_file():
            chunks.append(_read(self._path(len(chunks))))
        self._files = len(chunks)
        return chunks

    def write(self, chunk: TrackChunk) -> None:
        """Append a chunk."""
        frames = [frame or _NOTHING for frame in chunk.frames]
        arrays: dict[str, NDArray[Any]] = {
            "times_s": np.array(chunk.times_s, np.float64),
            "found": np.array([frame is not None for frame in chunk.frames], bool),
            "coefficients": np.array([frame.coefficients for frame in frames], np.float32),
            "R_camera_head": np.array([frame.R_camera_head for frame in frames], np.float32),
            "translation_head": np.array([frame.translation_head for frame in frames], np.float32),
            "is_last": np.array(chunk.is_last),
        }
        nothing = next((np.zeros_like(f.measures) for f in frames if f.measures is not None), None)
        if nothing is not None:
            measures = [nothing if frame.measures is None else frame.measures for frame in frames]
            arrays["measures"] = np.array(measures, np.float32)
        arrays |= {f"state.{name}": value for name, value in chunk.state.items()}
        with atomic_path(self._path(self._files)) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        self._files += 1

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.npz"


_NOTHING: Final = MotionFrame(
    0.0, np.zeros(len(ARKIT_NAMES), np.float32), np.zeros((3, 3), np.float32), np.zeros(3, np.float32), False
)


def _read(path: Path) -> TrackChunk:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found}
        columns = zip(
            arrays["times_s"].tolist(), arrays["found"], arrays["coefficients"], arrays["R_camera_head"],
            arrays["translation_head"], arrays.get("measures", [None] * len(arrays["found"])), strict=True,
        )  # fmt: skip
        frames = [
            MotionFrame(time_s, coefficients, R, place, True, measures) if there else None
            for time_s, there, coefficients, R, place, measures in columns
        ]
        state = {n.removeprefix("state."): a for n, a in arrays.items() if n.startswith("state.")}
        return TrackChunk(arrays["times_s"].tolist(), frames, state, bool(arrays["is_last"]))
    except Exception as error:  # whatever numpy and zipfile raise for a damaged file
        raise MienError(f"{path} cannot be read ({error}); delete {path.parent} and start again.") from error
