"""A moved head's layer from its render, with the photo's detail, in compiled loops; plainly:
`drive.plain_layer`."""

import math
from typing import Final

import cv2
import numpy as np
import torch

from mien.animation.detail import (
    BESIDE_BLUR_PX,
    CARD_DEG,
    TURN_DEG,
    PhotoDetail,
    level_of,
    shift_nearby,
    turn_of,
    without_specks,
)
from mien.animation.layer import Layer
from mien.animation.plate import COVERED
from mien.core.camera import Camera
from mien.core.curves import smoothstep
from mien.core.nearest import flat_nearest
from mien.generator.fasthair import motion_numbers
from mien.generator.posed import NECK_STEPS
from mien.generator.render import RenderOutput
from mien.morphable.carry import HeadMotion
from mien.morphable.zbuffer import ray_of_pixel

OUTLINE_BLUR_PX: Final = 1.5
AROUND_PX: Final = 3
"""How far around what is shown the detail is looked up, as its weight is blurred."""


def fast_layer(
    detail: PhotoDetail, out: RenderOutput, camera: Camera, motion: HeadMotion, corner_px: tuple[int, int],
    still: tuple[float, float],
) -> Layer:  # fmt: skip
    """What `out`, seen by `camera`, shows of the head; `still`: neck weights between which it is shown."""
    from mien.animation.kernels.detail import find_places, gather, lay_over, look_up

    alpha, hair_alpha, carried = out.alpha.numpy(), out.hair_alpha.numpy(), out.carried.numpy()
    nearest = flat_nearest(alpha > COVERED[0])
    share, neck, distance, shift, weight, rim, beside, cover = np.empty((8, *alpha.shape), np.float32)
    uv_rest, step, spread = np.empty((3, *alpha.shape, 2), np.float32)
    now = np.empty((*alpha.shape, 3), np.float32)
    fine, person = np.empty((2, *alpha.shape, 4), np.float32)
    rgb, outline = np.empty((*alpha.shape, 3), np.float32), np.empty_like(alpha)
    photo, ray = detail.camera, camera.R_world_camera.double() @ ray_of_pixel(camera, *alpha.shape)
    position, towards, own, intrinsics = (
        np.ascontiguousarray(part.double().numpy())
        for part in (camera.position, photo.R_world_camera.T, photo.position, photo.intrinsics)
    )
    find_places(
        alpha, out.depth.numpy(), hair_alpha, carried, nearest, ray.numpy(), position, motion_numbers(motion),
        NECK_STEPS, towards, own, intrinsics, share, neck, uv_rest, step, distance, shift, now,
    )  # fmt: skip
    shift = shift_nearby(shift, alpha, hair_alpha)
    gather(step, nearest, spread)
    spread = cv2.GaussianBlur(spread, (0, 0), BESIDE_BLUR_PX)
    shown = cv2.dilate((share > still[0]).astype(np.uint8), np.ones((2 * AROUND_PX + 1,) * 2, np.uint8))
    turn_deg = torch.tensor(math.degrees(turn_of(photo, camera, motion)))
    per_shift = float(photo.intrinsics[1, 1]) * detail.levels[0].shape[2]
    look_up(
        detail.tables[level_of(detail, camera, alpha.shape)], alpha, hair_alpha, out.planes[..., 1].numpy(),
        neck, uv_rest, step, spread, distance, shift, now, shown, per_shift,
        float(smoothstep(turn_deg, *TURN_DEG)), still, share, weight, fine, person, rim, beside,
    )  # fmt: skip
    weight = without_specks(torch.from_numpy(weight)).numpy()
    gather(rim[..., None], nearest, outline[..., None])
    outline = cv2.GaussianBlur(outline, (0, 0), OUTLINE_BLUR_PX)
    card = 1 - float(smoothstep(turn_deg, *CARD_DEG))
    lay_over(out.rgb.numpy(), alpha, share, weight, fine, person, beside, outline, card, rgb, cover)
    return Layer(corner_px, rgb, cover)
