"""What a kind of avatar can do."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from mien.animation.kinds.photo import AvatarOptions
from mien.animation.layer import Layer
from mien.animation.motion import Motion
from mien.animation.retarget import DrivenMotion, Retargeting
from mien.animation.viewer import Viewer
from mien.core.device import DeviceChoice
from mien.generator.view import Sitter
from mien.io.images import Photo

Report = Callable[[str, float], None]
"""Called with the name of the stage that begins and the share done of the whole."""
AvatarT = TypeVar("AvatarT")


@dataclass(frozen=True)
class Tools:
    """What is not in an avatar's file but needed to draw it."""

    model: Path | None = None
    """The generator's file, as with `--model`; None looks for the one in which the avatar was made."""
    device: DeviceChoice = "auto"


@runtime_checkable
class Stage(Protocol):
    """An avatar before its picture, ready to be drawn frame by frame."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the frames."""
        ...

    def drive(self, motion: Motion, retargeting: Retargeting, *, calibrated: bool) -> DrivenMotion:
        """What to send so that the avatar shows the motion; `calibrated`: as a tracker would see it."""
        ...

    def key(self, driven: DrivenMotion) -> str:
        """Hash of all that the frames of a motion depend on."""
        ...

    def layers(
        self, driven: DrivenMotion, frames: Iterable[int], *, beyond_px: int
    ) -> Iterator[Layer | None]:
        """The moving head alone, for frames that are given, on the grid of the stage's picture and up to so
        many pixels beyond its sides as far as the avatar can be drawn there; None where it is not to be
        seen."""
        ...

    def frames(self, driven: DrivenMotion, frames: Iterable[int] | None = None) -> Iterator[np.ndarray]:
        """Pictures uint8 [H, W, 3] of all frames, or of those given, in order; equal poses look equal."""
        ...


@runtime_checkable
class AvatarKind(Protocol, Generic[AvatarT]):
    """One kind of avatar, from a photo to frames."""

    def create(
        self, photo: Photo, options: AvatarOptions, report: Report, kept: Path | None = None
    ) -> AvatarT:
        """Make an avatar of a photo. Work of minutes is kept in the folder `kept`, to be gone on with."""
        ...

    def load(self, path: Path) -> AvatarT:
        """Read an avatar file; CheckpointError says what is wrong with one."""
        ...

    def save(self, path: Path, avatar: AvatarT) -> None:
        """Write an avatar, whole or not at all."""
        ...

    def stage(self, avatar: AvatarT, tools: Tools, crop_px: int | None) -> Stage:
        """The photo's own framing, or the aligned crop of so many pixels."""
        ...

    def sitter(self, avatar: AvatarT, tools: Tools, size_px: int, *, plain: bool = False) -> Sitter:
        """The person, for a camera to go around; `plain`: before grey, not the background."""
        ...

    def viewer(self, avatar: AvatarT, tools: Tools) -> Viewer:
        """The person, for a camera to go anywhere and with any expression."""
        ...

    def sheet(self, avatar: AvatarT, tools: Tools) -> np.ndarray:
        """A picture uint8 of the photo, its inversion, depth, expressions and turned views."""
        ...

    def closeness(self, avatar: AvatarT) -> str:
        """How near it is to its photo, in words."""
        ...

    def describe(self, avatar: AvatarT) -> dict[str, Any]:
        """What `mien info` prints."""
        ...
