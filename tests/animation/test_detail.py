"""The photo's detail: where it comes from, where it goes, and where it must not."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mien.animation.detail import (
    OVERSHOOT,
    add_detail,
    agreement,
    carried_along,
    eye_share,
    facing_of,
    fidelity,
    inside_of,
    outline_share,
    places_of,
    rim_of,
    sharp_lookup,
    shift_nearby,
    turn_of,
    without_specks,
)
from mien.animation.drive import (
    STILL_WEIGHT,
    Puppet,
    crop_canvas,
    head_motion,
    photo_canvas,
    photo_detail,
    plain_layer,
    render_moving,
)
from mien.animation.fastlayer import fast_layer
from mien.animation.layer import Layer, without_gaps
from mien.animation.plate import nearest_index
from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera
from mien.core.geometry import axis_angle_to_matrix
from mien.generator.render import PosedHead, RenderOutput, pose_head, render
from mien.morphable.carry import HeadMotion
from mien.morphable.landmarks import (
    BROW_LEFT,
    BROW_RIGHT,
    EYELIDS_LEFT,
    EYELIDS_RIGHT,
    FACE_OVAL,
    LIPS_OUTER,
)
from mien.morphable.model import load_head_model


def turned(puppet: Puppet, yaw_rad: float) -> HeadMotion:
    turn = axis_angle_to_matrix(torch.tensor([0.0, yaw_rad, 0.0]))
    return head_motion(puppet, turn @ puppet.avatar.fit.R_camera_head, torch.zeros(3))


def drawn(puppet: Puppet, yaw_rad: float, expression: torch.Tensor | None = None) -> np.ndarray:
    expression = puppet.avatar.fit.expression if expression is None else expression
    canvas = crop_canvas(puppet.avatar, 96)
    return render_moving(puppet, canvas, expression, turned(puppet, yaw_rad)).astype(float)


def plain_head(
    puppet: Puppet, expression: torch.Tensor, motion: HeadMotion
) -> tuple[PosedHead, RenderOutput]:
    assert puppet.detail is not None
    fit = puppet.avatar.fit
    head = pose_head(puppet.model, fit.identity, expression, puppet.carrier, motion, torso=fit.torso)
    head = replace(head, carried=puppet.detail.carried)
    camera = puppet.avatar.fit.camera
    return head, render(puppet.generator, puppet.planes, head, camera, 96, 96, shell=puppet.shell)


def test_unmoved_pixels_come_from_themselves(puppet: Puppet) -> None:
    canvas = photo_canvas(puppet.avatar)
    _, out = plain_head(puppet, puppet.avatar.fit.expression, turned(puppet, 0.0))
    camera = puppet.avatar.fit.camera
    shown = out.alpha > 0.99
    centres = torch.stack(torch.meshgrid(*(2 * [(torch.arange(96) + 0.5) / 96]), indexing="xy"), -1)
    unbent = places_of(camera, replace(out, carried=out.carried[..., :0]), camera, turned(puppet, 0.0))
    torch.testing.assert_close(unbent.uv_photo[shown], centres[shown], atol=2e-4, rtol=0)
    # What the mesh carries speaks of the photo's own framing.
    height, width = canvas.plate.shape[:2]
    photo = places_of(canvas.camera, out, camera, turned(puppet, 0.0))
    xy = photo.uv_photo * torch.tensor([width, height])
    x, y = puppet.avatar.fit.crop.corner_px
    expected = torch.tensor([x, y]) + centres * puppet.avatar.fit.crop.side_px
    assert float((xy - expected).norm(dim=-1)[shown].max()) < 0.3


def test_the_detail_makes_the_crop_sharper_and_fades_with_the_turn(puppet: Puppet) -> None:
    plain = replace(puppet, detail=None)
    gain = [np.abs(drawn(puppet, yaw) - drawn(plain, yaw)).mean() for yaw in (0.0, 0.9)]
    assert gain[0] > 0.5
    assert gain[1] < gain[0]


def test_hidden_points_get_none(puppet: Puppet) -> None:
    """An opened mouth shows teeth and a cavity that the photo (a smile) showed in part; a point put far
    behind what the photo saw keeps the plain render."""
    assert puppet.detail is not None
    opened = torch.zeros(52)
    opened[ARKIT_INDEX["jawOpen"]] = 0.8
    motion, camera = turned(puppet, 0.0), puppet.avatar.fit.camera
    _, out = plain_head(puppet, opened, motion)
    places = places_of(puppet.detail.camera, out, camera, motion)
    behind = replace(places, distance=places.distance + 0.05)
    hidden = add_detail(puppet.detail, out, behind, camera, motion)
    solid = out.alpha > 0.3
    changed = (hidden.rgb - out.rgb)[solid].abs().amax(-1) > 1e-5
    assert float(changed.float().mean()) < 0.01  # depth is smeared over the photo's own outlines
    shown = add_detail(puppet.detail, out, places, camera, motion)
    assert float((shown.rgb - out.rgb)[solid].abs().mean()) > 2e-3


def test_alpha_bounds_the_colour(puppet: Puppet) -> None:
    assert puppet.detail is not None
    motion, camera = turned(puppet, 0.4), puppet.avatar.fit.camera
    _, out = plain_head(puppet, puppet.avatar.fit.expression, motion)
    places = places_of(puppet.detail.camera, out, camera, motion)
    both = add_detail(puppet.detail, out, places, camera, motion)
    assert float(both.alpha.min()) >= 0
    assert float(both.alpha.max()) <= 1
    assert bool((both.rgb <= both.alpha[..., None] + 1e-6).all())
    assert bool((both.rgb >= 0).all())


@pytest.mark.parametrize("yaw_rad", [0.0, 0.2, -0.6])
def test_turning_the_head_or_the_camera_is_the_same_turn(puppet: Puppet, yaw_rad: float) -> None:
    photo = puppet.avatar.fit.camera
    assert turn_of(photo, photo, turned(puppet, yaw_rad)) == pytest.approx(abs(yaw_rad), abs=0.06)
    front = Camera.orbit(0.0, 0.0, pivot=(0.0, 0.0, -0.07))
    around = Camera.orbit(yaw_rad, 0.0, pivot=(0.0, 0.0, -0.07))
    assert turn_of(front, around, None) == pytest.approx(abs(yaw_rad), abs=1e-4)


def test_facing_is_the_cosine_of_a_tilted_plane() -> None:
    camera = Camera.orbit(0.0, 0.0)
    rays = camera.rays(40, 40)
    tilt = 0.7
    normal = torch.tensor([math.sin(tilt), 0.0, math.cos(tilt)])
    depth = -(rays.origins @ normal) / (rays.directions @ normal)
    facing = facing_of(rays.origins + rays.directions * depth[..., None], camera)
    assert float((facing[10:-10, 10:-10] - math.cos(tilt)).abs().max()) < 0.12


def test_nearest_index_is_brute_force_up_to_a_pixel() -> None:
    valid = torch.rand(23, 31, generator=torch.Generator().manual_seed(0)) > 0.95
    row, column = nearest_index(valid)
    y, x = torch.meshgrid(torch.arange(23), torch.arange(31), indexing="ij")
    assert bool(valid[row, column].all())
    there = torch.nonzero(valid)
    best = (torch.stack([y, x], -1)[:, :, None] - there).float().norm(dim=-1).amin(-1)
    found = torch.hypot((row - y).float(), (column - x).float())
    assert float((found - best).max()) < 1.0
    everywhere = nearest_index(torch.zeros(3, 4, dtype=torch.bool))
    assert torch.equal(everywhere[0][:, 0], torch.arange(3))


def test_a_hole_in_the_matte_is_distrusted_and_its_surroundings_too() -> None:
    alpha, surplus = torch.ones(100, 100), torch.zeros(100, 100)
    surplus[40:60, 40:60] = -1
    trust = agreement(surplus, alpha)
    assert float(trust[42:58, 42:58].max()) < 0.01
    assert float(trust[39, 50]) < 0.5
    assert float(trust[:30].min()) > 0.99
    assert float(agreement(-surplus, alpha).min()) > 0.99  # stray hair that the render lacks is no hole


def test_the_rim_is_the_outline() -> None:
    alpha = torch.zeros(100, 100)
    alpha[20:80, 20:80] = 1
    rim = rim_of(alpha)
    assert float(rim[20, 50]) == pytest.approx(1, abs=0.2)
    assert float(rim[30:70, 30:70].max()) == pytest.approx(0)


def flat_output(hair: float, v: float = 0.0) -> RenderOutput:
    """A render that shows one surface everywhere, with a share of hair before it."""
    shape = (24, 24)
    planes = torch.tensor([0.0, v, 0.0]).expand(*shape, 3)
    one = torch.ones(shape)
    return RenderOutput(
        torch.full((*shape, 3), 0.5), one, 2.5 * one, planes, hair * one, torch.zeros(*shape, 0)
    )


def test_only_the_bodys_large_detail_is_a_misfit() -> None:
    detail = torch.zeros(24, 24, 4)
    detail[12, 12, 1] = -0.5
    body, hair = fidelity(detail, flat_output(0.0)), fidelity(detail, flat_output(1.0))
    assert float(body[12, 12]) == 0
    assert float(body[11, 13]) == 0
    assert float(body[0, 0]) == 1
    assert (hair == 1).all()


def test_eyes_are_small_parts_of_a_face_and_brows_are_none() -> None:
    face = load_head_model().landmarks(load_head_model().mean)[:, :2]
    size = 400 / (face.max(0).values - face.min(0).values).max()
    px = (face - face.min(0).values) * torch.tensor([size, -size]) + torch.tensor([40.0, 440.0])
    share = eye_share(px, (480, 480))
    at = lambda index: float(share[int(px[index, 1]), int(px[index, 0])])  # noqa: E731
    for index in (*EYELIDS_LEFT, *EYELIDS_RIGHT):
        assert at(index) > 0.9
    for index in (*BROW_LEFT, *BROW_RIGHT, *LIPS_OUTER, *FACE_OVAL):
        assert at(index) == 0
    assert 0.03 < float(share.mean()) < 0.12


def test_an_eye_keeps_its_lights_and_lashes_when_it_moves(puppet: Puppet) -> None:
    """A light that only the photo has goes with the eye; elsewhere on the skin it would be a speck."""
    fit = puppet.avatar.fit
    height, width = puppet.avatar.photo.shape[:2]
    eyes = eye_share(fit.landmarks_px, (height, width))
    middle = fit.landmarks_px[list(EYELIDS_LEFT)].mean(0).round().int()
    chin = fit.landmarks_px[list(FACE_OVAL)].mean(0).lerp(fit.landmarks_px[152], 0.9).round().int()
    assert float(eyes[middle[1], middle[0]]) > 0.9
    changes = []
    for x, y in (middle.tolist(), chin.tolist()):
        photo = puppet.avatar.photo.clone()
        photo[y - 1 : y + 2, x - 1 : x + 2] = torch.tensor([0, 255, 0], dtype=torch.uint8)
        spotted = replace(puppet, avatar=replace(puppet.avatar, photo=photo))
        spotted = replace(spotted, detail=photo_detail(spotted))
        moved = fit.expression.clone()
        for name in ("browInnerUp", "jawOpen", "eyeLookUpLeft", "eyeLookUpRight"):
            moved[ARKIT_INDEX[name]] = 0.6
        one, other = (drawn(p, 0.0, moved) for p in (spotted, puppet))
        changes.append(float((one - other)[..., 1].max()))
    assert changes[0] > 60
    assert changes[1] < 0.3 * changes[0]


def test_lips_are_not_inside_the_mouth() -> None:
    assert (inside_of(flat_output(0.0, v=-0.9)) == 1).all()
    assert (inside_of(flat_output(0.0, v=-0.5)) == 0).all()
    assert (inside_of(flat_output(1.0, v=-0.9)) == 0).all()


def test_what_lies_beside_goes_with_the_nearest_point() -> None:
    valid = torch.zeros(40, 60, dtype=torch.bool)
    valid[:, :30] = True
    step = torch.where(valid[..., None], torch.tensor([0.1, -0.2]), torch.zeros(2))
    moved = carried_along(step, nearest_index(valid))
    torch.testing.assert_close(moved[valid], step[valid])
    torch.testing.assert_close(moved[:, 30:], torch.tensor([0.1, -0.2]).expand(40, 30, 2))


def test_specks_go_and_edges_stay() -> None:
    weight = torch.zeros(20, 20)
    weight[:, 10:] = 1
    clean = without_specks(weight)
    weight[5, 3], weight[12, 15] = 1, 0
    torch.testing.assert_close(without_specks(weight), clean, atol=1e-6, rtol=0)
    assert (clean[:, :8] < 0.01).all()
    assert (clean[:, 12:] > 0.99).all()


def looked_up(image: torch.Tensor, shift_px: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The image moved by a part of a pixel: by the sharp lookup and the smooth one."""
    size = image.shape[-1]
    at = (torch.arange(size) + 0.5 + shift_px) / size * 2 - 1
    y, x = torch.meshgrid((torch.arange(size) + 0.5) / size * 2 - 1, at, indexing="ij")
    grid = torch.stack([x, y], -1)[None]
    smooth = torch.nn.functional.grid_sample(image, grid, align_corners=False)[0].permute(1, 2, 0)
    return sharp_lookup(image, grid, smooth), smooth


