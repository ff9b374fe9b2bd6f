"""A person who is a ball, in an EG3D generator: solid, coloured, and where a head would be."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mien.animation.eg3d.actor import Eg3dActor, make_actor
from mien.animation.eg3d.plate import eg3d_plates
from mien.core.arkit import ARKIT_INDEX
from mien.core.viewpoint import ViewAngles
from mien.generator.eg3d.checkpoint import load_eg3d
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.inversion.eg3d.avatar import Eg3dAvatar, placement_of
from mien.inversion.eg3d.invert import Eg3dInversion
from mien.morphable.crop import CropRegion
from mien.morphable.eg3d.alignment import place
from mien.morphable.eg3d.crop import standard_head
from mien.morphable.fit import FaceFit, orbit_camera
from mien.morphable.model import MorphableModel, load_head_model

PHOTO = (120, 100)
"""Height and width."""


@pytest.fixture(scope="session")
def model() -> MorphableModel:
    return load_head_model()


@pytest.fixture(scope="session")
def ball(ball_file: Path) -> Eg3dGenerator:
    return load_eg3d(ball_file)


@pytest.fixture(scope="session")
def avatar(ball: Eg3dGenerator, model: MorphableModel) -> Eg3dAvatar:
    """A photo of smooth colours in which the ball is the person, a little turned and smiling."""
    expression = torch.zeros(52)
    expression[ARKIT_INDEX["mouthSmileLeft"]] = 0.3
    R, crop = torch.eye(3), CropRegion(50.5, 55.25, 80.0)
    none = FaceFit(
        torch.zeros(model.component_count), expression, R, orbit_camera(R), crop, 0.0, torch.zeros(478, 2)
    )
    alignment = place(
        ViewAngles(0.2, 0.05, 0.0), torch.tensor([0.0, 0.0, 2.683], dtype=torch.float64),
        torch.from_numpy(standard_head(model).origin), image=np.zeros((512, 512, 3), np.uint8), crop=crop,
        fit=none,
    )  # fmt: skip
    where = placement_of(alignment, 1.0)
    w = torch.zeros(1, 512)
    out = ball.render(ball.planes(w), w, where.camera)
    height, width = PHOTO
    y, x = np.mgrid[:height, :width]
    rgb = np.stack([60 + x, 40 + y, 160 - x * 0.5], -1).astype(np.uint8)
    distance = np.hypot(x - crop.centre_x_px, y - crop.centre_y_px)
    alpha = np.clip((30 - distance) / 2, 0, 1).astype(np.float32)
    plate, background = eg3d_plates(rgb, alpha, where, out, model.chin_y(model.mean))
    pictures = [
        torch.from_numpy(np.array(p)) for p in (rgb, (alpha * 255).astype(np.uint8), plate, background)
    ]
    return Eg3dAvatar(
        Eg3dInversion(w, {}, 0.0),
        where,
        pictures[0],
        pictures[1],
        pictures[2],
        pictures[3],
        {"photo": "ball.png"},
    )


@pytest.fixture(scope="session")
def actor(avatar: Eg3dAvatar, ball: Eg3dGenerator, model: MorphableModel) -> Eg3dActor:
    return make_actor(avatar, ball, model)
