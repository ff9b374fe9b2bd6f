"""A picture of an avatar: the photo, its inversion, depth, expressions, and turned views."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.animation.drive import Puppet, crop_canvas, render_orbit
from mien.core.arkit import ARKIT_INDEX

YAWS_DEG = (-45, -22, 0, 22, 45)


def avatar_sheet(puppet: Puppet, size_px: int = 224) -> UInt8[np.ndarray, "height width 3"]:
    """A picture of the avatar uint8 [2 S, 5 S, 3]: photo, inversion, depth, expressions; five yaw angles."""
    avatar = puppet.avatar
    canvas = crop_canvas(avatar, size_px, person=False)
    photo = avatar.fit.crop.sample(avatar.photo.numpy(), size_px)
    views = [render_orbit(puppet, canvas, np.radians(yaw))[0] for yaw in YAWS_DEG]
    inversion, seen_from_photo = render_orbit(puppet, canvas)
    depth = seen_from_photo.depth.numpy()
    seen = depth > 0
    low, high = (np.quantile(depth[seen], q) for q in (0.01, 0.99)) if seen.any() else (0.0, 1.0)
    grey = (
        np.where(seen, 255 * (1 - 0.8 * (depth - low) / max(high - low, 1e-6)), 0)
        .clip(0, 255)
        .astype(np.uint8)
    )
    neutral = render_orbit(puppet, canvas, None, 0.0, torch.zeros(52))[0]
    speaking = render_orbit(
        puppet, canvas, np.radians(20), 0.0, _expression(jawOpen=0.6, mouthSmileLeft=0.3, mouthSmileRight=0.3)
    )[0]
    top = [photo, inversion, np.repeat(grey[..., None], 3, 2), neutral, speaking]
    return np.concatenate([np.concatenate(top, 1), np.concatenate(views, 1)])


def _expression(**values: float) -> Float[Tensor, "52"]:
    e = torch.zeros(52)
    for name, value in values.items():
        e[ARKIT_INDEX[name]] = value
    return e
