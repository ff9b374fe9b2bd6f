"""The part of a photo that shows a head with hair and shoulders."""

from dataclasses import replace
from typing import Final

import numpy as np

from mien.io.images import Photo
from mien.tracking.faces import FaceObservation

HEAD_OVER_FACE: Final = 3.2
"""Side of the head's surroundings over that of the face's box."""


def head_box(face: FaceObservation, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The head with hair and shoulders around it, inside the photo: x0, y0, x1, y1."""
    x0, y0, x1, y1 = face.box_px
    centre, reach = ((x0 + x1) / 2, (y0 + y1) / 2), 0.5 * HEAD_OVER_FACE * face.size_px
    low = [max(int(c - reach), 0) for c in centre]
    high = [min(int(c + reach) + 1, size) for c, size in zip(centre, (shape[1], shape[0]), strict=True)]
    return low[0], low[1], high[0], high[1]


def part_of_photo(photo: Photo, box: tuple[int, int, int, int]) -> Photo:
    """A part of a photo; name and hash stay those of the file."""
    x0, y0, x1, y1 = box
    alpha = None if photo.alpha is None else np.ascontiguousarray(photo.alpha[y0:y1, x0:x1])
    return replace(photo, rgb=np.ascontiguousarray(photo.rgb[y0:y1, x0:x1]), alpha=alpha)
