"""The person's own colours, free of what shines through from behind."""

import cv2
import numpy as np

from mien.tracking._types import Alpha, Rgb

WORKING_PX = 1024
"""Longest side at which the guesses are made; larger photos get them enlarged."""
STRIP_PX = 512
RADII_PX_AT_1024 = (90.0, 9.0)
PURITY = 3
"""Pixels count towards the mean foreground by this power of alpha, and towards the background likewise: the
paper has 1, but mixed pixels teach little about either (on a blurred disc the error falls from 27 to 10
levels of 255)."""


def foreground_colors(rgb: Rgb, alpha: Alpha) -> Rgb:
    """The colours F with rgb = alpha F + (1 - alpha) B, everywhere, so that no halo of the old background is
    left.

    Forte, 'Approximate Fast Foreground Colour Estimation' (ICIP 2021): blurred foreground and background as a
    first guess, then the compositing equation; twice, from a wide blur to a narrow one. Where alpha is 1 the
    photo is returned unchanged.
    """
    shrink = min(1.0, WORKING_PX / max(alpha.shape))
    size = (max(round(alpha.shape[1] * shrink), 1), max(round(alpha.shape[0] * shrink), 1))
    small, small_alpha = (
        cv2.resize(array, size, interpolation=cv2.INTER_AREA) if shrink < 1 else array
        for array in (rgb, alpha)
    )
    near = _near_colors(small.astype(np.float32) / 255, small_alpha[..., None])
    return _unmixed(rgb, alpha, *near)


def _near_colors(image: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smooth guesses of foreground and background per pixel: equations 4 to 7 of the paper, wide then
    narrow."""
    scale = max(max(image.shape) / 1024, 0.25)
    foreground, background = image, image
    for radius in RADII_PX_AT_1024:
        side = (2 * max(round(radius * scale), 2) + 1,) * 2
        near_foreground = _mean_of_pure(foreground, weight, side)
        near_background = _mean_of_pure(background, 1 - weight, side)
        error = image - weight * near_foreground - (1 - weight) * near_background
        foreground = np.clip(near_foreground + weight * error, 0, 1)
        background = np.clip(near_background, 0, 1)
    return near_foreground, near_background


def _unmixed(rgb: Rgb, alpha: Alpha, near_foreground: np.ndarray, near_background: np.ndarray) -> Rgb:
    """The guess moved towards the compositing equation, strip by strip, at the photo's resolution."""
    height_px, width_px = alpha.shape
    if near_foreground.shape[:2] != alpha.shape:
        near_foreground, near_background = (
            cv2.resize(np.round(near * 255).clip(0, 255).astype(np.uint8), (width_px, height_px))
            for near in (near_foreground, near_background)
        )
    unit = 255.0 if near_foreground.dtype == np.uint8 else 1.0
    colors = rgb.copy()
    for top in range(0, height_px, STRIP_PX):
        rows = slice(top, top + STRIP_PX)
        weight = alpha[rows, :, None]
        image = rgb[rows].astype(np.float32) / 255
        first, second = near_foreground[rows] / np.float32(unit), near_background[rows] / np.float32(unit)
        unmixed = first + weight * (image - weight * first - (1 - weight) * second)
        solid = np.broadcast_to(weight >= 1, unmixed.shape)
        colors[rows] = np.where(solid, rgb[rows], np.round(unmixed.clip(0, 1) * 255).astype(np.uint8))
    return colors


def _mean_of_pure(colors: np.ndarray, weight: np.ndarray, side: tuple[int, int]) -> np.ndarray:
    pure = weight**PURITY
    return cv2.blur(colors * pure, side) / (cv2.blur(pure[..., 0], side)[..., None] + 1e-5)
