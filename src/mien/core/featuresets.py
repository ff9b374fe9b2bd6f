"""Distances between two sets of features: the formulas behind FID and KID, for training and evaluation."""

import numpy as np
from jaxtyping import Float


def frechet_distance(a: Float[np.ndarray, "n feature"], b: Float[np.ndarray, "m feature"]) -> float:
    """Between normal distributions fitted to two sets of features (FID, Heusel et al. 2017, eq. 6).

    |ma - mb|^2 + tr(Sa + Sb - 2 sqrt(Sa Sb)), covariances over n - 1; squared units of the features, 0 to
    infinity. Biased upwards for small sets: compare only sets of the same size. With Sa = A'A and Sb = B'B
    the trace of sqrt(Sa Sb) is the sum of the singular values of AB', also with fewer vectors than features.
    """
    gap = a.mean(0) - b.mean(0)
    root_a, root_b = (_covariance_root(x) for x in (a, b))
    both = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    return float(gap @ gap + np.square(root_a).sum() + np.square(root_b).sum() - 2 * both)


def _covariance_root(x: Float[np.ndarray, "n feature"]) -> Float[np.ndarray, "k feature"]:
    """R with R'R the covariance over n - 1."""
    centred = (x - x.mean(0)) / np.sqrt(len(x) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r") if len(x) > x.shape[1] else centred)


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
