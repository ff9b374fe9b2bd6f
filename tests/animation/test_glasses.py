"""Glasses that an avatar wears: rigid with the head, before the face, the same by both ways of drawing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.animation.detail import COVER, DETAIL
from mien.animation.drive import (
    Puppet,
    crop_canvas,
    head_motion,
    make_puppet,
    moving_box,
    moving_layer,
    photo_canvas,
    render_bust,
    render_orbit,
    turned_camera,
)
from mien.animation.glasses import draw_glasses, hair_before
from mien.animation.layer import Layer
from mien.animation.plate import COVERED
from mien.animation.solid import avatar_mesh
from mien.animation.wornlayer import WornLayer, over_layer, over_render, worn_photo
from mien.core.camera import Camera
from mien.core.errors import CheckpointError
from mien.core.geometry import axis_angle_to_matrix
from mien.generator.render import PosedHead, RenderOutput, pose_head
from mien.generator.view import MeshConfig
from mien.inversion.avatar import GLASSES, load_avatar, save_avatar
from mien.morphable import pixels
from mien.morphable.glasses import MM, Frame, eye_middles, front_z, glasses_geometry, superellipse
from mien.morphable.worn import WornGlasses

GREEN = (0.1, 0.9, 0.2, 1.0)


@pytest.fixture(scope="module")
def worn(puppet: Puppet) -> WornGlasses:
    """Bright green glasses."""
    model, neutral = puppet.model, puppet.avatar.fit.neutral(puppet.model)
    marks = model.landmarks(neutral).double().numpy()
    middles = eye_middles(marks)
    middles[:, 0] = np.sign(middles[:, 0]) * 36 * MM
    middles[:, 2] = front_z(marks, 3 * MM)
    frame = Frame(superellipse(25 * MM, 19 * MM, 3.0), middles, 4 * MM)
    geometry = glasses_geometry(model, neutral.double().numpy(), marks, frame)
    faces = torch.from_numpy(geometry.faces[~geometry.is_lens]).long()
    rgba = torch.tensor(GREEN).expand(len(geometry.vertices), 4).contiguous()
    mask = torch.zeros_like(puppet.avatar.alpha)
    return WornGlasses(torch.from_numpy(geometry.vertices).float(), faces, rgba, mask)


@pytest.fixture(scope="module")
def dressed(puppet: Puppet, worn: WornGlasses) -> Puppet:
    """The puppet with them on, and in a photo that shows them."""
    avatar, fit = puppet.avatar, puppet.avatar.fit
    canvas, head = photo_canvas(avatar), pose_head(puppet.model, fit.identity, fit.expression, puppet.carrier)
    height, width = canvas.plate.shape[:2]
    layer = draw_glasses(worn, head, canvas.camera, nothing(height, width))
    assert layer is not None
    x0, y0, x1, y1 = layer.box_px
    mask, photo = torch.zeros_like(avatar.alpha), avatar.photo.clone()
    mask[y0:y1, x0:x1] = (layer.alpha * 255).to(torch.uint8)
    part, rest = photo[y0:y1, x0:x1].float(), 1 - layer.alpha[..., None]
    photo[y0:y1, x0:x1] = (layer.rgb * 255 + rest * part).to(torch.uint8)
    return replace(puppet, avatar=replace(avatar, photo=photo, glasses=replace(worn, mask=mask)))


def nothing(height: int, width: int) -> RenderOutput:
    """A render of no head."""
    blank, triple = torch.zeros(height, width), torch.zeros(height, width, 3)
    return RenderOutput(triple, blank, blank, triple, blank, torch.zeros(height, width, 0))


def is_green(rgb: np.ndarray) -> np.ndarray:
    r, g, b = np.moveaxis(rgb.astype(int), -1, 0)
    return np.asarray((g > r + 60) & (g > b + 40))


def seen_from(puppet: Puppet, yaw: float) -> np.ndarray:
    return render_orbit(puppet, crop_canvas(puppet.avatar, 128, person=False), yaw)[0]


def test_only_the_glasses_differ(puppet: Puppet, dressed: Puppet) -> None:
    for yaw in (-0.8, 0.0, 0.8):
        without, with_them = seen_from(puppet, yaw), seen_from(dressed, yaw)
        changed = (without != with_them).any(-1)
        assert 0.002 < changed.mean() < 0.1
        assert is_green(with_them).sum() > 0.3 * changed.sum()
        assert not is_green(without)[changed].any()


def test_the_far_side_of_the_head_hides_them(dressed: Puppet) -> None:
    behind = seen_from(dressed, np.pi)
    front = seen_from(dressed, 0.0)
    assert is_green(behind).sum() < 0.05 * is_green(front).sum()


def test_in_profile_they_stand_out_before_the_face(puppet: Puppet, dressed: Puppet) -> None:
    canvas = crop_canvas(puppet.avatar, 128, person=False)
    camera = turned_camera(puppet.avatar.fit, canvas, 1.4)
    bare, own = (render_bust(p, camera, 128, 128) for p in (puppet, dressed))
    outside = (bare.alpha < 0.02) & (own.alpha > 0.5)
    assert int(outside.sum()) > 3
    assert bool((own.depth[outside] > 2.0).all())


def test_an_expression_does_not_move_them(dressed: Puppet) -> None:
    canvas = crop_canvas(dressed.avatar, 128, person=False)
    frowning = dressed.avatar.fit.expression.clone()
    frowning[:10] = 0.8
    shown = [
        is_green(render_orbit(dressed, canvas, 0.1, expression=e)[0])
        for e in (dressed.avatar.fit.expression, frowning)
    ]
    assert (shown[0] ^ shown[1]).sum() < 0.12 * shown[0].sum()


def test_they_turn_with_the_head(dressed: Puppet, worn: WornGlasses) -> None:
    canvas, fit = photo_canvas(dressed.avatar), dressed.avatar.fit
    motion = head_motion(
        dressed, axis_angle_to_matrix(torch.tensor([0.0, 0.4, 0.1])) @ fit.R_camera_head,
        torch.tensor([0.05, 0.0, 0.0]),
    )  # fmt: skip
    layer = moving_layer(dressed, canvas, fit.expression, motion)
    assert layer is not None
    height, width = canvas.plate.shape[:2]
    px = canvas.camera.project(motion.apply(worn.vertices)).uv * torch.tensor([width, height])
    ys, xs = np.nonzero(is_green((layer.rgb * 255).astype(np.uint8)))
    xs, ys = xs + layer.corner_px[0], ys + layer.corner_px[1]
    assert len(xs) > 20
    away = np.hypot(px[:, 0].numpy()[:, None] - xs, px[:, 1].numpy()[:, None] - ys).min(0)
    assert away.max() < 4


def test_both_ways_of_drawing_agree(dressed: Puppet, monkeypatch: pytest.MonkeyPatch) -> None:
    canvas, fit = crop_canvas(dressed.avatar, 96), dressed.avatar.fit
    motion = head_motion(
        dressed, axis_angle_to_matrix(torch.tensor([0.0, -0.5, 0.0])) @ fit.R_camera_head, torch.zeros(3)
    )
    worn = dressed.avatar.glasses
    assert worn is not None
    head = pose_head(dressed.model, fit.identity, fit.expression, dressed.carrier, motion, torso=fit.torso)
    out = nothing(96, 96)
    fast = draw_glasses(worn, head, canvas.camera, out)
    monkeypatch.setattr(pixels, "has_numba", lambda: False)
    plain = draw_glasses(worn, head, canvas.camera, out)
    assert fast is not None
    assert plain is not None
    assert fast.box_px == plain.box_px
    for name in ("rgb", "alpha"):
        torch.testing.assert_close(getattr(fast, name), getattr(plain, name), atol=1e-4, rtol=0)
    assert float(fast.alpha.max()) > 0.9


def test_the_box_of_what_moves_holds_them(puppet: Puppet, dressed: Puppet, worn: WornGlasses) -> None:
    canvas, fit = photo_canvas(dressed.avatar), dressed.avatar.fit
    still = head_motion(dressed, fit.R_camera_head, torch.zeros(3))
    head = pose_head(dressed.model, fit.identity, fit.expression, dressed.carrier, still, torso=fit.torso)
    far = replace(worn, vertices=worn.vertices + torch.tensor([0.0, 0.0, 0.4]))
    wide = replace(dressed, avatar=replace(dressed.avatar, glasses=far))
    boxes = [moving_box(p, canvas, head) for p in (puppet, wide)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[1][0] <= boxes[0][0]
    px = canvas.camera.project(far.vertices).uv * torch.tensor(list(canvas.plate.shape[1::-1]))
    assert float(px[:, 0].min()) >= boxes[1][0] - 1
    assert float(px[:, 0].max()) <= boxes[1][2] + 1


def test_hair_hides_what_is_behind_it_and_not_what_is_before() -> None:
    flat = torch.full((1, 1), 0.0)
    out = RenderOutput(
        torch.zeros(1, 1, 3), flat + 1.0, flat + 2.4, torch.zeros(1, 1, 3), flat + 0.5, torch.zeros(1, 1, 0)
    )  # half hair at 2.3, half body at 2.5
    assert float(hair_before(out, flat + 2.4, flat + 2.5)) == 0.5
    assert float(hair_before(out, flat + 2.2, flat + 2.5)) == 0.0


def test_layers_and_renders_take_them_on_alike() -> None:
    random = torch.Generator().manual_seed(0)
    alpha = torch.rand(6, 8, generator=random)
    rgb = torch.rand(6, 8, 3, generator=random) * alpha[..., None]
    cover = torch.rand(3, 4, generator=random)
    glasses = WornLayer((2, 1, 6, 4), torch.rand(3, 4, 3, generator=random) * cover[..., None], cover,
                           torch.full((3, 4), 2.0))  # fmt: skip
    zero = torch.zeros(6, 8)
    out = RenderOutput(rgb, alpha, zero + 2.5, torch.zeros(6, 8, 3), zero, torch.zeros(6, 8, 0))
    layer = over_layer(Layer((0, 0), rgb.numpy(), alpha.numpy()), glasses)
    render = over_render(out, glasses)
    np.testing.assert_allclose(layer.rgb, render.rgb.numpy(), atol=1e-6)
    np.testing.assert_allclose(layer.cover, render.alpha.numpy(), atol=1e-6)
    assert float(render.depth[1:4, 2:6].max()) < 2.5
    assert torch.equal(render.depth[0], out.depth[0])
    assert over_layer(layer, None) is layer
    assert over_render(out, None) is out


def test_at_the_photos_pose_they_are_the_photos_own_pixels(dressed: Puppet) -> None:
    canvas, avatar = photo_canvas(dressed.avatar), dressed.avatar
    worn, height, width = avatar.glasses, *canvas.plate.shape[:2]
    assert worn is not None
    head = pose_head(dressed.model, avatar.fit.identity, avatar.fit.expression, dressed.carrier)
    blue = replace(worn, rgba=torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(len(worn.vertices), 4).contiguous())
    out, photo = nothing(height, width), worn_photo(avatar, worn.mask)
    layer = draw_glasses(blue, head, canvas.camera, out, photo)
    assert layer is not None
    x0, y0, x1, y1 = layer.box_px
    solid = worn.mask[y0:y1, x0:x1] == 255
    own = photo.rgba[0, :3].permute(1, 2, 0)[y0:y1, x0:x1][solid]
    assert float((layer.rgb[solid] - own).abs().mean()) < 0.01
    aside = turned_camera(avatar.fit, canvas, 0.9)
    turned = draw_glasses(blue, head, aside, out, photo)
    assert turned is not None
    assert float(turned.rgb[..., :2].max()) < 1e-6  # from the side they are triangles alone


def test_glasses_out_of_the_picture_are_none(dressed: Puppet, worn: WornGlasses) -> None:
    fit = dressed.avatar.fit
    head: PosedHead = pose_head(dressed.model, fit.identity, fit.expression, dressed.carrier)
    out = nothing(32, 32)
    gone = replace(worn, vertices=worn.vertices + torch.tensor([5.0, 0.0, 0.0]))
    assert draw_glasses(gone, head, Camera.orbit(0.0, 0.0), out) is None


def test_the_photo_gives_no_detail_where_they_hide_the_face(puppet: Puppet, worn: WornGlasses) -> None:
    mask = torch.zeros_like(puppet.avatar.alpha)
    x, y = puppet.avatar.fit.landmarks_px[[33, 263, 152]].mean(0).round().int().tolist()
    mask[y - 10 : y + 10, x - 10 : x + 10] = 255
    hidden = replace(puppet.avatar, glasses=replace(worn, mask=mask))
    made = make_puppet(hidden, puppet.generator, puppet.model)
    assert made.detail is not None
    assert puppet.detail is not None
    own, plain = made.detail.levels[0][0], puppet.detail.levels[0][0]
    inside = (mask > 0) & (own[COVER] > COVERED[0])
    assert int(inside.sum()) > 200
    assert float(own[DETAIL][:, inside].abs().max()) < 1e-5
    assert float(plain[DETAIL][:, inside].abs().max()) > 0.01


def test_a_mesh_has_them(dressed: Puppet, puppet: Puppet, worn: WornGlasses) -> None:
    config = MeshConfig(resolution=64)
    bare, own = avatar_mesh(puppet, config), avatar_mesh(dressed, config)
    assert len(own.faces) == len(bare.faces) + len(worn.faces)
    np.testing.assert_allclose(own.vertices[len(bare.vertices) :], worn.vertices.numpy())
    np.testing.assert_array_equal(own.colours[-1], [26, 230, 51])


def test_a_file_keeps_them_and_one_without_has_none(
    dressed: Puppet, avatar_file: Path, tmp_path: Path
) -> None:
    assert load_avatar(avatar_file).glasses is None
    save_avatar(tmp_path / "worn.mien", dressed.avatar)
    read = load_avatar(tmp_path / "worn.mien").glasses
    assert read is not None
    for name in ("vertices", "faces", "rgba", "mask"):
        assert torch.equal(getattr(read, name), getattr(dressed.avatar.glasses, name)), name


def test_a_file_with_triangles_of_nothing_is_refused(
    dressed: Puppet, worn: WornGlasses, tmp_path: Path
) -> None:
    broken = replace(worn, faces=worn.faces + len(worn.vertices))
    save_avatar(tmp_path / "worn.mien", replace(dressed.avatar, glasses=broken))
    with pytest.raises(CheckpointError, match="triangles of glasses"):
        load_avatar(tmp_path / "worn.mien")
    assert len(GLASSES) == 4
