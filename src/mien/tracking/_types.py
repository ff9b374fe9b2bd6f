"""Array types of this package, checked in the tests."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, UInt8

Rgb: TypeAlias = UInt8[np.ndarray, "height width 3"]
"""A picture, 8 bits a channel, sRGB."""
Alpha: TypeAlias = Float32[np.ndarray, "height width"]
"""One number in [0, 1] per pixel."""
Mask: TypeAlias = Bool[np.ndarray, "height width"]
"""Yes or no per pixel."""
Picture: TypeAlias = Float32[np.ndarray, "height width 3"]
"""A picture in [0, 1] while it is worked on."""

# The same at another size, for functions that resize.
OtherRgb: TypeAlias = UInt8[np.ndarray, "other_height other_width 3"]
OtherAlpha: TypeAlias = Float32[np.ndarray, "other_height other_width"]
OtherMask: TypeAlias = Bool[np.ndarray, "other_height other_width"]
OtherPicture: TypeAlias = Float32[np.ndarray, "other_height other_width 3"]
