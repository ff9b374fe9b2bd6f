"""Frames of a puppet: what must stay still, what must move, and by how much."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from tests.animation.conftest import CLIP_FPS, CLIP_FRAMES

from mien.animation.drive import (
    Puppet,
    crop_canvas,
    facing_yaw,
    head_motion,
    moving_box,
    photo_canvas,
    render_moving,
    render_orbit,
)
from mien.animation.frames import driven_frames
from mien.animation.motion import Motion, MotionSource
from mien.animation.retarget import Retargeting, retarget
from mien.animation.rotations import head_rotation
from mien.animation.sheet import avatar_sheet
from mien.animation.smoothing import smooth_motion
from mien.apps.cli import run
from mien.core.curves import smoothstep
from mien.core.geometry import axis_angle_to_matrix
from mien.generator.render import pose_head
from mien.io.video import VideoReader
from mien.morphable.carry import HeadMotion
from mien.morphable.model import neck_weight

SHIFT = torch.tensor([0.05, -0.02, 0.1])


@pytest.fixture(scope="module")
def still(puppet: Puppet) -> HeadMotion:
    """The motion that keeps the photo's pose."""
    return head_motion(puppet, puppet.avatar.fit.R_camera_head, torch.zeros(3))


@pytest.fixture(scope="module")
def unmoved(puppet: Puppet, still: HeadMotion) -> np.ndarray:
    """The frame of the photo's own pose and expression."""
    return render_moving(puppet, photo_canvas(puppet.avatar), puppet.avatar.fit.expression, still)


def turned(puppet: Puppet, yaw_rad: float = 0.3) -> HeadMotion:
    turn = axis_angle_to_matrix(torch.tensor([0.1, yaw_rad, 0.05]))
    return head_motion(puppet, turn @ puppet.avatar.fit.R_camera_head, SHIFT)


def constant_motion(frames: int = 3) -> Motion:
    rng = np.random.default_rng(0)
    one = rng.uniform(0, 0.6, 52).astype(np.float32)
    R = head_rotation(np.array([0.2, 0.1, 0.0])).astype(np.float32)
    return Motion(
        time_s=np.arange(frames) / 25,
        coefficients=np.tile(one, (frames, 1)),
        R_camera_head=np.tile(R, (frames, 1, 1)),
        translation_head=np.tile(np.array([0.1, 0.0, -2.0], np.float32), (frames, 1)),
        found=np.ones(frames, bool),
        fps=Fraction(25),
        source=MotionSource("constant", ""),
    )


def test_no_motion_gives_the_photo(puppet: Puppet, unmoved: np.ndarray) -> None:
    avatar = puppet.avatar
    person = avatar.alpha.numpy() > 128
    difference = unmoved.astype(float) - avatar.photo.numpy()
    psnr = -10 * np.log10(np.mean(difference[person] ** 2) / 255**2)
    assert psnr > 40  # 60 dB when this was written; 33 dB without the photo's detail


def test_nothing_changes_away_from_the_person(puppet: Puppet, unmoved: np.ndarray) -> None:
    alpha, plate = puppet.avatar.alpha.numpy(), puppet.avatar.plate.numpy()
    away = cv2.dilate(alpha, np.ones((25, 25), np.uint8)) == 0
    assert away.sum() > 1000
    np.testing.assert_array_equal(unmoved[away], plate[away])


def test_the_chest_keeps_the_photos_pixels(puppet: Puppet, still: HeadMotion, unmoved: np.ndarray) -> None:
    avatar = puppet.avatar
    head = pose_head(puppet.model, avatar.fit.identity, avatar.fit.expression, puppet.carrier, still)
    box = moving_box(puppet, photo_canvas(avatar), head)
    assert box is not None
    outside = np.ones(unmoved.shape[:2], bool)
    outside[box[1] : box[3], box[0] : box[2]] = False
    assert (avatar.alpha.numpy()[outside] > 128).sum() > 500
    np.testing.assert_array_equal(unmoved[outside], avatar.plate.numpy()[outside])


def test_a_still_driver_gives_equal_frames(puppet: Puppet) -> None:
    fit = puppet.avatar.fit
    driven = retarget(
        constant_motion(),
        R_camera_head_source=fit.R_camera_head.numpy(),
        expression_source=fit.expression.numpy(),
        options=Retargeting(pose_mode="absolute"),
    )
    first, *rest = driven_frames(puppet, crop_canvas(puppet.avatar, 64), driven)
    assert len(rest) == 2
    assert all(np.array_equal(frame, first) for frame in rest)