def test_the_sharp_lookup_keeps_pores_and_gives_edges_no_halo() -> None:
    random = torch.Generator().manual_seed(0)
    pores = 0.03 * torch.randn(1, 4, 48, 48, generator=random)
    sharp, smooth = (part[4:-4, 4:-4] for part in looked_up(pores, 0.5))
    assert sharp.std() > 1.15 * smooth.std()
    edge = torch.zeros(1, 4, 48, 48)
    edge[..., 24:] = 1.0
    for shift_px in (0.25, 0.5):
        sharp, smooth = (part[4:-4, 4:-4] for part in looked_up(edge, shift_px))
        assert sharp.max() <= 1 + OVERSHOOT + 1e-6
        assert sharp.min() >= -OVERSHOOT - 1e-6
        assert (sharp - smooth).abs().max() <= OVERSHOOT + 1e-6
    whole, _ = looked_up(pores, 0.0)
    torch.testing.assert_close(whole, pores[0].permute(1, 2, 0), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("yaw_rad", "jaw"), [(0.0, 0.0), (0.12, 0.5), (0.5, 0.2)])
def test_the_compiled_layer_agrees_with_the_plain_one(puppet: Puppet, yaw_rad: float, jaw: float) -> None:
    assert puppet.detail is not None
    avatar, motion = puppet.avatar, turned(puppet, yaw_rad)
    expression = avatar.fit.expression.clone()
    expression[ARKIT_INDEX["jawOpen"]] += jaw
    head = pose_head(puppet.model, avatar.fit.identity, expression, puppet.carrier, motion)
    head = replace(head, carried=puppet.detail.carried)
    camera = crop_canvas(avatar, 96).camera
    out = render(puppet.generator, puppet.planes, head, camera, 96, 96, shell=puppet.shell, antialias=True)
    plain = plain_layer(puppet, out, camera, motion, (3, 4))
    fast = fast_layer(puppet.detail, out, camera, motion, (3, 4), STILL_WEIGHT)
    assert fast.corner_px == plain.corner_px
    assert plain.cover.mean() > 0.1
    np.testing.assert_allclose(fast.rgb, plain.rgb, atol=1e-3)  # a quarter of a grey level
    np.testing.assert_allclose(fast.cover, plain.cover, atol=1e-3)


