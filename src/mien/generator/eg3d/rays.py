"""Rays of square images, as EG3D casts them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mien.core.camera import Camera, Rays


def camera_rays(cameras: Sequence[Camera], side_px: int, like: Tensor) -> Rays:
    """Rays [camera, ray] through the pixel centres of square images, row by row; placed as `like` is."""
    placed = [camera.to(like.device, dtype=like.dtype) for camera in cameras]
    directions = torch.stack([_directions(camera, side_px) for camera in placed])
    origins = torch.stack([camera.position for camera in placed])
    return Rays(origins[:, None].expand_as(directions), directions)


def _directions(camera: Camera, side_px: int) -> Float[Tensor, "ray 3"]:
    """Unit vectors in the world: `Camera.rays`, but rounded as EG3D rounds.

    The point at depth 1 goes to the world and the origin is subtracted again. That costs a digit, but a field
    with steep gradients then gives the very image that EG3D gives.
    """
    T, K = camera.T_world_camera, camera.intrinsics
    middle = (torch.arange(side_px, dtype=T.dtype, device=T.device) + 0.5) / side_px
    v, u = (grid.flatten() for grid in torch.meshgrid(middle, middle, indexing="ij"))
    (fx, skew, cx), (fy, cy) = K[0].unbind(), K[1, 1:].unbind()
    x = (u - cx + cy * skew / fy - skew * v / fy) / fx
    y = (v - cy) / fy
    one = torch.ones_like(x)
    points = (T @ torch.stack([x, y, one, one])).T[:, :3]
    return F.normalize(points - camera.position, dim=-1)
