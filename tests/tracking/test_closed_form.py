"""The matting equation: against a plain reference, and on mixtures with a known answer."""

import numpy as np

from mien.tracking._closed_form import AffineColorModel, solve_alpha, upsample_alpha


def reference_filter(rgb: np.ndarray, values: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """Per window a ridge regression of the values on colour; a pixel gets the mean of its windows' answers.

    Only windows that lie inside the picture count, so compare two radii away from the border.
    """
    image = rgb / 255.0
    height, width = values.shape
    total, count = np.zeros_like(values, dtype=np.float64), np.zeros_like(values, dtype=np.float64)
    for y in range(radius, height - radius):
        for x in range(radius, width - radius):
            window = (slice(y - radius, y + radius + 1), slice(x - radius, x + radius + 1))
            colors, target = image[window].reshape(-1, 3), values[window].ravel()
            centered = colors - colors.mean(axis=0)
            covariance = centered.T @ centered / len(colors) + epsilon * np.eye(3)
            slope = np.linalg.solve(covariance, centered.T @ (target - target.mean()) / len(colors))
            total[window] += target.mean() + (image[window] - colors.mean(axis=0)) @ slope
            count[window] += 1
    return total / np.maximum(count, 1)


def random_picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_filter_agrees_with_the_reference() -> None:
    rgb = random_picture(14, 15)
    values = np.random.default_rng(1).random((14, 15), dtype=np.float32)
    fast = AffineColorModel(rgb, radius_px=2, epsilon=1e-3).filter(values)
    slow = reference_filter(rgb, values, 2, 1e-3)
    np.testing.assert_allclose(fast[4:-4, 4:-4], slow[4:-4, 4:-4], atol=2e-4)


def test_affine_functions_of_colour_cost_nothing() -> None:
    rgb = random_picture(20, 20)
    values = (rgb.astype(np.float32) / 255) @ np.array([0.2, -0.5, 0.7], dtype=np.float32) + 0.3
    filtered = AffineColorModel(rgb, radius_px=2, epsilon=1e-7).filter(values.astype(np.float32))
    np.testing.assert_allclose(filtered, values, atol=2e-3)


def test_mixture_of_two_colours_is_unmixed() -> None:
    x = np.linspace(-1, 1, 96, dtype=np.float32)
    truth = np.clip(0.5 + 2 * np.broadcast_to(x, (64, 96)) + 0.1 * np.sin(8 * np.arange(64))[:, None], 0, 1)
    foreground, background = np.array([200, 120, 40]), np.array([30, 60, 160])
    rgb = np.round(truth[..., None] * foreground + (1 - truth[..., None]) * background).astype(np.uint8)
    known = np.zeros_like(truth)
    known[:, :8], known[:, -8:] = 1, 1
    prior = np.where(known > 0, truth, 0.5).astype(np.float32)
    trust = np.where(known > 0, 10, 1e-5).astype(np.float32)
    assert np.abs(solve_alpha(rgb, prior, trust) - truth).mean() < 0.03


def test_upsampling_follows_the_photo() -> None:
    truth = np.zeros((120, 160), dtype=np.float32)
    truth[:, 83:] = 1
    rgb = (truth[..., None] * [150, 100, 50] + 40).astype(np.uint8)
    small = np.ascontiguousarray(rgb[::4, ::4])
    small_alpha = np.ascontiguousarray(truth[::4, ::4])
    alpha = upsample_alpha(rgb, small, small_alpha, strip_px=50)
    assert alpha.shape == truth.shape
    assert np.abs(alpha - truth).mean() < 0.03
    np.testing.assert_array_equal(upsample_alpha(small, small, small_alpha), small_alpha)
