"""EG3D avatars bent, turned and drawn."""

from dataclasses import replace

import torch

from mien.animation.eg3d.actor import Eg3dActor, _carry, draw, make_actor, neck_motion
from mien.core.arkit import ARKIT_INDEX
from mien.core.geometry import axis_angle_to_matrix
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.inversion.eg3d.avatar import Eg3dAvatar, MouthKeys

STILL = torch.zeros(3)


def turned(actor: Eg3dActor, yaw: float, nod: float = 0.0) -> torch.Tensor:
    """The photo's pose, turned in camera axes."""
    return axis_angle_to_matrix(torch.tensor([nod, yaw, 0.0])) @ actor.place.R_camera_head


def expression(actor: Eg3dActor, **values: float) -> torch.Tensor:
    e = actor.place.expression.clone()
    for name, value in values.items():
        e[ARKIT_INDEX[name]] = value
    return e


def test_the_photos_own_pose_is_the_photo(actor: Eg3dActor) -> None:
    drawn = draw(actor)
    size = len(drawn.rgb)
    photo = torch.from_numpy(actor.place.crop.sample(actor.avatar.photo.numpy(), size).copy()).float() / 255
    inside = drawn.alpha > 0.9
    assert inside.sum() > 0.3 * size**2
    assert (drawn.rgb - photo)[inside].abs().mean() < 0.01
    matte = actor.source.matte
    assert (drawn.alpha - matte).abs().mean() < 0.02


def test_no_motion_is_none(actor: Eg3dActor) -> None:
    assert neck_motion(actor, actor.place.R_camera_head, STILL) is None
    assert neck_motion(actor, turned(actor, 0.2), STILL) is not None


def test_a_turn_of_the_head_is_a_turn_of_the_camera(actor: Eg3dActor) -> None:
    """Above the chin, points are carried as by a camera moved around the head; the chest stays."""
    R = turned(actor, 0.4, 0.1)
    shift = torch.tensor([0.03, -0.02, 0.05])
    motion = neck_motion(actor, R, shift)
    rest_mesh = actor.model.vertices(actor.place.identity, actor.place.expression)
    warp = _carry(actor, actor.place.camera, rest_mesh, motion)
    points = torch.rand((1, 200, 3), generator=torch.Generator().manual_seed(0)) * 0.3
    points[..., 1] += actor.chin_y + 0.12
    place = actor.place
    rest = warp.to_rest(place.to_world(points))
    relative = place.R_camera_head.T @ R
    expected = (points - place.R_camera_head.T @ shift) @ relative
    above = rest[..., 1] > actor.chin_y
    assert above.sum() > 100
    assert torch.allclose(rest[above], expected[above], atol=1e-5)
    chest = torch.tensor([[[0.05, actor.chin_y - 0.3, 0.0]]])
    assert torch.allclose(warp.to_rest(place.to_world(chest)), chest, atol=1e-6)
    assert not warp.still
    assert torch.allclose(place.to_head(warp(place.to_world(points)))[above], rest[above], atol=1e-5)


def test_a_turned_head_carries_matte_and_detail_along(actor: Eg3dActor) -> None:
    drawn = draw(actor, motion=neck_motion(actor, turned(actor, 0.3), STILL))
    plain = draw(actor)
    assert (drawn.rgb - plain.rgb).abs().mean() > 0.01
    # The photo's red grows to the right, so what turns to the right takes lower values there.
    middle = len(drawn.rgb) // 2
    rows = slice(middle - 12, middle + 4)
    columns = slice(middle - 8, middle + 8)
    assert drawn.alpha[rows, columns].min() > 0.9
    assert drawn.rgb[rows, columns, 0].mean() < plain.rgb[rows, columns, 0].mean() - 0.02


def test_a_smile_moves_the_lips_and_nothing_else(actor: Eg3dActor) -> None:
    plain, smile = draw(actor), draw(actor, expression=expression(actor, mouthSmileLeft=1.0))
    change = (smile.rgb - plain.rgb).abs().amax(-1)
    points = actor.model.landmarks(actor.mouth.source)
    size = len(change)
    row, column = (int(actor.place.head_camera.project(points[[291]]).uv[0, k] * size) for k in (1, 0))
    assert change[row - 4 : row + 5, column - 4 : column + 5].max() > 0.003
    top = int(actor.place.head_camera.project(points[[10]]).uv[0, 1] * size)
    assert change[: max(top, 1)].max() < 1e-4


def test_an_open_mouth_is_dark_inside(actor: Eg3dActor) -> None:
    plain, open_ = draw(actor), draw(actor, expression=expression(actor, jawOpen=0.9))
    points = actor.model.vertices(actor.place.identity, expression(actor, jawOpen=0.9))
    lips = actor.model.landmarks(points)[[13, 14]].mean(0, keepdim=True)
    size = len(plain.rgb)
    column, row = (int(t * size) for t in actor.place.head_camera.project(lips).uv[0])
    assert open_.rgb[row, column].mean() < 0.5 * plain.rgb[row, column].mean()


def test_an_open_mouth_shows_what_the_generator_in_painted(
    actor: Eg3dActor, avatar: Eg3dAvatar, ball: Eg3dGenerator
) -> None:
    """One key mouth that is green inside, whose upper half is not known."""
    wide = expression(actor, jawOpen=0.9)
    picture = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    picture[..., 1] = 255
    lips = actor.model.landmarks(actor.model.vertices(actor.place.identity, wide))[[13, 14]]
    v = actor.place.head_camera.project(lips).uv[:, 1]
    known = torch.zeros(1, 64, 64, dtype=torch.uint8)
    known[:, int(v.mean() * 64) :] = 255
    keyed = make_actor(replace(avatar, mouths=MouthKeys(wide[None], picture, known)), ball, actor.model)
    plain, painted = draw(actor, expression=wide).rgb, draw(keyed, expression=wide).rgb
    size = len(plain)
    column = int(actor.place.head_camera.project(lips).uv[:, 0].mean() * size)
    rows = [int((v[0] + share * (v[1] - v[0])) * size) for share in (0.2, 0.75)]
    torch.testing.assert_close(painted[rows[0], column], plain[rows[0], column], atol=0.02, rtol=0)
    assert painted[rows[1], column, 1] > 0.8
    assert plain[rows[1], column, 1] < 0.5
    shut = draw(keyed).rgb
    torch.testing.assert_close(shut, draw(actor).rgb)