def test_expression_and_pose_show(puppet: Puppet, still: HeadMotion) -> None:
    canvas = crop_canvas(puppet.avatar, 64)
    neutral, speaking = torch.zeros(52), torch.full((52,), 0.5)
    frames = [
        render_moving(puppet, canvas, neutral, still),
        render_moving(puppet, canvas, speaking, still),
        render_moving(puppet, canvas, neutral, turned(puppet)),
    ]
    for frame in frames[1:]:
        assert np.abs(frame.astype(int) - frames[0]).mean() > 2


@pytest.mark.parametrize("yaw_rad", [0.0, 0.4, -0.7])
def test_the_head_moves_by_exactly_the_shift(puppet: Puppet, yaw_rad: float) -> None:
    motion, R = turned(puppet, yaw_rad), puppet.avatar.fit.R_camera_head
    moved = R @ motion.apply(torch.zeros(1, 3))[0]
    torch.testing.assert_close(moved, SHIFT, atol=1e-5, rtol=0)
    tip = motion.apply(torch.tensor([[0.0, 0.0, 0.1]]))[0]
    wanted = axis_angle_to_matrix(torch.tensor([0.1, yaw_rad, 0.05])) @ R @ torch.tensor([0.0, 0.0, 0.1])
    torch.testing.assert_close(R @ tip - moved, wanted, atol=1e-5, rtol=0)


def test_no_motion_moves_nothing(puppet: Puppet, still: HeadMotion) -> None:
    points = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) * 0.3
    torch.testing.assert_close(still.apply(points), points, atol=1e-6, rtol=0)


@pytest.mark.parametrize("yaw_rad", [0.0, 0.5])
def test_the_box_holds_all_that_moves(puppet: Puppet, yaw_rad: float) -> None:
    avatar, canvas, motion = puppet.avatar, photo_canvas(puppet.avatar), turned(puppet, yaw_rad)
    fit = avatar.fit
    head = pose_head(puppet.model, fit.identity, fit.expression, puppet.carrier, motion, torso=fit.torso)
    box = moving_box(puppet, canvas, head)
    assert box is not None
    rest = fit.vertices(puppet.model)
    moves = neck_weight(rest[:, 1], puppet.chin_y) > 0.05
    height, width = canvas.plate.shape[:2]
    px = (
        canvas.camera.project(torch.from_numpy(head.vertices)[moves]).uv * torch.tensor([width, height])
    ).numpy()
    seen = (px >= 0).all(1) & (px[:, 0] < width) & (px[:, 1] < height)
    assert seen.sum() > 1000
    assert (px[seen] >= np.array(box[:2])).all()
    assert (px[seen] <= np.array(box[2:])).all()


def test_a_head_out_of_the_picture_leaves_the_plate(puppet: Puppet) -> None:
    away = head_motion(puppet, puppet.avatar.fit.R_camera_head, torch.tensor([30.0, 0.0, 0.0]))
    frame = render_moving(puppet, photo_canvas(puppet.avatar), torch.zeros(52), away)
    assert frame.shape == tuple(puppet.avatar.photo.shape)


def test_no_pose_and_no_expression_keep_the_photos(puppet: Puppet) -> None:
    fit = puppet.avatar.fit
    R, expression = fit.R_camera_head.numpy(), fit.expression.numpy()
    kept = retarget(
        constant_motion(), R_camera_head_source=R, expression_source=expression,
        options=Retargeting(use_pose=False, use_expression=False),
    )  # fmt: skip
    np.testing.assert_allclose(kept.R_camera_head, np.broadcast_to(R, (3, 3, 3)), atol=1e-6)
    np.testing.assert_allclose(kept.expression, np.broadcast_to(expression, (3, 52)), atol=1e-6)
    assert (kept.translation_offset == 0).all()


def test_orbit_of_nothing_is_the_photos_view(puppet: Puppet) -> None:
    canvas = crop_canvas(puppet.avatar, 64, person=False)
    front, out = render_orbit(puppet, canvas)
    photo = puppet.avatar.fit.crop.sample(puppet.avatar.photo.numpy(), 64)
    person = out.alpha.numpy() > 0.9
    assert np.abs(front.astype(float) - photo)[person].mean() < 16
    own = facing_yaw(puppet.avatar.fit.R_camera_head)
    same, _ = render_orbit(puppet, canvas, own)
    assert np.abs(same.astype(int) - front).max() <= 2
    side, _ = render_orbit(puppet, canvas, own + 0.6)
    assert np.abs(side.astype(float) - front).mean() > 5


