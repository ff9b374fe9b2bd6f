"""Clothes beside the neck, told from hair by colour: hair as seen above the chin, clothes as seen far from it
and where nothing hangs from the head."""

from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from mien.inversion.evidence import PhotoEvidence, touching

BEYOND: Final = (0.28, 0.4)
"""Distances from the neck's axis between which nothing moves that is not above the chin, EG3D units."""
HIGH: Final = (0.0, 0.08)
"""Heights over the chin between which that ends."""
SHOULDER: Final = 0.12
"""Height over the chin, about that of the mouth, that clothes reach up to."""
DEEP: Final = -0.08
"""Height that they reach down to, if the picture does: tufts of a beard beside the jaw do not."""
HAIR_FROM: Final = 0.15
"""Height over the chin from which on the colours of hair and skin are learnt."""
LEAST_SEEN: Final = 0.002
"""Share of the region's pixels of hair, and of clothes, from which on they are compared."""
WORKING_PX: Final = 256
"""Longest side at which hair is parted from clothes."""
THIN_PX: Final = 5
"""Width of the thinnest piece of clothes, and of what connects hair, at that size."""
CUTS: Final = 3
"""Times that colours are learnt anew."""


def clothes_of(
    evidence: PhotoEvidence, above_chin: Float32[np.ndarray, "height width"],
    away: Float32[np.ndarray, "height width"],
) -> Float32[np.ndarray, "height width"]:  # fmt: skip
    """1 where what counts as hair in a photo's region is clothes; above_chin and away: how high over the chin
    and how far from the neck's axis what the pixels show is.

    What may be either goes to what it is more like and less parted from by edges (Rother et al. 2004), hair
    above the chin and clothes known to be such.
    """
    shape = evidence.shape
    worn = evidence.worn.view(shape).numpy() > 0.5
    hair = evidence.hair.view(shape).numpy() > 0.5
    rgb = (evidence.rgb.numpy().reshape(*shape, 3) * 255 + 0.5).astype(np.uint8)
    scale = min(1.0, WORKING_PX / max(shape))
    size = (max(round(shape[1] * scale), 1), max(round(shape[0] * scale), 1))
    skin = evidence.body_hit.view(shape).numpy() & ~hair & (evidence.alpha.view(shape).numpy() > 0.9)
    low = hair & (above_chin < SHOULDER)
    known = above_chin > HAIR_FROM
    names = {
        "low": low, "worn": low & worn, "wide": low & (away > BEYOND[1]) & (above_chin < HIGH[0]),
        "hair": hair, "top": hair & known, "skin": skin & known, "deep": above_chin < DEEP,
    }  # fmt: skip
    m = {
        k: cv2.resize(v.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
        for k, v in names.items()
    }
    m["deep"][-1] = True  # the picture's lower edge
    # A dark suit hangs together with dark hair, but by the rim of the neck.
    thick = opened(m["hair"])
    likely = opened(m["worn"]) | (m["low"] & thick & ~touching(thick, m["top"]))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    found = _cut(small, m["low"], likely, opened(m["wide"]), m["top"] | m["skin"])
    found = touching(opened(found), m["deep"])
    share = cv2.resize(found.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR)
    return (share > 0.5) * low.astype(np.float32)


def opened(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """A mask without what is thinner than `THIN_PX`."""
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (THIN_PX, THIN_PX))
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, ball) > 0


def _cut(
    rgb: UInt8[np.ndarray, "height width 3"], low: Bool[np.ndarray, "height width"],
    likely: Bool[np.ndarray, "height width"], sure: Bool[np.ndarray, "height width"],
    head: Bool[np.ndarray, "height width"],
) -> Bool[np.ndarray, "height width"]:  # fmt: skip
    """Which pixels that are `low` are clothes, as some likely and some surely are; others are of the head."""
    clothes = likely | sure
    if min(clothes.sum(), head.sum()) < LEAST_SEEN * head.size:
        return clothes
    label = np.full(head.shape, cv2.GC_BGD, np.uint8)
    label[low] = cv2.GC_PR_FGD
    label[likely] = cv2.GC_PR_BGD
    label[sure] = cv2.GC_BGD
    label[head] = cv2.GC_FGD
    other = ~(low | head | clothes)
    picture = np.where(other[..., None], rgb[clothes].mean(0), rgb).astype(np.uint8)
    cv2.setRNGSeed(0)
    cv2.grabCut(
        picture, label, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), CUTS, cv2.GC_INIT_WITH_MASK
    )
    return low & ((label == cv2.GC_BGD) | (label == cv2.GC_PR_BGD))
