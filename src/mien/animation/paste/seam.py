"""Colours of a drawn head brought to the photo's where the two meet."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32, UInt8

from mien.animation.layer import Layer

SEAM: Final = (0.1, 0.9)
"""Cover between which a pixel is part of the seam on the body."""
LARGEST: Final = 0.06
"""No colour is changed by more."""
LEAST_PIXELS: Final = 30


@dataclass(frozen=True)
class Toning:
    """What is added to the colours of a drawn head, in [0, 1]."""

    rgb: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def applied(self, layer: Layer) -> Layer:
        """The layer in other colours."""
        if not any(self.rgb):
            return layer
        cover = layer.cover[..., None]
        rgb = (layer.rgb + cover * np.array(self.rgb, np.float32)).clip(0, cover)
        return Layer(layer.corner_px, rgb, layer.cover)


def toning(
    layer: Layer | None, photo: UInt8[np.ndarray, "height width 3"], body: Float32[np.ndarray, "height width"]
) -> Toning:
    """The mean difference of the photo from a head drawn as it is in the photo, along the seam on the body.

    `body` is the person's alpha; the photo has the layer's grid. None where there is hardly a seam.
    """
    if layer is None:
        return Toning()
    (x, y), (height, width) = layer.corner_px, layer.cover.shape
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, photo.shape[1]), min(y + height, photo.shape[0])
    inside = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
    cover = layer.cover[inside]
    seam = (cover > SEAM[0]) & (cover < SEAM[1]) & (body[y0:y1, x0:x1] > 0.98)
    if seam.sum() < LEAST_PIXELS:
        return Toning()
    drawn = layer.rgb[inside][seam] / cover[seam][:, None]
    change = np.median(photo[y0:y1, x0:x1][seam].astype(np.float32) / 255 - drawn, axis=0)
    red, green, blue = change.clip(-LARGEST, LARGEST).round(4).tolist()
    return Toning((red, green, blue))
