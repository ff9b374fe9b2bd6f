"""A person of known truth: the mean head with painted skin, before a wall, through a known camera."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from mien.animation.paper.source import PaperSource
from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera
from mien.core.geometry import axis_angle_to_matrix
from mien.morphable.crop import CropRegion
from mien.morphable.fit import FaceFit, orbit_camera
from mien.morphable.model import PARTS, MorphableModel, load_head_model
from mien.morphable.raster import interpolate_corners
from mien.morphable.zbuffer import PixelScene

SIZE = 192


def expression(**values: float) -> Tensor:
    """Coefficients by name."""
    out = torch.zeros(52)
    for name, value in values.items():
        out[ARKIT_INDEX[name]] = value
    return out


@dataclass(frozen=True)
class Painted:
    """What a camera sees."""

    rgb: np.ndarray
    alpha: np.ndarray
    face: np.ndarray
    """Index of the triangle, -1 beside the head."""


@dataclass(frozen=True)
class KnownHead:
    """The mean head whose skin is a smooth pattern over the chart."""

    model: MorphableModel
    R_camera_head: Tensor

    @property
    def camera(self) -> Camera:
        return orbit_camera(self.R_camera_head)

    def vertices(self, coefficients: Tensor) -> Tensor:
        return self.model.vertices(torch.zeros(self.model.component_count), coefficients)

    def paint(self, coefficients: Tensor, camera: Camera | None = None) -> Painted:
        """The truth: the same skin on the mesh with another expression."""
        scene = PixelScene(self.vertices(coefficients), self.model.faces, camera or self.camera, SIZE, SIZE)
        hits = scene.first_hits()
        u, v, _ = interpolate_corners(self.model.canonical_corners.numpy(), hits).T
        part = self.model.part_of_face.numpy()[np.maximum(hits.face, 0)]
        skin = np.stack(
            [0.72 + 0.12 * np.sin(19 * u + 3 * v), 0.55 + 0.1 * np.sin(23 * v), 0.45 + 0.08 * np.cos(17 * u)],
            1,
        )
        eye = np.isin(part, [PARTS.index("eye_left"), PARTS.index("eye_right")])
        skin[eye] = np.stack([0.9 + 0 * u, 0.9 - 0.3 * np.sin(40 * u), 0.95 + 0 * u], 1)[eye]
        skin[part > PARTS.index("eye_right")] = (0.25, 0.08, 0.08)
        wall = np.array([0.2, 0.35, 0.5])
        rgb = np.where(hits.hit[:, None], skin, wall).reshape(SIZE, SIZE, 3).clip(0, 1)
        return Painted(
            (rgb * 255 + 0.5).astype(np.uint8), hits.hit.reshape(SIZE, SIZE).astype(np.float32),
            hits.face.reshape(SIZE, SIZE),
        )  # fmt: skip

    def source(self, coefficients: Tensor, picture: np.ndarray | None = None) -> PaperSource:
        """The photo of an expression, with its exact fit."""
        seen = self.paint(coefficients)
        fit = FaceFit(
            torch.zeros(self.model.component_count), coefficients, self.R_camera_head, self.camera,
            CropRegion(SIZE / 2, SIZE / 2, float(SIZE)), 0.0, torch.zeros(478, 2),
        )  # fmt: skip
        points = self.camera.project(self.model.landmarks(self.vertices(coefficients))).uv * SIZE
        return PaperSource(
            seen.rgb if picture is None else picture, seen.alpha, np.zeros((SIZE, SIZE), np.float32),
            points.numpy().astype(np.float32), self.camera, fit, self.model, (0, 0, SIZE, SIZE),
        )  # fmt: skip


@pytest.fixture(scope="session")
def known() -> Callable[[float, float], KnownHead]:
    """A known head turned by yaw and pitch in degrees."""
    model = load_head_model()

    def made(yaw_deg: float, pitch_deg: float) -> KnownHead:
        yaw, pitch = np.radians(yaw_deg), np.radians(pitch_deg)
        R = axis_angle_to_matrix(torch.tensor([pitch, 0.0, 0.0])) @ axis_angle_to_matrix(
            torch.tensor([0.0, yaw, 0.0])
        )
        return KnownHead(model, R.float())

    return made
