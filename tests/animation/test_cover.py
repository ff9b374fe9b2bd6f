"""A thing before a face: its own pixels at the photo's pose, still under expressions, turning with it."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.animation.cover import draw_cover
from mien.animation.drive import (
    Puppet,
    head_motion,
    moving_layer,
    photo_canvas,
    render_moving,
    with_worn,
)
from mien.animation.frames import job_key
from mien.animation.layer import Layer
from mien.animation.motion import MotionSource
from mien.animation.retarget import DrivenMotion
from mien.animation.solid import avatar_mesh
from mien.animation.wornlayer import moved, worn_photo
from mien.core.arkit import ARKIT_INDEX
from mien.core.errors import CheckpointError
from mien.core.geometry import axis_angle_to_matrix
from mien.generator.render import RenderOutput, pose_head
from mien.generator.view import MeshConfig
from mien.inversion.avatar import load_avatar, save_avatar
from mien.inversion.cover import make_cover
from mien.morphable import pixels
from mien.morphable.worn import FaceCover

RADIUS = 0.13
"""Of a green disc before the mouth, in widths of the face."""


@pytest.fixture(scope="module")
def held(puppet: Puppet) -> Puppet:
    """The puppet with a green disc before the mouth, and in a photo that shows it."""
    avatar, fit, model = puppet.avatar, puppet.avatar.fit, puppet.model
    height, width = avatar.alpha.shape
    marks = fit.landmarks_px.double()
    middle, size = marks[13], float((marks[454] - marks[234]).norm())
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    inside = (x - middle[0]) ** 2 + (y - middle[1]) ** 2 < (RADIUS * size) ** 2
    photo = avatar.photo.clone()
    photo[inside] = torch.tensor([20, 220, 30], dtype=torch.uint8)
    mask = (inside * 255).to(torch.uint8)
    points = torch.cat([marks, torch.zeros(478, 1).double()], 1)
    cover = make_cover(mask.numpy(), points, fit, model)
    return replace(puppet, avatar=replace(avatar, photo=photo, cover=cover))


def cover_of(puppet: Puppet) -> FaceCover:
    assert puppet.avatar.cover is not None
    return puppet.avatar.cover


def is_green(rgb: np.ndarray) -> np.ndarray:
    r, g, b = np.moveaxis(rgb.astype(int), -1, 0)
    return np.asarray((g > r + 90) & (g > b + 90))


def nothing(height: int, width: int) -> RenderOutput:
    """A render of no head."""
    blank, triple = torch.zeros(height, width), torch.zeros(height, width, 3)
    return RenderOutput(triple, blank, blank, triple, blank, torch.zeros(height, width, 0))


def test_at_the_photos_pose_the_sheet_shows_the_photos_own_pixels(held: Puppet) -> None:
    avatar, fit = held.avatar, held.avatar.fit
    head = pose_head(held.model, fit.identity, fit.expression, held.carrier)
    canvas = photo_canvas(avatar)
    layer = draw_cover(
        cover_of(held),
        head,
        canvas.camera,
        nothing(*avatar.alpha.shape),
        worn_photo(avatar, cover_of(held).mask),
    )
    assert layer is not None
    x0, y0, x1, y1 = layer.box_px
    share = torch.zeros_like(avatar.alpha, dtype=torch.float32)
    share[y0:y1, x0:x1] = layer.alpha
    torch.testing.assert_close(share, cover_of(held).mask.float() / 255, atol=0.02, rtol=0)
    full = layer.alpha > 0.999
    own = avatar.photo[y0:y1, x0:x1].float() / 255
    assert float((layer.rgb - own)[full].abs().max()) < 0.02


def test_an_expression_moves_the_mouth_behind_it_not_the_thing(held: Puppet, puppet: Puppet) -> None:
    fit = held.avatar.fit
    still = head_motion(held, fit.R_camera_head, torch.zeros(3))
    speaking = fit.expression.clone()
    speaking[ARKIT_INDEX["jawOpen"]] = 0.7
    speaking[ARKIT_INDEX["mouthSmileLeft"]] = 0.8
    canvas = photo_canvas(held.avatar)
    rest, open_mouth = (render_moving(held, canvas, e, still) for e in (fit.expression, speaking))
    np.testing.assert_array_equal(is_green(rest), is_green(open_mouth))
    assert is_green(rest).sum() > 0.95 * (cover_of(held).mask > 250).sum()
    bare = [render_moving(puppet, photo_canvas(puppet.avatar), e, still) for e in (fit.expression, speaking)]
    moved = np.abs(bare[0].astype(int) - bare[1]).max(-1) > 60
    assert moved[cover_of(held).mask.numpy() > 250].sum() > 20  # behind it the mouth opens


def test_nothing_of_it_is_left_on_the_skin_behind(held: Puppet) -> None:
    avatar, fit = held.avatar, held.avatar.fit
    away = torch.full_like(cover_of(held).vertices, 9.0)
    gone = replace(held, avatar=replace(avatar, cover=replace(cover_of(held), vertices=away)))
    still = head_motion(gone, fit.R_camera_head, torch.zeros(3))
    layer = moving_layer(gone, photo_canvas(avatar), fit.expression, still)
    assert layer is not None
    assert is_green((layer.rgb * 255).astype(np.uint8)).sum() == 0


def test_it_turns_with_the_head_and_stays_on_it(held: Puppet) -> None:
    canvas, fit = photo_canvas(held.avatar), held.avatar.fit
    turn = axis_angle_to_matrix(torch.tensor([0.0, 0.35, 0.1]))
    motion = head_motion(held, turn @ fit.R_camera_head, torch.tensor([0.03, 0.0, 0.0]))
    layer = moving_layer(held, canvas, fit.expression, motion)
    assert layer is not None
    ys, xs = np.nonzero(is_green((layer.rgb * 255).astype(np.uint8)))
    height, width = canvas.plate.shape[:2]
    mouth = held.model.landmarks(fit.vertices(held.model))[13]
    px = canvas.camera.project(motion.apply(mouth[None])).uv[0] * torch.tensor([width, height])
    size = float((fit.landmarks_px[454] - fit.landmarks_px[234]).norm())
    off = np.hypot(
        xs.mean() + layer.corner_px[0] - float(px[0]), ys.mean() + layer.corner_px[1] - float(px[1])
    )
    assert off < 0.06 * size


def test_what_is_far_before_it_hides_it(held: Puppet) -> None:
    fit, canvas = held.avatar.fit, photo_canvas(held.avatar)
    head = pose_head(held.model, fit.identity, fit.expression, held.carrier)
    empty = nothing(*held.avatar.alpha.shape)
    wall = replace(empty, alpha=torch.ones_like(empty.alpha), depth=torch.full_like(empty.depth, 1.0))
    layer = draw_cover(
        cover_of(held), head, canvas.camera, wall, worn_photo(held.avatar, cover_of(held).mask)
    )
    assert layer is not None
    assert float(layer.alpha.max()) == 0
    beside = replace(cover_of(held), vertices=cover_of(held).vertices + torch.tensor([40.0, 0.0, 0.0]))
    assert (
        draw_cover(beside, head, canvas.camera, empty, worn_photo(held.avatar, cover_of(held).mask)) is None
    )


def test_both_ways_of_drawing_agree(held: Puppet, monkeypatch: pytest.MonkeyPatch) -> None:
    canvas, fit = photo_canvas(held.avatar), held.avatar.fit
    turn = axis_angle_to_matrix(torch.tensor([0.1, -0.4, 0.0]))
    motion = head_motion(held, turn @ fit.R_camera_head, torch.zeros(3))
    head = pose_head(held.model, fit.identity, fit.expression, held.carrier, motion)
    args = (
        cover_of(held),
        head,
        canvas.camera,
        nothing(*held.avatar.alpha.shape),
        worn_photo(held.avatar, cover_of(held).mask),
    )
    fast = draw_cover(*args)
    monkeypatch.setattr(pixels, "has_numba", lambda: False)
    plain = draw_cover(*args)
    assert fast is not None
    assert plain is not None
    torch.testing.assert_close(fast.alpha, plain.alpha, atol=1e-3, rtol=0)
    torch.testing.assert_close(fast.rgb, plain.rgb, atol=1e-3, rtol=0)


def test_the_chest_end_of_it_stays(held: Puppet) -> None:
    fit = held.avatar.fit
    low = replace(cover_of(held), vertices=cover_of(held).vertices - torch.tensor([0.0, 0.5, 0.0]))
    turn = axis_angle_to_matrix(torch.tensor([0.0, 0.35, 0.0]))
    head = pose_head(
        held.model, fit.identity, fit.expression, held.carrier,
        head_motion(held, turn @ fit.R_camera_head, torch.zeros(3)),
    )  # fmt: skip
    torch.testing.assert_close(moved(low, head), low.vertices, atol=1e-5, rtol=0)


def test_it_is_kept_in_the_avatars_file(held: Puppet, tmp_path: Path) -> None:
    save_avatar(tmp_path / "held.mien", held.avatar)
    again = load_avatar(tmp_path / "held.mien").cover
    assert again is not None
    for name in ("vertices", "faces", "uv", "mask"):
        torch.testing.assert_close(getattr(again, name), getattr(cover_of(held), name))


def test_a_job_depends_on_it_and_on_the_chest(held: Puppet) -> None:
    driven = DrivenMotion(
        expression=np.zeros((1, 52), np.float32), R_camera_head=np.eye(3, dtype=np.float32)[None],
        translation_offset=np.zeros((1, 3), np.float32), time_s=np.zeros(1),
        fps=Fraction(25), source=MotionSource("clip", ""),
    )  # fmt: skip
    canvas = photo_canvas(held.avatar)
    other = replace(cover_of(held), mask=cover_of(held).mask // 2)
    avatars = [replace(held.avatar, cover=c) for c in (None, cover_of(held), other)]
    avatars.append(replace(held.avatar, chest=None))
    assert held.avatar.chest is not None
    assert len({job_key(avatar, driven, canvas) for avatar in avatars}) == 4


def test_triangles_without_corners_are_refused(held: Puppet, tmp_path: Path) -> None:
    broken = replace(cover_of(held), faces=cover_of(held).faces + 100000)
    save_avatar(tmp_path / "held.mien", replace(held.avatar, cover=broken))
    with pytest.raises(CheckpointError, match="triangles of a cover without corners"):
        load_avatar(tmp_path / "held.mien")


def test_layers_take_it_on(held: Puppet) -> None:
    avatar, fit = held.avatar, held.avatar.fit
    head = pose_head(held.model, fit.identity, fit.expression, held.carrier)
    height, width = avatar.alpha.shape
    grey = Layer((0, 0), np.full((height, width, 3), 0.5, np.float32), np.ones((height, width), np.float32))
    drawn = with_worn(held, grey, head, photo_canvas(avatar).camera, nothing(height, width))
    full = cover_of(held).mask.numpy() > 250
    assert is_green((drawn.rgb * 255).astype(np.uint8))[full].mean() > 0.98
    assert (drawn.rgb[cover_of(held).mask.numpy() == 0] == 0.5).mean() > 0.99


def test_the_mesh_has_it_before_a_face_without_it(held: Puppet) -> None:
    mesh = avatar_mesh(held, MeshConfig(resolution=64))
    green = is_green(mesh.colours)
    assert green.sum() > 20
    vertices = torch.from_numpy(mesh.vertices[green])
    exact = "donot_use_mm_for_euclid_dist"
    away = torch.cdist(vertices, cover_of(held).vertices, compute_mode=exact).amin(1)
    assert float(away.max()) < 1e-5
