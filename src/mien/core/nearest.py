"""The nearest of some pixels."""

import cv2
import numpy as np
from jaxtyping import Bool, Int


def flat_nearest(valid: Bool[np.ndarray, "height width"]) -> Int[np.ndarray, "height width"]:
    """Of every pixel the nearest valid one, as row times width plus column; itself if none is valid."""
    if valid.all() or not valid.any():
        return np.arange(valid.size).reshape(valid.shape)
    empty = (~valid).astype(np.uint8)
    label = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    place = np.zeros(label.max() + 1, np.int64)
    place[label[valid]] = np.flatnonzero(valid)
    return place[label]
