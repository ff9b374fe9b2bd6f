"""What an EG3D model shows in opened mouths: masked inversions of edited renders, once per avatar.

The photo with its mouth opened on the mesh has a hole there (`edited_render`). A latent is searched whose
picture agrees around the hole (Lin et al. 2022, section 3.2), starting from the person's own, and what it
shows inside is kept as a picture. A model that does not open its lips for that would show them in the hole,
so such a mouth is left out.
"""

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float32

from mien.animation.eg3d.actor import Eg3dActor
from mien.animation.paper.config import FAST, Passes
from mien.animation.paper.eg3d import MEAN_OF, KeyCrop, key_crop, own_picture, residual_of, search_latents
from mien.animation.paper.layers import layers_of
from mien.animation.paper.source import source_of
from mien.core.arkit import ARKIT_INDEX
from mien.inversion.eg3d.avatar import MouthKeys
from mien.inversion.eg3d.descent import Kept
from mien.inversion.eg3d.latent import MeanW, mean_w

OPENED: Final[tuple[dict[str, float], ...]] = (
    {"jawOpen": 0.25, "mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3,
     "mouthLowerDownLeft": 0.4, "mouthLowerDownRight": 0.4},
    {"jawOpen": 0.15, "mouthSmileLeft": 0.7, "mouthSmileRight": 0.7,
     "mouthUpperUpLeft": 0.4, "mouthUpperUpRight": 0.4},
    {"jawOpen": 0.65},
)  # fmt: skip
"""Talking, a smile that shows teeth, wide open; all else as in the photo."""
CONFIG: Final = replace(FAST, keeps_seen_mouth=False, joint=False, side_px=32)
RING: Final = 0.12
"""Around the opening, where lips must have moved: this share of its crop's face, as wide as a lip."""
MOVED: Final = 0.7
"""The picture's error there, over that of the person's own latent, with which a mouth counts as opened."""


def key_mouths(actor: Eg3dActor, steps: int, *, kept: Kept | None = None) -> MouthKeys | None:
    """Search `steps` steps for each opened mouth; None if the model opens none.

    Deterministic; what `kept` holds is gone on from.
    """
    source = source_of(actor.avatar, actor.model)
    layers, place = layers_of(source), actor.place
    expressions = torch.stack([_opened(place.expression, values) for values in OPENED])
    crops = [key_crop(actor, layers, expression, CONFIG) for expression in expressions]
    config = replace(CONFIG, first_steps=steps, frame_steps=steps)
    start, passes = residual_of(actor), Passes()
    own = actor.avatar.inversion.w.to(actor.device)
    first = MeanW(own, mean_w(actor.generator, place.camera.to(actor.device), MEAN_OF).deviation)
    shut = own_picture(actor, own, start, passes)
    found: list[tuple[torch.Tensor, np.ndarray, np.ndarray]] = []
    for k, crop in enumerate(crops):  # each from the person's own latent: they are no sequence
        w = search_latents(actor, [crop], first, start, np.zeros(1), config, passes, kept, name=f"mouth-{k}")
        picture = own_picture(actor, w, start, passes)
        if has_opened(crop, picture, shut):
            found.append((expressions[k], picture, crop.opening))
    if not found:
        return None
    rows, pictures, openings = zip(*found, strict=True)
    return MouthKeys(
        torch.stack(rows), *(torch.from_numpy(_bytes(np.stack(maps))) for maps in (pictures, openings))
    )


def has_opened(
    crop: KeyCrop, picture: Float32[np.ndarray, "side side 3"], shut: Float32[np.ndarray, "side side 3"]
) -> bool:
    """Whether a picture follows the edit around the mouth's opening better than the shut one does."""
    width = int(RING * np.ptp(np.flatnonzero((crop.face > 0.5).any(0)))) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    ring = cv2.dilate((crop.opening > 0.5).astype(np.float32), kernel) * crop.face
    after, before = (float((np.abs(p - crop.rgb).mean(-1) * ring).sum()) for p in (picture, shut))
    return after < MOVED * before


def _opened(rest: torch.Tensor, values: dict[str, float]) -> torch.Tensor:
    out = rest.clone()
    for name, value in values.items():
        out[ARKIT_INDEX[name]] = max(value, float(out[ARKIT_INDEX[name]]))
    return out


def _bytes(picture: np.ndarray) -> np.ndarray:
    return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)
