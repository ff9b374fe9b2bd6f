"""What a camera makes of linear light: exposure, white balance, blur, noise, the curve of its pictures."""

from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np

Curve = Literal["srgb", "filmic"]


@dataclass(frozen=True)
class Response:
    """One camera's settings; the defaults are a clean picture."""

    exposure: float = 1.0
    """Factor on linear light."""
    temperature: float = 0.0
    """Of the white balance: positive warmer, negative cooler; 1 is a bulb seen as daylight."""
    curve: Curve = "filmic"
    contrast: float = 1.0
    """Slope of the filmic curve around middle grey."""
    blur_px: float = 0.0
    """Standard deviation of the lens' blur."""
    noise: float = 0.0
    """Standard deviation of the sensor's noise at middle grey."""


CLEAN: Final = Response()


METERED: Final = 0.3
"""Linear luminance of skin that needs no correction of the exposure."""
METERING: Final = 0.35
"""Share (as an exponent) by which cameras and photographers make up for darker or lighter skin."""


def metered_exposure(skin_luminance: float) -> float:
    """Factor on the exposure for a sitter's skin of this linear luminance."""
    return float(np.clip((METERED / max(skin_luminance, 1e-3)) ** METERING, 0.8, 1.9))


def draw_response(rng: np.random.Generator, *, skin_luminance: float = METERED) -> Response:
    """A random ordinary camera, exposed for skin of this linear luminance."""
    return Response(
        exposure=metered_exposure(skin_luminance) * float(np.exp(rng.normal(0.1, 0.18))),
        temperature=float(rng.normal(0, 0.15)),
        curve="filmic" if rng.uniform() < 0.7 else "srgb",
        contrast=float(rng.uniform(0.9, 1.2)),
        blur_px=float(rng.uniform(0, 0.7)),
        noise=float(rng.beta(1.2, 3) * 0.03),
    )


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """The sRGB curve on values in [0, 1]."""
    x = np.clip(linear, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055).astype(np.float32)


def filmic(linear: np.ndarray, contrast: float = 1.0) -> np.ndarray:
    """Like sRGB's curve in the shadows and middle, with highlights that roll off instead of clipping."""
    x = np.maximum(linear, 0)
    knee = 0.55
    high = knee + (1 - knee) * (1 - np.exp(-(x - knee) / (1 - knee)))
    y = to_srgb(np.where(x > knee, high, x))
    middle = 0.46
    return np.asarray(np.clip(middle + (y - middle) * contrast, 0, 1), dtype=np.float32)


def photograph(
    linear: np.ndarray, response: Response = CLEAN, rng: np.random.Generator | None = None
) -> np.ndarray:
    """Picture float32 [H, W, 3] in [0, 1] of linear light [H, W, 3]; noise needs a generator."""
    tint = np.exp(response.temperature * np.array([0.33, 0.0, -0.62]))
    x = linear * (response.exposure * tint / (tint @ [0.2126, 0.7152, 0.0722]))
    x = x.astype(np.float32)
    if response.blur_px > 0.05:
        x = cv2.GaussianBlur(x, (0, 0), response.blur_px)
    if response.noise > 0:
        if rng is None:
            raise ValueError("A response with noise needs a random generator; give rng.")
        spread = response.noise * np.sqrt(np.maximum(x, 0) * 0.18 + 0.002)
        x = x + rng.standard_normal(x.shape, np.float32) * spread * 2
    return filmic(x, response.contrast) if response.curve == "filmic" else to_srgb(x)
