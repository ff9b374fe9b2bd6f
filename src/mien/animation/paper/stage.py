"""Avatars of mien-base in paper mode, ready to be drawn frame by frame."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from mien.animation.drive import Canvas, Puppet, head_motion
from mien.animation.kinds.base import BaseStage
from mien.animation.paper.base import BaseSequence, invert_clip
from mien.animation.paper.clip_stage import ClipStage
from mien.animation.paper.compose import compose_frame
from mien.animation.paper.edited import face_view
from mien.animation.paper.layers import PhotoLayers, layers_of
from mien.animation.paper.source import source_of
from mien.animation.retarget import DrivenMotion
from mien.core.parallel import ordered


@dataclass(eq=False)
class PaperBaseStage(ClipStage[BaseStage, BaseSequence]):
    """A stage of mien-base whose frames are inverted to edited renders. What a clip needs is made once."""

    @property
    def puppet(self) -> Puppet:
        """The avatar as it is animated natively."""
        return self.stage.puppet

    @property
    def canvas(self) -> Canvas:
        """What is drawn on."""
        return self.stage.canvas

    @cached_property
    def photo_layers(self) -> PhotoLayers:
        """The photo taken apart."""
        return layers_of(source_of(self.puppet.avatar, self.puppet.model))

    def inverted(self, driven: DrivenMotion) -> BaseSequence:
        """Latents and tuning of a clip, worked out anew."""
        return invert_clip(self.puppet, self.photo_layers, driven.expression, driven.time_s, self.config)

    def frames(self, driven: DrivenMotion, frames: Iterable[int] | None = None) -> Iterator[np.ndarray]:
        """Pictures of all frames or of those given; latents and tuning are always those of the whole clip."""
        sequence = self.sequence(driven)
        chosen = list(range(len(driven)) if frames is None else frames)
        sequence.passes.frames += 2 * len(chosen)

        def picture(k: int) -> np.ndarray:
            R, shift, expression = (
                torch.from_numpy(np.array(t[k]))
                for t in (driven.R_camera_head, driven.translation_offset, driven.expression)
            )
            with torch.no_grad():
                view = face_view(self.photo_layers, self.photo_layers.source.posed(expression))
                return compose_frame(
                    self.puppet, sequence.puppet, sequence.planes(k, expression), self.canvas, expression,
                    head_motion(self.puppet, R, shift), view, self.photo_layers.source.camera,
                )  # fmt: skip

        return ordered(picture, chosen)