@pytest.mark.parametrize("yaw_rad", [-1.2, 0.0, 0.7])
def test_a_heads_yaw_is_where_it_looks(yaw_rad: float) -> None:
    R = axis_angle_to_matrix(torch.tensor([0.0, yaw_rad, 0.0])) @ axis_angle_to_matrix(
        torch.tensor([0.3, 0.0, 0.0])
    )
    assert facing_yaw(R) == pytest.approx(yaw_rad, abs=1e-6)


def test_sheet_shows_five_views_with_depth_and_normals(puppet: Puppet) -> None:
    sheet = avatar_sheet(puppet, 48)
    assert sheet.shape == (192, 240, 3)
    depths, normals = sheet[96:144].astype(int), sheet[144:]
    assert np.ptp(depths, axis=-1).max() == 0
    for depth, normal in zip(np.split(depths, 5, axis=1), np.split(normals, 5, axis=1), strict=True):
        assert 0.2 < (depth > 0).mean() < 1
        assert normal[24, 24, 2] > 150, "the head's middle looks to the viewer"


def test_a_thousand_frames_later_the_same_pose_is_the_same_frame(puppet: Puppet) -> None:
    """A motion that comes back to its start, smoothed: nothing has drifted. Drawn again, bytes are equal."""
    time_s = np.arange(1000) / 25
    wave = np.clip(np.sin(np.pi * np.clip((time_s - 1) / 38, 0, 1)), 0, 1)[:, None]
    rng = np.random.default_rng(0)
    swing = wave * np.sin(time_s[:, None] * rng.uniform(1, 5, 58) + rng.uniform(0, 6, 58))
    motion = Motion(
        time_s, (0.3 + 0.3 * swing[:, :52]).astype(np.float32),
        head_rotation(0.15 * swing[:, 52:55]).astype(np.float32),
        (np.array([0.0, 0.0, -1.0]) + 0.05 * swing[:, 55:]).astype(np.float32),
        np.ones(1000, bool), Fraction(25), MotionSource("synthetic", ""),
    )  # fmt: skip
    fit = puppet.avatar.fit
    driven = retarget(
        smooth_motion(motion), R_camera_head_source=fit.R_camera_head.numpy(),
        expression_source=fit.expression.numpy(),
    )  # fmt: skip
    canvas = crop_canvas(puppet.avatar, 96)
    first, middle, last, again = driven_frames(puppet, canvas, driven, [0, 500, 999, 500])
    apart = np.abs(first.astype(int) - last).max(-1)  # smoothing comes back to 1e-7 only
    # A ray that grazes the head's outline may meet it or not; pixels beside it take the depth of the nearest.
    assert (apart > 8).sum() <= 2
    assert (apart > 1).mean() < 0.003
    assert np.array_equal(middle, again)
    assert np.abs(first.astype(int) - middle).max() > 20


def test_smoothstep() -> None:
    x = torch.tensor([-1.0, 0.2, 0.5, 0.8, 3.0])
    torch.testing.assert_close(smoothstep(x, 0.2, 0.8), torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0]))


def test_animate_keeps_frames_rate_and_sound(
    avatar_file: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.mp4"
    assert run(["animate", str(avatar_file), "--drive", str(clip), "-o", str(output)]) == 0
    assert f"{CLIP_FRAMES} frames at 30 frames/s" in capsys.readouterr().out
    with VideoReader(output) as reader:
        assert reader.fps == CLIP_FPS
        assert reader.size == (256, 256)
        frames = [frame.rgb for frame in reader]
    assert len(frames) == CLIP_FRAMES
    assert np.abs(frames[0].astype(int) - frames[-1]).max() > 20
    with av.open(str(output)) as container:
        assert len(container.streams.audio) == 1
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(container.streams.audio[0])])
    assert np.abs(sound).max() > 0.3
    assert list(tmp_path.iterdir()) == [output]


def test_a_still_picture_drives_one_frame_of_the_crop(
    avatar_file: Path, portrait_file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    arguments = ["animate", avatar_file, "--drive", portrait_file, "-o", output, "--crop", "64", "--absolute"]
    assert run([*map(str, arguments), "--relative-expression", "--no-pose"]) == 0
    with VideoReader(output) as reader:
        assert reader.size == (64, 64)
        assert sum(1 for _ in reader) == 1


def test_orbit_goes_there_and_back(avatar_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "turn.mp4"
    arguments = ["orbit", avatar_file, "-o", output, "--seconds", "0.2", "--size", "65", "--yaw-deg", "30"]
    assert run(list(map(str, arguments))) == 0
    with VideoReader(output) as reader:
        assert reader.size == (64, 64)
        frames = [frame.rgb.astype(int) for frame in reader]
    assert len(frames) == 5
    assert np.abs(frames[0] - frames[4]).mean() < np.abs(frames[0] - frames[2]).mean()
