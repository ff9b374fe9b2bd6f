"""What stages of paper mode share, whatever the generator: a clip is inverted once and then drawn."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from mien.animation.kinds.interface import Stage
from mien.animation.layer import Layer
from mien.animation.motion import Motion
from mien.animation.paper.config import FAST, PaperConfig, Passes, described
from mien.animation.retarget import DrivenMotion, Retargeting


@runtime_checkable
class ClipSequence(Protocol):
    """An inverted clip."""

    @property
    def latents(self) -> Float[Tensor, "frame w"]:
        """One a frame."""
        ...

    @property
    def keys(self) -> list[int]:
        """Frames that were inverted."""
        ...

    @property
    def passes(self) -> Passes:
        """Evaluations of the generator."""
        ...


StageT = TypeVar("StageT", bound=Stage)
SequenceT = TypeVar("SequenceT", bound=ClipSequence)


@dataclass(eq=False)
class ClipStage(ABC, Generic[StageT, SequenceT]):
    """A stage whose frames are inverted to edited renders. What a clip needs is made once."""

    stage: StageT
    config: PaperConfig = FAST
    _made: dict[str, Any] = field(default_factory=dict, init=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return self.stage.shape

    def drive(self, motion: Motion, retargeting: Retargeting, *, calibrated: bool) -> DrivenMotion:
        """As in the kind's own mode: both are sent the same motion."""
        return self.stage.drive(motion, retargeting, calibrated=calibrated)

    def key(self, driven: DrivenMotion) -> str:
        """Hash of all that the frames depend on."""
        return hashlib.sha256(f"{self.stage.key(driven)} paper {self.config}".encode()).hexdigest()

    @abstractmethod
    def inverted(self, driven: DrivenMotion) -> SequenceT:
        """Latents and tuning of a clip, worked out anew."""
        ...

    def sequence(self, driven: DrivenMotion) -> SequenceT:
        """Latents and tuning of a clip; the same for the same clip."""
        key = self.key(driven)
        if key not in self._made:
            self._made = {key: self.inverted(driven)}
        found: SequenceT = self._made[key]
        return found

    def passes(self, driven: DrivenMotion) -> Passes:
        """Evaluations of the generator for a clip, its final renders among them."""
        return self.sequence(driven).passes

    def facts(self) -> str:
        """What was done for the last clip, in a line; nothing if nothing was."""
        return "".join(described(s.passes, len(s.keys), len(s.latents)) for s in self._made.values())

    def layers(
        self, driven: DrivenMotion, frames: Iterable[int], *, beyond_px: int
    ) -> Iterator[Layer | None]:
        """Not in this mode, see `modes.chosen_mode`."""
        raise NotImplementedError("Frames of paper mode are whole photos.")

    @abstractmethod
    def frames(self, driven: DrivenMotion, frames: Iterable[int] | None = None) -> Iterator[Any]:
        """Pictures of all frames or of those given, in order."""
        ...
