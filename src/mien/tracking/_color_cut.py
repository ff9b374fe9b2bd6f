"""Deciding by colour where the network is in doubt."""

import cv2
import numpy as np

from mien.tracking._types import Alpha, Rgb

CUT_PX = 320
"""Longest side at which the graph is cut."""
DOUBT = (0.15, 0.85)
"""Probabilities between these are open to the cut."""
SHARE = 0.65
"""How much of the cut's answer is mixed into the network's."""
ITERATIONS = 3


def decide_by_color(rgb: Rgb, probability: Alpha, *, face_px: float) -> Alpha:
    """The probability with doubtful pixels pulled to what GrabCut says of them.

    GrabCut (Rother, Kolmogorov and Blake, 2004) learns the colours of both sides from the pixels that the
    network is sure of, so a dark wall beside a dark coat goes to the wall although the network is torn.
    """
    scale = min(1.0, CUT_PX / max(probability.shape))
    size = (max(round(probability.shape[1] * scale), 1), max(round(probability.shape[0] * scale), 1))
    small_rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(probability, size, interpolation=cv2.INTER_AREA)
    low, high = DOUBT
    labels = np.where(small < 0.5, cv2.GC_PR_BGD, cv2.GC_PR_FGD).astype(np.uint8)
    labels[small <= low] = cv2.GC_BGD
    labels[small >= high] = cv2.GC_FGD
    sure = [int((labels == label).sum()) for label in (cv2.GC_BGD, cv2.GC_FGD)]
    if min(sure) < 16 or sum(sure) == labels.size:  # no colours to learn from, or nothing in doubt
        return probability
    cv2.setRNGSeed(0)  # the mixtures start from k-means of OpenCV's own generator; the answer must not wander
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    no_box = (0, 0, 1, 1)  # not looked at, as the labels say it all
    cv2.grabCut(small_rgb, labels, no_box, background, foreground, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    cut = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    soft = cv2.GaussianBlur(cut, (0, 0), 0.02 * face_px * scale + 0.5)
    person = cv2.resize(soft, (probability.shape[1], probability.shape[0]), interpolation=cv2.INTER_LINEAR)
    in_doubt = (probability > low) & (probability < high)
    mixed = np.where(in_doubt, probability + SHARE * (person - probability), probability)
    return mixed.astype(np.float32)
