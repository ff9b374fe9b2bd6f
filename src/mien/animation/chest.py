"""What of a photo stays when the head moves, though the neck would move what is as high: the chest.

A shoulder may be seen as high as the chin, a collar beside it; only hair there goes with the head.
"""

from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32

from mien.animation.detail import body_share
from mien.animation.plate import COVERED, from_axis, moving_weight, shown_weight
from mien.core.curves import smoothstep
from mien.core.nearest import flat_nearest
from mien.generator.render import RenderOutput
from mien.inversion.clothes import BEYOND, HIGH, clothes_of
from mien.inversion.evidence import PhotoEvidence, ball_of

AROUND: Final = 0.006
"""How far around the chest hair and stray pixels count to it, in sides of the region: else specks of its rim
move."""
STAINED: Final = 0.012
"""How far around the neck clothes may have its colour, in sides of the region."""
EVEN: Final = 0.01
"""Half width of the surroundings that decide what single pixels are, in sides of the region."""
RIM_BLUR_PX: Final = 1.0


def chest_share(
    rest: Float[torch.Tensor, "height width 3"], out: RenderOutput, evidence: PhotoEvidence, chin_y: float
) -> Float32[np.ndarray, "height width"]:
    """How far the photo's pixels show the chest; beside the person as the nearest pixel that does.

    rest: what `out`, a render of the photo's pose, shows, in the head's frame; `out` carries the points that
    the body would have there without clothes and raised shoulders: it moves as if it had not.
    """
    away = from_axis(rest)
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
    share = np.maximum(share, cv2.dilate(share, ball_of(evidence, AROUND)) * (1 - shown_body))
    share[box][stained(evidence, share[box] > 0.5)] = 0
    share[box] = without_crumbs(share[box])
    return cv2.GaussianBlur(share, (0, 0), RIM_BLUR_PX)


def without_crumbs(share: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "height width"]:
    """The share with an even border: what most of the surroundings are. Crumbs of a collar on the neck would
    stay behind as specks when it moves."""
    wide = 2 * max(1, round(EVEN * max(share.shape))) + 1
    stays = (share > 0.5).astype(np.uint8)
    even = cv2.medianBlur(stays, wide)
    return np.where(even == stays, share, even).astype(np.float32)


def stained(
    evidence: PhotoEvidence, stays: Bool[np.ndarray, "height width"]
) -> Bool[np.ndarray, "height width"]:
    """Where what would stay is near skin that moves and more like it than like what stays beyond: its rim."""
    shape = evidence.shape
    person, hair = evidence.alpha.view(shape).numpy() > 0.95, evidence.hair.view(shape).numpy() > 0.5
    skin = (person & ~hair & ~stays).astype(np.uint8)
    ball = ball_of(evidence, STAINED)
    rim = stays & (cv2.dilate(skin, ball) > 0)
    rgb = evidence.rgb.numpy()
    sources = cv2.erode(skin, ball) > 0, person & stays & ~rim
    near, beyond = (np.square(rgb - rgb[flat_nearest(mask).ravel()]).sum(-1) for mask in sources)
    return rim & (near < beyond).reshape(shape)
