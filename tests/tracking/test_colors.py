"""Foreground colours: the old background must not come along."""

import numpy as np

from mien.tracking.colors import foreground_colors


def test_halo_is_removed() -> None:
    y, x = np.mgrid[:128, :128]
    distance = np.hypot(x - 64, y - 64)
    alpha = np.clip((48 - distance) / 16, 0, 1).astype(np.float32)
    foreground, background = np.array([40.0, 30.0, 20.0]), np.array([240.0, 240.0, 250.0])
    rgb = np.round(alpha[..., None] * foreground + (1 - alpha[..., None]) * background).astype(np.uint8)
    colors = foreground_colors(rgb, alpha)
    soft = (alpha > 0.1) & (alpha < 1)
    assert np.abs(colors[soft] - foreground).mean() < 12
    assert np.abs(rgb[soft] - foreground).mean() > 80
    recomposed = alpha[..., None] * colors + (1 - alpha[..., None]) * background
    assert np.abs(recomposed - rgb)[soft].mean() < 5


def test_solid_pixels_are_unchanged() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    alpha = np.zeros((40, 50), dtype=np.float32)
    alpha[10:30, 10:30] = 1
    np.testing.assert_array_equal(foreground_colors(rgb, alpha)[10:30, 10:30], rgb[10:30, 10:30])
