"""Final frames in mien-base: at the driver's pose, the inverted face inside the re-projected mask.

Outside the mask is the avatar's own latent, as in Lin et al. 2022, but moved and with the frame's mesh; the
chest and the background are the photo's and stay where they are.
"""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.animation.detail import add_detail, moving_share, outline_share, places_of
from mien.animation.drive import STILL_WEIGHT, Canvas, Puppet, moving_box, posed, to_uint8, with_worn
from mien.animation.layer import Layer
from mien.animation.paper.edited import FaceView
from mien.animation.paper.masks import reproject_mask
from mien.core.camera import Camera
from mien.core.curves import smoothstep
from mien.generator.planes import Planes
from mien.generator.posed import carrying
from mien.generator.render import render
from mien.inversion.avatar import frame_size
from mien.inversion.evidence import region_camera
from mien.morphable.carry import HeadMotion

LEAST_SHARE: Final = 0.004
"""Masks below this, a grey level, are not drawn."""


def compose_frame(
    puppet: Puppet, tuned: Puppet, planes: Planes, canvas: Canvas, expression: Float[Tensor, "52"],
    motion: HeadMotion, view: FaceView, photo: Camera,
) -> UInt8[np.ndarray, "height width 3"]:  # fmt: skip
    """One frame: `puppet` around, `tuned` with a latent's `planes` inside the mask of `view`; `photo` is the
    camera of that mask."""
    head = posed(puppet, expression, motion)
    box = moving_box(puppet, canvas, head)
    image = canvas.plate.clone()
    if box is None:
        return to_uint8(image)
    x0, y0, x1, y1 = box
    camera = region_camera(canvas.camera, (image.shape[1], image.shape[0]), box)
    size, outline = (y1 - y0, x1 - x0), outline_share(puppet.detail, camera, motion)
    out = render(
        puppet.generator, puppet.planes, head, camera, *size, shell=puppet.shell, antialias=True,
        outline=outline,
    )  # fmt: skip
    height, width = frame_size(puppet.avatar)
    places = places_of(puppet.avatar.fit.photo_camera(width, height), out, camera, motion)
    around = out if puppet.detail is None else add_detail(puppet.detail, out, places, camera, motion)
    mask = reproject_mask(view.face, view.distance, photo, places.rest) * smoothstep(out.alpha, 0.05, 0.5)
    share = moving_share(puppet.detail, out, places, camera, motion.chin_y, STILL_WEIGHT)[..., None]
    face_head = carrying(head, None if tuned.detail is None else tuned.detail.carried)
    face = render(
        tuned.generator, planes, face_head, camera, *size, shell=puppet.shell, antialias=True,
        outline=outline, mask=(mask > LEAST_SHARE).numpy(),
    )  # fmt: skip
    if tuned.detail is not None:
        face = add_detail(tuned.detail, face, places, camera, motion)
    t = (mask * (mask > LEAST_SHARE))[..., None]
    rgb = torch.lerp(around.rgb, face.rgb, t)
    alpha = torch.lerp(around.alpha, face.alpha, t[..., 0])[..., None]
    layer = Layer((x0, y0), (rgb * share).numpy(), (alpha * share)[..., 0].numpy())
    layer = with_worn(puppet, layer, head, camera, out)
    part = image[y0:y1, x0:x1]
    image[y0:y1, x0:x1] = torch.from_numpy(layer.rgb) + (1 - torch.from_numpy(layer.cover)[..., None]) * part
    return to_uint8(image)
