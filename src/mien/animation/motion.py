"""A motion: expression coefficients and head pose over time, tracked from a driver or made by hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.core.arkit import ARKIT_NAMES
from mien.core.errors import InputError

UNITS_PER_METRE = 1.9
"""EG3D units per metre: 1 EG3D unit = 1/1.9 m."""

MAX_ROTATION_ERROR = 1e-2


@dataclass(frozen=True)
class MotionSource:
    """Where a motion comes from."""

    name: str
    """File name of the driver, without its folder; or what made the motion."""
    sha256: str
    """Hash of the driver's bytes, lower-case hexadecimal; empty if there is no file."""


@dataclass(frozen=True)
class MotionFrame:
    """One moment of a motion."""

    time_s: float
    coefficients: NDArray[np.float32]
    """[52] in the order of `ARKIT_NAMES`."""
    R_camera_head: NDArray[np.float32]
    """[3, 3] head axes to camera axes x right, y up, z towards the viewer."""
    translation_head: NDArray[np.float32]
    """[3] the head's place relative to the camera in those axes, EG3D units; z is negative."""
    found: bool
    """Whether a face was found; if not, the values are interpolated."""
    measures: NDArray[np.float32] | None = None
    """[M] of the face's shape, see `mien.animation.measures`; None where nobody measured."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Coefficients and head pose of T frames; checked when made, InputError says what is wrong.

    Axes of the pose: x to the image's right, y up, z towards the viewer. Lengths are EG3D units.
    """

    time_s: NDArray[np.float64]
    """[T] rising, from the start of the driver."""
    coefficients: NDArray[np.float32]
    """[T, 52] in [0, 1], in the order of `ARKIT_NAMES`."""
    R_camera_head: NDArray[np.float32]
    """[T, 3, 3] head axes to camera axes."""
    translation_head: NDArray[np.float32]
    """[T, 3] the head's place relative to the camera; z is minus the distance."""
    found: NDArray[np.bool_]
    """[T] whether a face was found; the other frames are interpolated."""
    fps: Fraction
    """Frame rate for output."""
    source: MotionSource
    measures: NDArray[np.float32] | None = None
    """[T, M] of the face's shape, see `mien.animation.measures`; None for motions that nobody measured."""
    highest: float = 1.0
    """What coefficients may reach; more than 1 only after `mien.animation.shapes.shaped_motion`."""

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_values(self)

    def __len__(self) -> int:
        return len(self.time_s)

    def __getitem__(self, index: int) -> MotionFrame:
        """The frame at `index`; negative indices count from the end."""
        return MotionFrame(
            float(self.time_s[index]),
            self.coefficients[index],
            self.R_camera_head[index],
            self.translation_head[index],
            bool(self.found[index]),
            None if self.measures is None else self.measures[index],
        )

    def __iter__(self) -> Iterator[MotionFrame]:
        return (self[index] for index in range(len(self)))

    @property
    def duration_s(self) -> float:
        """From the first frame to the end of the last one."""
        return float(len(self) / self.fps)

    @cached_property
    def found_share(self) -> float:
        """Share of the frames in which a face was found."""
        return float(np.mean(self.found))

    @classmethod
    def from_frames(cls, frames: list[MotionFrame], fps: Fraction, source: MotionSource) -> "Motion":
        """A motion of at least one frame."""
        if not frames:
            raise InputError(
                f"{source.name} has no frames, a motion needs at least one; give another driver."
            )
        measures = [frame.measures for frame in frames if frame.measures is not None]
        return cls(
            time_s=np.array([frame.time_s for frame in frames], np.float64),
            coefficients=np.stack([frame.coefficients for frame in frames]).astype(np.float32),
            R_camera_head=np.stack([frame.R_camera_head for frame in frames]).astype(np.float32),
            translation_head=np.stack([frame.translation_head for frame in frames]).astype(np.float32),
            found=np.array([frame.found for frame in frames], bool),
            fps=fps,
            source=source,
            measures=np.stack(measures).astype(np.float32) if len(measures) == len(frames) else None,
        )

    def save(self, path: str | Path) -> None:
        """Write `.json` or `.npz` (docs/motion.md); the file appears whole or not at all."""
        from mien.animation.motion_files import save_motion  # the file formats build on this class

        save_motion(self, path)

    @classmethod
    def load(cls, path: str | Path) -> "Motion":
        """Read what `save` wrote; InputError if the file is not a motion."""
        from mien.animation.motion_files import load_motion  # the file formats build on this class

        return load_motion(path)


def _check_shapes(motion: Motion) -> None:
    count = len(motion.time_s)
    expected = {
        "time_s": (count,),
        "coefficients": (count, len(ARKIT_NAMES)),
        "R_camera_head": (count, 3, 3),
        "translation_head": (count, 3),
        "found": (count,),
    }
    if motion.measures is not None:
        expected["measures"] = (count, motion.measures.shape[-1])
    for name, shape in expected.items():
        found = getattr(motion, name).shape
        if found != shape or count == 0:
            raise InputError(
                f"The motion {motion.source.name} has {name} of shape {found}, expected {shape} with at "
                "least one frame; make it again with `mien motion`."
            )


def _check_values(motion: Motion) -> None:
    problem = None
    arrays = (motion.time_s, motion.coefficients, motion.R_camera_head, motion.translation_head)
    identity_error = np.abs(
        motion.R_camera_head @ np.swapaxes(motion.R_camera_head, -1, -2) - np.eye(3, dtype=np.float32)
    )
    if not all(np.isfinite(array).all() for array in arrays):
        problem = "holds numbers that are not finite"
    elif (np.diff(motion.time_s) <= 0).any():
        problem = "has times that do not rise"
    elif motion.coefficients.min() < -1e-6 or motion.coefficients.max() > motion.highest + 1e-6:
        problem = "has coefficients outside [0, 1]"
    elif identity_error.max() > MAX_ROTATION_ERROR or (np.linalg.det(motion.R_camera_head) < 0).any():
        problem = "has head rotations that are not rotations"
    elif motion.fps <= 0:
        problem = f"has a frame rate of {motion.fps}"
    if problem:
        raise InputError(
            f"The motion {motion.source.name} {problem}; expected coefficients in [0, 1], rotations, rising "
            "times and a positive frame rate. Correct it or make it again with `mien motion`."
        )
