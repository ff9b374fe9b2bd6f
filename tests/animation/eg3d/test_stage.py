"""Frames over the photo's plate."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from mien.animation.eg3d.actor import Eg3dActor
from mien.animation.eg3d.plate import border, over_photo
from mien.animation.eg3d.stage import crop_stage, photo_stage
from mien.animation.eg3d.turn import Eg3dViewer, sitter_of, turned_camera
from mien.animation.motion import MotionSource
from mien.animation.retarget import DrivenMotion
from mien.animation.viewer import Viewer
from mien.core.camera import Camera
from mien.core.geometry import axis_angle_to_matrix
from mien.core.viewpoint import ViewAngles
from mien.generator.view import MeshConfig
from mien.morphable.crop import CropRegion
from mien.morphable.meshview import MeshViewer


def driven(actor: Eg3dActor, *yaws: float) -> DrivenMotion:
    place, count = actor.place, len(yaws)
    R = [axis_angle_to_matrix(torch.tensor([0.0, yaw, 0.0])) @ place.R_camera_head for yaw in yaws]
    return DrivenMotion(
        np.arange(count) / 25, np.tile(place.expression.numpy(), (count, 1)), torch.stack(R).numpy(),
        np.zeros((count, 3), np.float32), Fraction(25), MotionSource("a", ""),
    )  # fmt: skip


def test_a_still_motion_is_the_photo(actor: Eg3dActor) -> None:
    stage = photo_stage(actor)
    (frame,) = stage.frames(driven(actor, 0.0))
    assert frame.shape == (*stage.shape, 3) == tuple(actor.avatar.photo.shape)
    off = np.abs(frame.astype(float) - actor.avatar.photo.numpy())
    assert off.mean() < 3
    far = border(stage.shape, actor.place.crop).numpy() == 0
    assert np.array_equal(frame[far], actor.avatar.photo.numpy()[far])


def test_frames_are_those_of_their_poses(actor: Eg3dActor) -> None:
    stage = photo_stage(actor)
    motion = driven(actor, 0.0, 0.3, 0.3, 0.0)
    frames = list(stage.frames(motion))
    assert len(frames) == 4
    assert np.array_equal(frames[1], frames[2])
    assert np.array_equal(frames[0], frames[3])
    assert not np.array_equal(frames[0], frames[1])
    (alone,) = stage.frames(motion, [2])
    assert np.array_equal(alone, frames[2])


def test_threads_draw_the_same_frames_in_order(actor: Eg3dActor) -> None:
    stage, motion, before = (
        photo_stage(actor),
        driven(actor, 0.0, 0.3, 0.3, -0.2, 0.1),
        torch.get_num_threads(),
    )
    try:
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(np.stack(list(stage.frames(motion))).astype(int))
    finally:
        torch.set_num_threads(before)
    assert np.abs(found[0] - found[1]).max() <= 1
    assert np.abs(found[0][0] - found[0][3]).max() > 5


def test_the_key_names_all_that_frames_depend_on(actor: Eg3dActor) -> None:
    stage, motion = photo_stage(actor), driven(actor, 0.0, 0.1)
    assert stage.key(motion) == photo_stage(actor).key(driven(actor, 0.0, 0.1))
    others = {stage.key(driven(actor, 0.0, 0.2)), crop_stage(actor, 64).key(motion)}
    other_w = replace(actor.avatar, inversion=replace(actor.avatar.inversion, w=torch.ones(1, 512)))
    others.add(photo_stage(replace(actor, avatar=other_w)).key(motion))
    assert len(others | {stage.key(motion)}) == 4


def test_the_crop_fills_its_frame(actor: Eg3dActor) -> None:
    (frame,) = crop_stage(actor, 96).frames(driven(actor, 0.0))
    photo = actor.place.crop.sample(actor.avatar.photo.numpy(), 96).astype(float)
    assert frame.shape == (96, 96, 3)
    assert np.abs(frame - photo).mean() < 4


@pytest.mark.parametrize("side", [40.0, 57.5, 130.0])
def test_a_picture_of_the_crop_comes_back_to_its_place(side: float) -> None:
    y, x = np.mgrid[:200, :180]
    rgb = np.stack([x, y, 100 + 50 * np.sin(x / 20)], -1).astype(np.uint8)
    crop = CropRegion(91.25, 100.5, side)
    picture = torch.from_numpy(crop.sample(rgb, 128).copy()).float()
    placed = over_photo(picture, crop, (200, 180))
    inside = border((200, 180), crop) == 1
    assert inside.sum() > 0.5 * side**2
    assert (placed - torch.from_numpy(rgb.astype(np.float32)))[inside].abs().mean() < 1.0


@pytest.mark.parametrize("yaw", [-0.6, 0.0, 0.35])
def test_the_camera_goes_to_a_yaw(actor: Eg3dActor, yaw: float) -> None:
    camera = turned_camera(actor, yaw)
    own = ViewAngles.of(actor.place.camera.R_world_camera)
    angles = ViewAngles.of(camera.R_world_camera)
    assert angles.yaw_rad == pytest.approx(-yaw, abs=1e-5)
    assert angles.pitch_rad == pytest.approx(own.pitch_rad, abs=1e-5)
    pivot = torch.tensor([actor.generator.config.camera_pivot])
    before, after = (c.project(pivot) for c in (actor.place.camera, camera))
    assert torch.allclose(before.uv, after.uv, atol=1e-5)


def test_a_sitter_has_picture_and_maps(actor: Eg3dActor) -> None:
    view = sitter_of(actor, 80).look(0.2)
    assert view.rgb.shape == (80, 80, 3)
    assert (view.depth > 1.5).float().mean() > 0.1
    plain = sitter_of(actor, 80, plain=True).look(0.2)
    assert not np.array_equal(view.rgb[0, 0], plain.rgb[0, 0])


def test_the_mesh_lies_where_the_views_show_it(actor: Eg3dActor) -> None:
    sitter = sitter_of(actor, 64)
    mesh = sitter.mesh(MeshConfig(64))
    view = sitter.look(0.3)
    front = MeshViewer(mesh).draw(view.camera, view.depth.shape[0])
    seen = (torch.as_tensor(front.alpha) > 0.99) & (view.depth > 0)
    assert seen.float().mean() > 0.1
    radius = 0.3 / actor.place.world_scale
    vertices = actor.place.to_world(torch.from_numpy(np.array(mesh.vertices)))
    assert (vertices.norm(dim=1) - 0.3).abs().max() < 0.02
    centre = actor.place.to_head(torch.zeros(3))
    nearest = (view.camera.position - centre).norm() - radius
    assert view.depth[seen].min() == pytest.approx(float(nearest), abs=0.1 * radius)


def test_a_viewer_lays_the_ball_where_a_camera_sees_it(actor: Eg3dActor) -> None:
    viewer = Eg3dViewer(actor)
    assert isinstance(viewer, Viewer)
    # The photo's matte is a disc in the middle of the crop, so the person is a cap of the ball around the
    # surface point that is seen there.
    camera = actor.place.camera
    ray = camera.rays_at(torch.tensor([[0.5, 0.5]]))
    away = -(ray.origins * ray.directions).sum(-1, keepdim=True)
    nearest = ray.origins + away * ray.directions
    way = away - (0.3**2 - nearest.square().sum(-1, keepdim=True)).sqrt()
    point = actor.place.to_head(ray.origins + way * ray.directions)
    for height, width in (actor.avatar.size, (240, 200)):
        pixels = torch.tensor([width, height])
        found, expected = [], []
        for turn in (0.0, 0.3):
            R = axis_angle_to_matrix(torch.tensor([0.0, turn, 0.0]))
            T = viewer.face.camera.T_world_camera.clone()
            T[:3] = R @ T[:3]
            turned = Camera(T, viewer.face.camera.intrinsics)
            seen = viewer.see(turned, viewer.face.expression, (height, width))
            found.append(middle_px(seen.alpha))
            expected.append(turned.project(point).uv[0] * pixels)
        assert (found[0] - expected[0]).abs().max() < 0.01 * width
        shift, true_shift = found[1] - found[0], expected[1] - expected[0]
        assert abs(float(true_shift[0])) > 0.05 * width
        assert 0.5 < float(shift[0] / true_shift[0]) < 1.05  # the middle lies below the point
        assert abs(float(shift[1] - true_shift[1])) < 0.01 * height


def middle_px(alpha: torch.Tensor) -> torch.Tensor:
    y, x = torch.meshgrid(*(torch.arange(n) + 0.5 for n in alpha.shape), indexing="ij")
    return torch.stack([(x * alpha).sum(), (y * alpha).sum()]) / alpha.sum()


def test_a_viewer_shows_the_photo_from_its_camera(actor: Eg3dActor) -> None:
    viewer, photo = Eg3dViewer(actor), actor.avatar.photo.float() / 255
    seen = viewer.see(viewer.face.camera, viewer.face.expression, actor.avatar.size)
    inside = (seen.alpha > 0.99) & (actor.avatar.alpha > 250)
    assert inside.sum() > 1000
    assert (seen.rgb - photo)[inside].abs().mean() < 0.02
