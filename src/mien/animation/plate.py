"""Plates: the photo without what moves, and the photo without the person, in-painted once."""

from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from mien.generator.model import Generator
from mien.generator.render import PosedHead, make_hair_shell, render
from mien.inversion.evidence import region_camera, region_of_interest
from mien.inversion.invert import Inversion
from mien.morphable.carry import make_carrier
from mien.morphable.chart import AXIS_Z
from mien.morphable.fit import FaceFit
from mien.morphable.model import MorphableModel, neck_weight
from mien.tracking.background import inpaint_background

MOVED: Final = (0.3, 0.55)
"""Neck weights between which the person's pixels leave the plate; the render has taken over before."""
WIDE: Final = (0.19, 0.28)
"""Distances from the neck's axis between which what is low belongs to the shoulders and stays, EG3D units."""


def moving_weight(rest: Float[Tensor, "*batch 3"], chin_y: float) -> Float[Tensor, "*batch"]:
    """How far the neck moves points of the rest pose, in [0, 1]; less on the shoulders than near the neck."""
    weight = neck_weight(rest[..., 1], chin_y)
    wide = smoothstep(torch.hypot(rest[..., 0], rest[..., 2] - AXIS_Z), *WIDE)
    return weight * (1 - wide * (1 - smoothstep(weight, 0.5, 0.9)))


def smoothstep(x: Float[Tensor, "*batch"], low: float, high: float) -> Float[Tensor, "*batch"]:
    """0 below low, 1 above high, cubic between."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def make_plates(
    rgb: UInt8[np.ndarray, "height width 3"], alpha: Float32[np.ndarray, "height width"], fit: FaceFit,
    inversion: Inversion, generator: Generator, model: MorphableModel,
) -> tuple[UInt8[np.ndarray, "height width 3"], UInt8[np.ndarray, "height width 3"]]:  # fmt: skip
    """Plate (chest kept) and background (nobody kept)."""
    weight = photo_neck_weight(rgb.shape[:2], fit, inversion, generator, model)
    t = np.clip((weight - MOVED[0]) / (MOVED[1] - MOVED[0]), 0, 1)
    return inpaint_background(rgb, (alpha * t).astype(np.float32)), inpaint_background(rgb, alpha)


def photo_neck_weight(
    shape: tuple[int, ...], fit: FaceFit, inversion: Inversion, generator: Generator, model: MorphableModel
) -> Float32[np.ndarray, "height width"]:
    """How far the neck would move what each photo pixel shows; beyond the render, by the height there."""
    height, width = shape[:2]
    neutral = model.vertices(fit.identity, torch.zeros(52))
    chin_y = model.chin_y(neutral)
    camera = fit.photo_camera(width, height)
    rays = camera.rays(height, width)
    distance = torch.full((height, width), float(fit.camera.T_world_camera[:3, 3].norm()))
    x0, y0, x1, y1 = box = region_of_interest(fit, width, height)
    with torch.no_grad():
        carrier = make_carrier(model, neutral)
        planes = inversion.planes(generator, fit.expression)
        shell = make_hair_shell(generator, planes, model, carrier)
        head = PosedHead(model, fit.vertices(model).numpy(), carrier)
        out = render(
            generator,
            planes,
            head,
            region_camera(camera, (width, height), box),
            y1 - y0,
            x1 - x0,
            shell=shell,
        )
    part = distance[y0:y1, x0:x1]
    distance[y0:y1, x0:x1] = torch.where(out.depth > 0, out.depth, part)
    return moving_weight(rays.origins + rays.directions * distance[..., None], chin_y).numpy()
