"""Painted heads with known coefficients, for the tests of the morphable model and its fit."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from mien.core.arkit import ARKIT_INDEX
from mien.core.geometry import axis_angle_to_matrix
from mien.morphable.fit import orbit_camera
from mien.morphable.landmarks import LIPS_INNER, LIPS_OUTER
from mien.morphable.model import PARTS, MorphableModel, load_head_model
from mien.morphable.raster import cast_rays, interpolate, vertex_normals
from mien.tracking.faces import FaceObservation

IMAGE_PX = 512


@dataclass(frozen=True, eq=False)
class KnownHead:
    """A head whose coefficients and pose are known."""

    identity: Tensor
    expression: Tensor
    vertices: Tensor
    R_camera_head: Tensor

    def project_px(self, xyz: Tensor, size_px: int = IMAGE_PX) -> np.ndarray:
        """Pixels of head points in a picture that is the aligned crop."""
        return (orbit_camera(self.R_camera_head).project(xyz).uv * size_px).numpy()


@pytest.fixture(scope="session")
def model() -> MorphableModel:
    return load_head_model()


@pytest.fixture(scope="session")
def known_heads(model: MorphableModel) -> Callable[[int, int], list[KnownHead]]:
    return lambda seed, count: [_known_head(model, np.random.default_rng((seed, k))) for k in range(count)]


@pytest.fixture(scope="session")
def render(model: MorphableModel) -> Callable[[KnownHead], np.ndarray]:
    colours = paint(model)
    return lambda head: _render(model, colours, head)


@pytest.fixture(scope="session")
def exact_observation(model: MorphableModel) -> Callable[..., FaceObservation]:
    """The model's own landmarks as if detected, with a pose that is some degrees off and no expression."""

    def observe(head: KnownHead, *, pose_noise_deg: float = 3.0, seed: int = 0) -> FaceObservation:
        noise = np.random.default_rng(seed).normal(0, math.radians(pose_noise_deg), 3)
        R = axis_angle_to_matrix(torch.from_numpy(noise).float()) @ head.R_camera_head
        return observation(head.project_px(model.landmarks(head.vertices)), R)

    return observe


def observation(landmarks_px: np.ndarray, R_camera_head: Tensor) -> FaceObservation:
    low, high = landmarks_px.min(0), landmarks_px.max(0)
    return FaceObservation(
        landmarks_px=landmarks_px.astype(np.float32),
        landmarks_depth=np.zeros(478, np.float32),
        coefficients=np.zeros(52, np.float32),
        R_camera_head=R_camera_head.numpy().astype(np.float32),
        translation_cm=np.zeros(3, np.float32),
        box_px=(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
    )


def head_rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> Tensor:
    """Yaw about the head's y, then pitch about the camera's x, then roll about its z."""
    angles = torch.deg2rad(torch.tensor([yaw_deg, pitch_deg, roll_deg]))
    yaw, pitch, roll = (
        axis_angle_to_matrix(torch.eye(3)[axis] * angle)
        for axis, angle in zip((1, 0, 2), angles, strict=True)
    )
    return roll @ pitch @ yaw


def _known_head(model: MorphableModel, rng: np.random.Generator) -> KnownHead:
    identity = torch.from_numpy(rng.normal(0, 0.7, model.component_count)).float()
    expression = torch.zeros(52)
    for names, high in (
        (("jawOpen",), 0.8),
        (("mouthSmileLeft", "mouthSmileRight"), 1.0),
        (("eyeBlinkLeft", "eyeBlinkRight"), 1.0),
        (("browInnerUp",), 1.0),
    ):
        expression[[ARKIT_INDEX[name] for name in names]] = float(rng.uniform(0, high))
    R = head_rotation(*(float(rng.uniform(-limit, limit)) for limit in (40, 15, 20)))
    return KnownHead(identity, expression, model.vertices(identity, expression), R)


def paint(model: MorphableModel) -> np.ndarray:
    """Skin, lips, brows, hair, eyes and teeth per vertex, [V, 3] in [0, 1]: enough for MediaPipe."""
    v, faces, part = model.mean.numpy(), model.faces_np, model.part_of_face.numpy()
    colours = np.tile([0.85, 0.66, 0.56], (len(v), 1))
    height, forward = v[:, 1] - 0.03, v[:, 2] - 0.08
    lips = _between_lips(model)
    colours[lips] = [0.7, 0.35, 0.35]
    beside = np.abs(np.abs(v[:, 0]) - 0.058) < 0.036
    brow = (np.exp(-(((height - 0.042) / 0.008) ** 2)) * beside * (forward > -0.04))[:, None]
    colours = colours * (1 - brow) + np.array([0.2, 0.12, 0.08]) * brow
    line = height - 0.13 + 0.9 * np.clip(-forward - 0.1, 0, 0.4)
    hair = (1 / (1 + np.exp(-np.clip(line / 0.008, -30, 30))) * ((forward < 0.04) | (height > 0.1)))[:, None]
    colours = colours * (1 - hair) + np.array([0.15, 0.1, 0.07]) * hair
    for name, colour in (
        ("teeth_upper", [0.9, 0.88, 0.8]),
        ("teeth_lower", [0.85, 0.83, 0.75]),
        ("tongue", [0.7, 0.3, 0.3]),
        ("mouth", [0.2, 0.05, 0.05]),
    ):
        colours[np.unique(faces[part == PARTS.index(name)])] = colour
    for index in model.eyeball_vertices:
        colours[index.numpy()] = _eye_colours(v[index.numpy()])
    return colours


def _between_lips(model: MorphableModel) -> np.ndarray:
    """Body vertices nearer to the lips' red than the lips are thick."""
    points = model.landmarks(model.mean)[list(LIPS_OUTER + LIPS_INNER)].numpy()
    body = model.part_vertices("body").numpy()
    distance = np.linalg.norm(model.mean.numpy()[body][:, None] - points[None], axis=-1).min(1)
    return body[distance < 0.006]


def _eye_colours(ball: np.ndarray) -> np.ndarray:
    d = ball - (ball.max(0) + ball.min(0)) / 2
    radius, front = np.hypot(d[:, 0], d[:, 1]), d[:, 2] > 0
    iris = np.where((front & (radius < 0.0135))[:, None], [0.3, 0.2, 0.12], 0.93)
    return np.where((front & (radius < 0.006))[:, None], 0.03, iris)


def _render(model: MorphableModel, colours: np.ndarray, head: KnownHead) -> np.ndarray:
    camera = orbit_camera(head.R_camera_head)
    directions = camera.rays(IMAGE_PX, IMAGE_PX).directions.numpy().reshape(-1, 3)
    v = head.vertices.numpy()
    hits = cast_rays(v, model.faces_np, camera.position.numpy(), directions)
    normal = interpolate(vertex_normals(v, model.faces_np), model.faces_np, hits)
    light = head.R_camera_head.numpy().T @ np.array([0.25, 0.35, 0.9])
    shade = 0.45 + 0.6 * np.clip(normal @ light, 0, 1)
    colour = interpolate(colours, model.faces_np, hits) * shade[:, None]
    picture = np.where(hits.hit[:, None], colour, 0.55).clip(0, 1)
    return (picture.reshape(IMAGE_PX, IMAGE_PX, 3) * 255).astype(np.uint8)