def test_the_drawn_outline_of_hair_comes_in_where_the_photos_own_is_left(puppet: Puppet) -> None:
    camera = photo_canvas(puppet.avatar).camera
    shares = [outline_share(puppet.detail, camera, turned(puppet, math.radians(a))) for a in (0, 3, 9, 20)]
    assert shares[:2] == [0.0, 0.0]
    assert 0.1 < shares[2] < 0.9
    assert shares[3] == 1.0
    assert outline_share(None, camera, turned(puppet, 0.0)) == 1.0


def test_what_stays_beside_what_moves_counts_as_moved_but_on_the_outline() -> None:
    shift, alpha, hair = np.zeros((3, 20, 20), np.float32)
    alpha[2:18, 2:18] = 1
    shift[:, 9:12], shift[:, 15] = 0.5, 0.3  # an area, and a line of wrong depths
    hair[12:] = 0.1
    found = shift_nearby(shift, alpha, hair)
    assert (found[6:11, 7:14] == 0.5).all()
    assert np.array_equal(found[12:], shift[12:])
    assert found[6:14, [6, 14]].max() == 0
    assert np.array_equal(found[:5], shift[:5])


def test_a_line_that_neither_side_covers_is_closed_beside_the_body() -> None:
    """A gap within, a way out of the body and a gap within hair."""
    cover, body = np.ones((12, 16), np.float32), np.zeros((12, 16), bool)
    body[:, :8] = True
    cover[:, 3], cover[:, 12] = 0.4, 0.4
    cover[5:, 7:9] = 0
    cover[4:, 6:10] = 0
    rgb = cover[..., None] * np.array([0.6, 0.4, 0.2], np.float32)
    closed = without_gaps(Layer((1, 2), rgb, cover), body)
    assert closed.corner_px == (1, 2)
    assert closed.cover[:, 3].min() == 1
    assert np.array_equal(closed.cover[:, 4:], cover[:, 4:])
    np.testing.assert_allclose(closed.rgb[:, 3], np.broadcast_to([0.6, 0.4, 0.2], (12, 3)), rtol=1e-5)
    assert np.array_equal(closed.rgb[:, 4:], rgb[:, 4:])
