"""What of a photo stays when the head moves, though the neck would move what is as high: the chest.

A shoulder may be seen as high as the chin, a collar beside it; only hair there goes with the head. Hair and
clothes are told by colour: hair as seen above the chin, clothes as seen far from the neck and where nothing
hangs from the head.
"""

from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8

from mien.animation.detail import body_share
from mien.animation.plate import COVERED, flat_nearest, moving_weight, shown_weight
from mien.core.curves import smoothstep
from mien.generator.render import RenderOutput
from mien.inversion.evidence import PhotoEvidence, touching
from mien.morphable.chart import AXIS_Z

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
AROUND: Final = 0.006
"""How far around the chest hair and stray pixels count to it, in sides of the region: else specks of its rim
move."""
STAINED: Final = 0.012
"""How far around the neck clothes may have its colour, in sides of the region."""
RIM_BLUR_PX: Final = 1.0


def chest_share(
    rest: Float[torch.Tensor, "height width 3"], out: RenderOutput, evidence: PhotoEvidence, chin_y: float
) -> Float32[np.ndarray, "height width"]:
    """How far the photo's pixels show the chest; beside the person as the nearest pixel that does.

    rest: what `out`, a render of the photo's pose, shows, in the head's frame; `out` carries the points that
    the body would have there without clothes and raised shoulders: it moves as if it had not.
    """
    away = torch.hypot(rest[..., 0], rest[..., 2] - AXIS_Z)
    wide = smoothstep(away, *BEYOND)
    wide = wide * (1 - smoothstep(rest[..., 1] - chin_y, *HIGH))
    share = wide.numpy().copy()
    x0, y0, x1, y1 = evidence.box_px
    box = np.s_[y0:y1, x0:x1]
    worn = clothes_of(evidence, rest[box][..., 1].numpy() - chin_y, away[box].numpy())
    share[box] = np.maximum(share[box], worn)
    high = shown_weight(rest, out, chin_y)
    bare = moving_weight(out.carried, chin_y)
    body = body_share(out) * (out.alpha > COVERED[1])
    shown_body = body.numpy()
    body = body * (1 - (bare / high.clamp(min=1e-3)).clamp(max=1))
    share = 1 - (1 - share) * (1 - body.numpy())
    inside = np.zeros(share.shape, bool)
    inside[box] = evidence.alpha.view(evidence.shape).numpy() > 0.95
    share = share.reshape(-1)[flat_nearest(inside)].astype(np.float32)
    radius_px = max(round(AROUND * max(evidence.shape)), 1)
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1,) * 2)
    share = np.maximum(share, cv2.dilate(share, ball) * (1 - shown_body))
    share[box][stained(evidence, share[box] > 0.5)] = 0
    return cv2.GaussianBlur(share, (0, 0), RIM_BLUR_PX)


def stained(
    evidence: PhotoEvidence, stays: Bool[np.ndarray, "height width"]
) -> Bool[np.ndarray, "height width"]:
    """Where what would stay is near skin that moves and more like it than like what stays beyond: its rim."""
    shape = evidence.shape
    person, hair = evidence.alpha.view(shape).numpy() > 0.95, evidence.hair.view(shape).numpy() > 0.5
    skin = (person & ~hair & ~stays).astype(np.uint8)
    radius_px = max(round(STAINED * max(shape)), 1)
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1,) * 2)
    rim = stays & (cv2.dilate(skin, ball) > 0)
    rgb = evidence.rgb.numpy()
    sources = cv2.erode(skin, ball) > 0, person & stays & ~rim
    near, beyond = (np.square(rgb - rgb[flat_nearest(mask).ravel()]).sum(-1) for mask in sources)
    return rim & (near < beyond).reshape(shape)


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
