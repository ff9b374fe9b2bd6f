"""The photo in parts: the plate without what moves, the background without the person, in-painted once."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8

from mien.animation.chest import RIM_BLUR_PX, chest_share
from mien.animation.plate import MOVED, filled_depth, shown_weight
from mien.generator.model import Generator
from mien.generator.render import PosedHead, make_hair_shell, render
from mien.inversion.clothes import SHOULDER
from mien.inversion.evidence import PhotoEvidence
from mien.inversion.invert import Inversion
from mien.morphable.carry import make_carrier
from mien.morphable.chart import AXIS_Z
from mien.morphable.fit import FaceFit
from mien.morphable.model import MorphableModel
from mien.tracking.background import inpaint_background

NECK: Final = 0.6
"""Widest opening of a collar, in sides of the crop."""


@dataclass(frozen=True, eq=False)
class Plates:
    """The photo's parts that do not move."""

    plate: UInt8[np.ndarray, "height width 3"]
    """The photo without what moves; the chest is kept."""
    background: UInt8[np.ndarray, "height width 3"]
    """Nobody is kept."""
    chest: UInt8[np.ndarray, "height width"]
    """See `chest_share`, of 255."""


def make_plates(
    rgb: UInt8[np.ndarray, "height width 3"], alpha: Float32[np.ndarray, "height width"],
    evidence: PhotoEvidence, fit: FaceFit, inversion: Inversion, generator: Generator, model: MorphableModel,
) -> Plates:  # fmt: skip
    """Part a photo in what moves and what stays."""
    height, width = rgb.shape[:2]
    neutral = fit.neutral(model)
    chin_y = model.chin_y(neutral)
    camera = fit.photo_camera(width, height)
    rays = camera.rays(height, width)
    bare = model.vertices(fit.identity, fit.expression).numpy()
    with torch.no_grad():
        carrier = make_carrier(model, neutral)
        planes = inversion.planes(generator, fit.expression)
        shell = make_hair_shell(generator, planes, model, carrier)
        head = PosedHead(model, fit.vertices(model).numpy(), carrier, carried=bare)
        out = render(generator, planes, head, camera, height, width, shell=shell)
    rest = rays.origins + rays.directions * filled_depth(out)[..., None]
    chest = chest_share(rest, out, evidence, chin_y)
    weight = (1 - chest) * shown_weight(rest, out, chin_y).numpy()
    t = np.clip((weight - MOVED[0]) / (MOVED[1] - MOVED[0]), 0, 1)
    plate = inpaint_background(rgb, (alpha * t).astype(np.float32))
    below = rest[..., 1].numpy() < chin_y
    stays, moves = alpha * (1 - t) > 0.5, alpha * t > 0.5
    neck_px = float(camera.project(torch.tensor([0.0, chin_y, AXIS_Z])).uv[0]) * width
    low = rest[..., 1].numpy() < chin_y + SHOULDER
    between = between_clothes(stays, below, evidence, fit.crop.side_px)
    hidden = behind_neck(stays, moves, low, neck_px)
    if hidden.any():
        clothes = inpaint_background(rgb, 1 - stays.astype(np.float32)).astype(np.float32)
        share = cv2.GaussianBlur((hidden & ~stays).astype(np.float32), (0, 0), RIM_BLUR_PX)
        plate = plate + share[..., None] * (clothes - plate)
    # The in-painter widens what it takes out, over the chest too.
    kept = (alpha * (1 - t * (1 - between)))[..., None]
    plate = np.round(plate + kept * (rgb.astype(np.float32) - plate)).clip(0, 255).astype(np.uint8)
    return Plates(plate, inpaint_background(rgb, alpha), (chest * 255 + 0.5).astype(np.uint8))


def behind_neck(
    stays: Bool[np.ndarray, "height width"], moves: Bool[np.ndarray, "height width"],
    low: Bool[np.ndarray, "height width"], neck_px: float,
) -> Bool[np.ndarray, "height width"]:  # fmt: skip
    """Where what moves may hide the back of a collar or the shoulders, not what is behind the person.

    That is below a line over the neck: from the highest place left of it where what moves meets what stays,
    if that is `low`, to the highest one right of it. neck_px: the column of the neck's axis.
    """
    behind = np.zeros(stays.shape, bool)
    rows, columns = np.nonzero(stays & low & (cv2.dilate(moves.astype(np.uint8), np.ones((3, 3))) > 0))
    left = columns < neck_px
    if left.all() or not left.any():
        return behind
    tops = [rows[side].argmin() for side in (left, ~left)]
    x = [columns[side][top] for side, top in zip((left, ~left), tops, strict=True)]
    y = [rows[side][top] for side, top in zip((left, ~left), tops, strict=True)]
    across = np.arange(x[0], x[1] + 1)
    line = np.interp(across, x, y)
    behind[:, across] = np.arange(stays.shape[0])[:, None] >= line
    return behind


def between_clothes(
    stays: Bool[np.ndarray, "height width"], below: Bool[np.ndarray, "height width"],
    evidence: PhotoEvidence, side_px: float,
) -> Float32[np.ndarray, "height width"]:  # fmt: skip
    """1 where skin `below` the chin has something that stays on both sides: in a collar there is a neck,
    however it turns, and not what is behind the person."""
    x0, y0, x1, y1 = evidence.box_px
    line = np.ones((1, 2 * round(NECK / 2 * side_px) + 1), np.uint8)
    between = cv2.morphologyEx(stays.astype(np.uint8), cv2.MORPH_CLOSE, line) * below.astype(np.float32)
    skin = np.zeros(stays.shape, np.float32)
    skin[y0:y1, x0:x1] = evidence.hair.view(evidence.shape).numpy() < 0.5
    return cv2.GaussianBlur(between * skin, (0, 0), RIM_BLUR_PX)
