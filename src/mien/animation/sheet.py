"""A picture of an avatar: the photo, its inversion, expressions, and turned views with depth and normals."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.animation.drive import Puppet, crop_canvas, render_orbit, to_uint8, turned_camera
from mien.core.arkit import ARKIT_INDEX
from mien.generator.samples import normal_picture
from mien.generator.view import depth_grey

YAWS_DEG = (-45, -22, 0, 22, 45)


def avatar_sheet(puppet: Puppet, size_px: int = 224) -> UInt8[np.ndarray, "height width 3"]:
    """A picture of the avatar uint8 [4 S, 5 S, 3].

    The photo, its inversion, the inversion's depth, the neutral face and a speaking one; then five yaw
    angles, their depth (nearer is lighter, alike in all), and their normals (red right, green up, blue to the
    viewer).
    """
    avatar = puppet.avatar
    canvas = crop_canvas(avatar, size_px, person=False)
    photo = avatar.fit.crop.sample(avatar.photo.numpy(), size_px)
    inversion, seen_from_photo = render_orbit(puppet, canvas)
    neutral = render_orbit(puppet, canvas, None, 0.0, torch.zeros(52))[0]
    speaking = render_orbit(
        puppet, canvas, np.radians(20), 0.0, _expression(jawOpen=0.6, mouthSmileLeft=0.3, mouthSmileRight=0.3)
    )[0]
    views, distances, normals = [], [seen_from_photo.depth], []
    for yaw in YAWS_DEG:
        picture, out = render_orbit(puppet, canvas, np.radians(yaw))
        camera = turned_camera(avatar.fit, canvas, np.radians(yaw))
        views.append(picture)
        distances.append(out.depth)
        normals.append(to_uint8(normal_picture(out, camera)))
    distance = torch.stack(distances)
    depths = [to_uint8(grey[..., None].expand(-1, -1, 3)) for grey in depth_grey(distance, distance > 0)]
    rows = [[photo, inversion, depths[0], neutral, speaking], views, depths[1:], normals]
    return np.concatenate([np.concatenate(row, 1) for row in rows])


def _expression(**values: float) -> Float[Tensor, "52"]:
    e = torch.zeros(52)
    for name, value in values.items():
        e[ARKIT_INDEX[name]] = value
    return e
