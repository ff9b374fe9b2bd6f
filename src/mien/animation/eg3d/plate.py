"""Plates of an EG3D avatar: the photo without its moving head, and without the person."""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

from mien.animation.plate import MOVED, moving_weight, nearest_index
from mien.core.curves import smoothstep
from mien.generator.eg3d.generator import Eg3dRender
from mien.generator.texels import blurred
from mien.inversion.eg3d.avatar import Placement
from mien.morphable.crop import CropRegion
from mien.tracking.background import inpaint_background

EDGE: Final = (0.0, 0.05)
"""Shares of the crop's side over which pictures fade at its border."""
COVERED: Final = 0.3
"""Alpha of the generator's picture from which it shows something."""
BEYOND: Final = 0.02
"""How far around what the generator draws the person still is taken out of the plate, in sides of the crop:
stray hair, but not the collar beside a neck."""


def eg3d_plates(
    rgb: UInt8[np.ndarray, "height width 3"], alpha: Float32[np.ndarray, "height width"], place: Placement,
    out: Eg3dRender, chin_y: float,
) -> tuple[UInt8[np.ndarray, "height width 3"], UInt8[np.ndarray, "height width 3"]]:  # fmt: skip
    """Plate (chest kept) and background (nobody kept); `out` is the inversion through the photo's camera."""
    height, width = rgb.shape[:2]
    weight = _neck_weight(place, out, chin_y)
    t = smoothstep(weight, *MOVED)[..., None]
    moved = over_photo(t, place.crop, (height, width))[..., 0].numpy()
    moved = moved * border((height, width), place.crop).numpy()
    plate = inpaint_background(rgb, (alpha * moved).astype(np.float32))
    kept = (alpha * (1 - moved))[..., None]  # the in-painter widens what it takes out, over the chest too
    plate = np.round(plate + kept * (rgb.astype(np.float32) - plate)).clip(0, 255).astype(np.uint8)
    return plate, inpaint_background(rgb, alpha)


def over_photo(
    image: Float[Tensor, "size size channel"], crop: CropRegion, shape: tuple[int, int]
) -> Float[Tensor, "height width channel"]:
    """A picture of the crop laid where it is in a frame of this height and width; its edge beyond it."""
    side = max(round(crop.side_px), 1)
    planar = image.permute(2, 0, 1)[None]
    if side < image.shape[0]:  # averages, so that nothing flickers
        planar = F.interpolate(
            planar, size=(side, side), mode="bilinear", antialias=True, align_corners=False
        )
    grid = _crop_coordinates(crop, shape)[None] * 2 - 1
    found = F.grid_sample(planar, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return found[0].permute(1, 2, 0)


def border(shape: tuple[int, int], crop: CropRegion) -> Float[Tensor, "height width"]:
    """1 inside the crop, 0 outside, soft at its edge."""
    uv = _crop_coordinates(crop, shape)
    return smoothstep(torch.minimum(uv, 1 - uv).amin(-1), *EDGE)


def _crop_coordinates(crop: CropRegion, shape: tuple[int, int]) -> Float[Tensor, "height width 2"]:
    """Crop coordinates in [0, 1] of a frame's pixel centres."""
    height, width = shape
    x, y = torch.meshgrid(torch.arange(width) + 0.5, torch.arange(height) + 0.5, indexing="xy")
    corner = torch.tensor(crop.corner_px)
    return ((torch.stack([x, y], -1) - corner) / crop.side_px).float()


def _neck_weight(place: Placement, out: Eg3dRender, chin_y: float) -> Float[Tensor, "side side"]:
    """How far the neck moves what each pixel of the photo's view shows; not at all far from what is drawn."""
    distance, met = out.depth[0, 0].cpu(), out.alpha[0, 0].cpu()
    rays = place.camera.rays(*distance.shape)
    filled = distance[nearest_index(met > COVERED)]
    weight = moving_weight(place.to_head(rays.origins + rays.directions * filled[..., None]), chin_y)
    radius = max(round(BEYOND * len(met)), 1)
    near = F.max_pool2d((met > COVERED).float()[None, None], 2 * radius + 1, 1, radius)[0, 0]
    return weight * blurred(near[None], 2 * radius)[0]
