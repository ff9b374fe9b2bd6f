"""Frames of a motion, several at a time."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from mien.animation.drive import Canvas, Puppet, head_motion, render_moving
from mien.animation.retarget import DrivenMotion
from mien.core.parallel import ordered


def driven_frames(
    puppet: Puppet, canvas: Canvas, driven: DrivenMotion, frames: Iterable[int] | None = None
) -> Iterator[np.ndarray]:
    """Pictures uint8 [H, W, 3] of all frames, or of those given, in order; some are rendered ahead.

    Equal poses give equal pictures.
    """

    def picture(k: int) -> np.ndarray:
        R, shift, expression = (
            torch.from_numpy(np.array(t[k]))
            for t in (driven.R_camera_head, driven.translation_offset, driven.expression)
        )
        with torch.no_grad():
            return render_moving(puppet, canvas, expression, head_motion(puppet, R, shift))

    return ordered(picture, range(len(driven)) if frames is None else frames)
