"""Closed-form matting without a sparse matrix.

Levin, Lischinski and Weiss, 'A Closed-Form Solution to Natural Image Matting' (2008): alpha is locally an
affine function of colour. The matting Laplacian of a window of any size is 'identity minus guided filter' up
to scale (He, Sun and Tang, 'Fast Matting Using Large Kernel Matting Laplacian Matrices', 2010), so a product
with it costs a few box filters. Conjugate gradients, coarse to fine.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mien.tracking._types import Alpha, OtherAlpha, OtherRgb, Rgb


@dataclass(frozen=True)
class ClosedFormConfig:
    """How the matting equation is solved."""

    radius_px: int = 2
    """Radius of the window in which alpha is affine in colour."""
    epsilon: float = 1e-4
    """Variance added to colours in [0, 1], so that flat windows do not amplify noise."""
    coarsest_px: int = 160
    """The pyramid stops when the longer side is no longer than this."""
    iterations: tuple[int, ...] = (12, 25, 50, 60)
    """Conjugate gradient steps per pyramid level, finest first; the last entry serves all coarser levels, and
    always the coarsest, which starts from nothing."""


class AffineColorModel:
    """Guided filter with a colour guide (He, Sun and Tang, 2013), its window statistics computed once."""

    def __init__(self, rgb: Rgb, *, radius_px: int, epsilon: float) -> None:
        self._side = 2 * radius_px + 1
        image = rgb.astype(np.float32) / 255
        self._channels = [np.ascontiguousarray(image[..., channel]) for channel in range(3)]
        self._means = [self._box(channel) for channel in self._channels]
        self._inverse = self._inverse_covariance(epsilon)

    def _box(self, values: Alpha) -> Alpha:
        return cv2.boxFilter(values, -1, (self._side, self._side), borderType=cv2.BORDER_REFLECT_101)

    def _covariance(self, row: int, column: int) -> Alpha:
        product = self._box(self._channels[row] * self._channels[column])
        return product - self._means[row] * self._means[column]

    def _inverse_covariance(self, epsilon: float) -> list[list[Alpha]]:
        """Inverse of the symmetric 3x3 (covariance + epsilon) per pixel, by cofactors."""
        a, d, f = (self._covariance(i, i) + np.float32(epsilon) for i in range(3))
        b, c, e = self._covariance(0, 1), self._covariance(0, 2), self._covariance(1, 2)
        aa, ab, ac = d * f - e * e, c * e - b * f, b * e - c * d
        bb, bc, cc = a * f - c * c, b * c - a * e, a * d - b * b
        scale = 1 / (a * aa + b * ab + c * ac)
        aa, ab, ac, bb, bc, cc = (entry * scale for entry in (aa, ab, ac, bb, bc, cc))
        return [[aa, ab, ac], [ab, bb, bc], [ac, bc, cc]]

    def coefficients(self, values: Alpha) -> list[Alpha]:
        """Slopes for red, green, blue and the offset of the affine map colour -> value, averaged over
        windows."""
        mean = self._box(values)
        covariance = [
            self._box(channel * values) - self._means[i] * mean for i, channel in enumerate(self._channels)
        ]
        slopes = [sum(row[j] * covariance[j] for j in range(3)) for row in self._inverse]
        offset = mean - sum(slope * self._means[i] for i, slope in enumerate(slopes))
        return [self._box(entry) for entry in (*slopes, offset)]

    def filter(self, values: Alpha) -> Alpha:
        """What the neighbours' affine maps predict for each pixel."""
        *slopes, offset = self.coefficients(values)
        return sum((s * c for s, c in zip(slopes, self._channels, strict=True)), start=offset)


def solve_alpha(rgb: Rgb, prior: Alpha, trust: Alpha, *, config: ClosedFormConfig | None = None) -> Alpha:
    """The alpha that minimises a^T L a + sum of trust (a - prior)^2, clipped to [0, 1].

    `trust` is high (10) where the prior is known to be right and small (0.001 to 0.1) where it is a guess.
    """
    config = config or ClosedFormConfig()
    height_px, width_px = prior.shape
    levels = 0
    while max(height_px, width_px) >> levels > config.coarsest_px:
        levels += 1
    alpha: Alpha | None = None
    for level in range(levels, -1, -1):
        size = (max(width_px >> level, 1), max(height_px >> level, 1))
        small_rgb, small_prior, small_trust = (
            cv2.resize(array, size, interpolation=cv2.INTER_AREA) if level else array
            for array in (rgb, prior, trust)
        )
        start = small_prior if alpha is None else cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR)
        model = AffineColorModel(small_rgb, radius_px=config.radius_px, epsilon=config.epsilon)
        last = len(config.iterations) - 1
        steps = config.iterations[last if level == levels else min(level, last)]
        alpha = _conjugate_gradients(model, small_prior, small_trust, start, steps)
    assert alpha is not None  # the loop runs at least once
    return np.clip(alpha, 0, 1)


def _conjugate_gradients(
    model: AffineColorModel, prior: Alpha, trust: Alpha, start: Alpha, steps: int
) -> Alpha:
    """Jacobi-preconditioned conjugate gradients on (L + trust) x = trust * prior, a fixed number of steps."""
    inverse_diagonal = 1 / (trust + np.float32(0.5))
    x = start.copy()
    residual = trust * prior - (x - model.filter(x) + trust * x)
    preconditioned = inverse_diagonal * residual
    direction = preconditioned.copy()
    energy = float(np.vdot(residual, preconditioned))
    for _ in range(steps):
        product = direction - model.filter(direction) + trust * direction
        curvature = float(np.vdot(direction, product))
        if curvature <= 1e-12 or energy <= 1e-12:
            break
        step = energy / curvature
        x += step * direction
        residual -= step * product
        preconditioned = inverse_diagonal * residual
        new_energy = float(np.vdot(residual, preconditioned))
        direction = preconditioned + (new_energy / energy) * direction
        energy = new_energy
    return x


def upsample_alpha(rgb: Rgb, small_rgb: OtherRgb, small_alpha: OtherAlpha, *, strip_px: int = 512) -> Alpha:
    """Alpha at the resolution of `rgb` from one solved on a smaller copy: fast guided upsampling, strip by
    strip."""
    height_px, width_px = rgb.shape[:2]
    if small_alpha.shape == (height_px, width_px):
        return small_alpha
    maps = AffineColorModel(small_rgb, radius_px=2, epsilon=1e-3).coefficients(small_alpha)
    stacked = np.stack(maps, axis=-1)
    rows = stacked.shape[0] / height_px
    columns = stacked.shape[1] / width_px
    alpha = np.empty((height_px, width_px), dtype=np.float32)
    x = ((np.arange(width_px, dtype=np.float32) + 0.5) * columns - 0.5)[None]
    for top in range(0, height_px, strip_px):
        bottom = min(top + strip_px, height_px)
        y = ((np.arange(top, bottom, dtype=np.float32) + 0.5) * rows - 0.5)[:, None]
        map_x, map_y = np.broadcast_arrays(x, y)
        local = cv2.remap(
            stacked, map_x.copy(), map_y.copy(), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        color = rgb[top:bottom].astype(np.float32) / 255
        alpha[top:bottom] = (local[..., :3] * color).sum(axis=-1) + local[..., 3]
    return np.clip(alpha, 0, 1)
