"""Identity of faces by descriptors of a recognition network.

CSIM = a.b / (|a| |b|), the cosine of two descriptors. Range: -1 to 1, 1 for the same direction; no unit;
higher is better. Papers mostly take ArcFace's descriptors; mien has dlib's (`mien.evaluation.identity`),
whose 128 numbers were trained for Euclidean distance: say which. Source: Deng et al. 2019 (ArcFace), used so
by Zakharov et al. 2019.
"""

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mien.core.errors import InputError


def cosine_similarity(
    one: Float[np.ndarray, "*batch descriptor"], other: Float[np.ndarray, "*batch2 descriptor"]
) -> NDArray[np.float64]:
    """CSIM of descriptors along the last axis, broadcast. Raises InputError for a descriptor of length 0."""
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    length = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    if not (length > 0).all():
        raise InputError("A descriptor of zeros has no direction; leave out pictures without a face.")
    return np.asarray((a * b).sum(-1) / length)
