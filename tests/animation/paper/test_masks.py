"""A mask carried to other views, against the same triangles seen from there."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.animation.paper.conftest import SIZE, KnownHead, expression

from mien.animation.paper.masks import reproject_mask
from mien.animation.paper.regions import face_parts
from mien.core.camera import Camera
from mien.morphable.zbuffer import PixelScene

Known = Callable[[float, float], KnownHead]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union."""
    return float((one & other).sum() / (one | other).sum())


def face_of(head: KnownHead, camera: Camera) -> tuple[np.ndarray, torch.Tensor]:
    """Where a camera sees the face, and the points of all pixels (far away beside the head)."""
    hits = PixelScene(head.vertices(expression()), head.model.faces, camera, SIZE, SIZE).first_hits()
    face = hits.hit & face_parts(head.model).face[np.maximum(hits.face, 0)]
    rays = camera.rays(SIZE, SIZE)
    depth = torch.from_numpy(hits.depth).view(SIZE, SIZE, 1).clamp(max=10)
    return face.reshape(SIZE, SIZE), rays.origins + rays.directions * depth


def the_papers_rule(mask: np.ndarray, source: Camera, seen: torch.Tensor, driver: Camera) -> np.ndarray:
    """The released code's: the driver's pose on the source camera's points, seen by a frontal pinhole."""
    points = (seen - source.position) @ source.R_world_camera
    world = points @ driver.R_world_camera.T + driver.position
    uv = Camera.orbit(0.0, 0.0).project(world * torch.tensor([-1.0, 1.0, 1.0])).uv[torch.from_numpy(mask)]
    out = np.zeros((SIZE, SIZE), bool)
    column, row = (uv * SIZE).long().clamp(0, SIZE - 1).unbind(1)
    out[row.numpy(), column.numpy()] = True
    return out


@pytest.mark.parametrize(("yaw", "pitch"), [(30, 0), (-30, 0), (0, 20), (0, -20), (30, 20), (-30, -20)])
def test_the_mask_is_where_the_face_is(known: Known, yaw: float, pitch: float) -> None:
    head = known(5.0, -3.0)
    driver = known(5.0 + yaw, -3.0 + pitch)
    mask, seen = face_of(head, head.camera)
    truth, points = face_of(head, driver.camera)
    met = (points - driver.camera.position).norm(dim=-1).numpy() < 9  # beside the head nothing is drawn
    distance = (seen - head.camera.position).norm(dim=-1).numpy()
    carried = reproject_mask(mask.astype(np.float32), distance, head.camera, points).numpy() > 0.5
    assert overlap(carried & met, truth) > 0.93
    assert overlap(mask, truth) < 0.9  # it did move
    assert overlap(the_papers_rule(mask, head.camera, seen, driver.camera), truth) < 0.78


def test_the_same_view_gives_the_same_mask(known: Known) -> None:
    head = known(12.0, 6.0)
    mask, seen = face_of(head, head.camera)
    distance = (seen - head.camera.position).norm(dim=-1).numpy()
    carried = reproject_mask(mask.astype(np.float32), distance, head.camera, seen)
    assert np.abs(carried.numpy() - mask).max() < 1e-3
