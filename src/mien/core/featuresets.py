"""Distances between two sets of features: the formulas behind FID and KID, for training and evaluation."""

import numpy as np
from jaxtyping import Float
from scipy import linalg


def frechet_distance(a: Float[np.ndarray, "n feature"], b: Float[np.ndarray, "m feature"]) -> float:
    """Between normal distributions fitted to two sets of features (FID, Heusel et al. 2017, eq. 6).

    |ma - mb|^2 + tr(Sa + Sb - 2 sqrt(Sa Sb)), covariances over n - 1; squared units of the features, 0 to
    infinity. Biased upwards for small sets: compare only sets of the same size.
    """
    gap = a.mean(0) - b.mean(0)
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    root = linalg.sqrtm(cov_a @ cov_b)
    return float(gap @ gap + np.trace(cov_a + cov_b - 2 * np.real(root)))


def kernel_distance(a: Float[np.ndarray, "n feature"], b: Float[np.ndarray, "m feature"]) -> float:
    """Unbiased squared MMD with the kernel (x.y / features + 1)^3 (KID, Binkowski et al. 2018, section 4).

    About 0 for sets of the same distribution, then also below 0; no upper bound.
    """
    size = a.shape[1]

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.asarray((x @ y.T / size + 1) ** 3)

    def within(x: np.ndarray) -> float:
        k, n = kernel(x, x), len(x)
        return float((k.sum() - np.trace(k)) / (n * (n - 1)))

    return within(a) + within(b) - 2 * float(kernel(a, b).mean())
