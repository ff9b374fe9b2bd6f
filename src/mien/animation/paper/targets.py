"""Where a key frame's target is the edited render, and where the latent's own picture: inside the mouth."""

from typing import Final

import cv2
import numpy as np
from jaxtyping import Float32

from mien.animation.paper.config import PaperConfig
from mien.animation.paper.edited import EditedRender

CLEARANCE: Final = 3.0
"""Share of the mouth's opening, inverted, from which a pixel shows nothing of the face."""


def inpaint_mouth(
    edited: EditedRender, face_width_px: float, config: PaperConfig
) -> tuple[Float32[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
    """Shares of the edited render and of the latent's own picture: the mouth's opening, grown softly."""
    radius = round(config.mouth_grow * face_width_px)
    opening = edited.opening
    if radius > 0:
        kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * radius + 1, 2 * radius + 1))
        grown = cv2.dilate((opening > 0.5).astype(np.float32), kernel)
        opening = cv2.GaussianBlur(grown, (0, 0), max(radius / 5, 0.5))
    clear = np.clip(1 - CLEARANCE * opening, 0, 1)  # pixels on the lips' edge show both
    return edited.face * clear, opening


def filled_target(
    edited: Float32[np.ndarray, "height width 3"],
    own: Float32[np.ndarray, "height width 3"],
    opening: Float32[np.ndarray, "height width"],
    kept: Float32[np.ndarray, "height width"],
) -> Float32[np.ndarray, "height width 3"]:
    """The edited render with the mouth of the latent's own picture, but for what is `kept`."""
    share = (opening * (1 - kept))[..., None]
    return np.asarray(edited + share * (own - edited), np.float32)
