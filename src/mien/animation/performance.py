"""A performance is a long job: what was worked out and drawn is kept until the video is whole."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mien.animation.kinds.interface import Stage
from mien.animation.motion import Motion, MotionSource
from mien.animation.retarget import DrivenMotion, Retargeting
from mien.animation.smoothing import Smoothing, smooth_motion
from mien.core.atomic import atomic_path
from mien.core.progress import progress
from mien.core.work import Facts, KeptWork
from mien.io.frames import SEGMENT, FrameStore
from mien.io.video import VideoWriter, exact_ticks

SEGMENT_BYTES: Final = 512 * 2**20
"""Large frames are kept in shorter segments: no more than so much is drawn again."""
DRIVEN: Final = "driven.npz"
_ARRAYS: Final = ("time_s", "expression", "R_camera_head", "translation_offset")


@dataclass(frozen=True)
class Direction:
    """How a driver's motion is carried to an avatar."""

    retargeting: Retargeting
    smoothing: Smoothing
    calibrated: bool = True


@runtime_checkable
class Scene(Protocol):
    """Pictures over time."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        ...

    @property
    def time_s(self) -> NDArray[np.float64]:
        """[T] when each is shown."""
        ...

    @property
    def fps(self) -> Fraction:
        """Mean rate."""
        ...

    def key(self) -> str:
        """Hash of all that the pictures depend on."""
        ...

    def frames(self, indices: Iterable[int]) -> Iterator[np.ndarray]:
        """Pictures uint8 [H, W, 3], in order."""
        ...


@dataclass(frozen=True, eq=False)
class Performance:
    """The scene of one avatar on its stage."""

    stage: Stage
    driven: DrivenMotion

    @property
    def shape(self) -> tuple[int, int]:
        """The stage's."""
        return self.stage.shape

    @property
    def time_s(self) -> NDArray[np.float64]:
        """The motion's."""
        return self.driven.time_s

    @property
    def fps(self) -> Fraction:
        """The motion's."""
        return self.driven.fps

    def key(self) -> str:
        """The stage's."""
        return self.stage.key(self.driven)

    def frames(self, indices: Iterable[int]) -> Iterator[np.ndarray]:
        """The stage's."""
        return self.stage.frames(self.driven, indices)


def kept_driven(
    stage: Stage, motion: Motion, direction: Direction, kept: KeptWork, *, name: str = "motion"
) -> DrivenMotion:
    """What to send to a stage so that it shows a motion. It is kept, as it takes drawing and tracking."""
    facts = {
        "driver": {"name": motion.source.name, "sha256": motion.source.sha256},
        "settings": settings(direction),
        "motion": hash_of(motion.time_s, motion.coefficients, motion.R_camera_head, motion.translation_head),
        "avatar": stage.key(_nothing(motion)),
    }
    path = kept.part(name, facts) / DRIVEN
    if path.is_file():
        with np.load(path, allow_pickle=False) as file:
            return replace(_nothing(motion), **{array: file[array] for array in _ARRAYS})
    smooth = smooth_motion(motion, direction.smoothing)
    driven = stage.drive(smooth, direction.retargeting, calibrated=direction.calibrated)
    with atomic_path(path) as temporary, temporary.open("wb") as open_file:
        np.savez(open_file, allow_pickle=False, **{array: getattr(driven, array) for array in _ARRAYS})
    return driven


def write_scene(
    scene: Scene, output: Path, kept: KeptWork, facts: Facts, *, audio: Path | None = None,
    show_progress: bool = True,
) -> None:  # fmt: skip
    """Write the video of a scene with the sound of a file; pictures that a killed job drew are not drawn
    again. Sides of an odd number of pixels lose the last one."""
    count, (height, width) = len(scene.time_s), (side // 2 * 2 for side in scene.shape)
    segment = max(min(SEGMENT, SEGMENT_BYTES // (3 * height * width)), 1)
    store = FrameStore(kept.part("frames", {**facts, "frames": scene.key()}), segment=segment)
    new: Iterable[np.ndarray] = store.keep(scene.frames(range(store.count, count)))
    if show_progress:
        new = progress(new, desc="rendering", total=count, done=store.count)
    ticks = exact_ticks(scene.time_s, scene.fps)
    with VideoWriter(output, scene.fps, width, height, audio_from=audio, ticks_per_s=ticks) as writer:
        times_s = iter(scene.time_s.tolist())
        for frames in (store.kept(), new):
            for frame in frames:
                writer.write(frame[:height, :width], time_s=next(times_s))


def settings(options: Any) -> Facts:
    """A dataclass of options as JSON."""
    facts: Facts = json.loads(json.dumps(asdict(options), default=str))
    return facts


def hash_of(*arrays: NDArray[Any]) -> str:
    """SHA-256 of arrays, byte by byte."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _nothing(motion: Motion) -> DrivenMotion:
    """No frame of a motion."""
    return DrivenMotion(
        np.zeros(0), np.zeros((0, 52), np.float32), np.zeros((0, 3, 3), np.float32),
        np.zeros((0, 3), np.float32), motion.fps, MotionSource(motion.source.name, motion.source.sha256),
    )  # fmt: skip
