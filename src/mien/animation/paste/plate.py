"""The whole photo without the heads that will move, in-painted once at its own resolution."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from mien.animation.kinds import AnyAvatar
from mien.animation.paste.place import Placed, hidden_share, matte_in_photo
from mien.tracking.background import inpaint_background

CHANGED: Final = 1
"""Levels by which the avatar's plate differs from its photo where the head was taken out."""
CLOSED: Final = 0.012
"""Gaps in what was taken out are closed up to this size, in longer sides of the working picture."""
FEATHER: Final = 0.008
"""Width of the soft seam between the in-painted background and the photo, inside what was taken out."""


def removed_head(avatar: AnyAvatar) -> Float32[np.ndarray, "height width"]:
    """What the avatar's plate has taken out of its photo: 1 inside, 0 outside, soft inside the edge."""
    photo, plate = avatar.photo.numpy().astype(np.int16), avatar.plate.numpy().astype(np.int16)
    changed = (np.abs(plate - photo).max(-1) > CHANGED).astype(np.uint8)
    longer = max(changed.shape)
    radius = max(round(CLOSED * longer), 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    padded = cv2.copyMakeBorder(changed, radius, radius, radius, radius, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[radius:-radius, radius:-radius]
    # beyond the picture's border there is no seam
    wide = cv2.copyMakeBorder(closed, 2, 2, 2, 2, cv2.BORDER_REPLICATE)
    depth_px = cv2.distanceTransform(wide, cv2.DIST_L2, 5)[2:-2, 2:-2]
    return np.clip(depth_px / max(FEATHER * longer, 1.0), 0, 1).astype(np.float32)


def photo_plate(
    rgb: UInt8[np.ndarray, "height width 3"], heads: Sequence[tuple[AnyAvatar, Placed]],
    people: Float32[np.ndarray, "height width"],
) -> UInt8[np.ndarray, "height width 3"]:  # fmt: skip
    """The photo without heads. Outside of what was taken out its pixels are exactly the photo's own.

    What comes free is filled from the background and from the person's own clothes, not from other people:
    neither from other heads nor from where `people` is 1.
    """
    plate = rgb.copy()
    for number, (avatar, placed) in enumerate(heads):
        others = people.copy()
        for other, place in (*heads[:number], *heads[number + 1 :]):
            x0, y0, x1, y1 = place.box_px
            matte = matte_in_photo(other, place)
            others[y0:y1, x0:x1] = np.maximum(others[y0:y1, x0:x1], matte)
        x0, y0, x1, y1 = placed.box_px
        share = hidden_share(removed_head(avatar), placed)
        filled = inpaint_background(rgb[y0:y1, x0:x1], np.maximum(others[y0:y1, x0:x1], share))
        part = plate[y0:y1, x0:x1]
        part[...] = np.round(part + share[..., None] * (filled.astype(np.float32) - part))
    return plate
